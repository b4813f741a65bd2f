//go:build amd64 && !purego

package kernel

import (
	"math"

	"github.com/faceverify/fv/internal/cpu"
)

func (t *pairTile) dispatch(o pairOperands) {
	if variant == cpu.Generic {
		t.runGeneric(o)
		return
	}
	t.a, t.b, t.c, t.off = &o.a[0], &o.b[0], &o.c[0], &o.off[0]
	switch variant {
	case cpu.AVX2:
		pairTile_avx2(t)
	case cpu.AVX512:
		pairTile_avx512(t)
	case cpu.AVX512BF16:
		pairTile_avx512bf16(t)
	case cpu.AMX:
		pairTile_amx(t)
	}
	t.a, t.b, t.c, t.off = nil, nil, nil, nil
}

// pairWork returns how many steps of a block may be one call of assembly, which nothing interrupts: about 100 µs.
func pairWork() int {
	switch variant {
	case cpu.Generic:
		return math.MaxInt
	case cpu.AVX2:
		return 96
	case cpu.AVX512:
		return 120
	}
	return 320
}

// PeakMixedGFLOPS is PeakGFLOPS of products of bfloat16, of which each is two operations.
func PeakMixedGFLOPS(p *Pool) float64 {
	switch variant {
	case cpu.AVX2, cpu.AVX512:
		return PeakGFLOPS(p) // each is a multiply-add of float32
	case cpu.AVX512BF16:
		return peak(p, dots_avx512bf16, 2*12*32)
	case cpu.AMX:
		return peak(p, dots_amx, 2*4*16*16*32)
	}
	return 0
}

func roundPairs(dst []Pair, src []float32) {
	if variant == cpu.Generic || len(dst)%16 != 0 {
		roundPairsGeneric(dst, src)
		return
	}
	if len(dst) == 0 {
		return
	}
	src = src[:2*len(dst)]
	switch variant {
	case cpu.AVX2:
		roundPairs_avx2(&dst[0], &src[0], len(src))
	case cpu.AVX512:
		roundPairs_avx512(&dst[0], &src[0], len(src))
	default:
		roundPairs_avx512bf16(&dst[0], &src[0], len(src))
	}
}

func interleavePairs(dst, src []Pair, words, count int) {
	if variant == cpu.Generic || words%16 != 0 {
		interleavePairsGeneric(dst, src, words, count)
		return
	}
	n := 2 * words * count
	if n == 0 {
		return
	}
	dst, src = dst[:n], src[:n]
	if variant == cpu.AVX2 {
		interleavePairs_avx2(&dst[0], &src[0], words, count)
	} else {
		interleavePairs_avx512(&dst[0], &src[0], words, count)
	}
}

func transposePairs(dst, src []Pair, dstRow, srcRow, blocks int) {
	if variant == cpu.Generic {
		transposePairsGeneric(dst, src, dstRow, srcRow, blocks)
		return
	}
	if blocks == 0 {
		return
	}
	_, _ = dst[15*dstRow+16*blocks-1], src[(16*blocks-1)*srcRow+15]
	if variant == cpu.AVX2 {
		transposePairs_avx2(&dst[0], &src[0], dstRow, srcRow, blocks)
	} else {
		transposePairs_avx512(&dst[0], &src[0], dstRow, srcRow, blocks)
	}
}

func rowsOut(dst, src, bias []float32, pixels, ldc int, add bool) {
	if variant == cpu.Generic {
		rowsOutGeneric(dst, src, bias, pixels, ldc, add)
		return
	}
	if pixels == 0 {
		return
	}
	_, _ = dst[(pixels-1)*ldc+pairBlock-1], src[pixels*pairBlock-1]
	adds := 0
	if add {
		adds = 1
	}
	if bias != nil {
		bias = bias[:pairBlock]
	}
	if variant == cpu.AVX2 {
		rowsOut_avx2(&dst[0], &src[0], first(bias), pixels, ldc, adds)
	} else {
		rowsOut_avx512(&dst[0], &src[0], first(bias), pixels, ldc, adds)
	}
}

func expandPairs(dst []float32, src []Pair) {
	if variant == cpu.Generic || len(dst)%16 != 0 {
		expandPairsGeneric(dst, src)
		return
	}
	if len(dst) == 0 {
		return
	}
	src = src[:len(dst)/2]
	if variant == cpu.AVX2 {
		expandPairs_avx2(&dst[0], &src[0], len(dst))
	} else {
		expandPairs_avx512(&dst[0], &src[0], len(dst))
	}
}

func roundRowsOut(dst []Pair, src []float32, pixels, ldc int) {
	if variant == cpu.Generic {
		roundRowsOutGeneric(dst, src, pixels, ldc)
		return
	}
	if pixels == 0 {
		return
	}
	_, _ = dst[(pixels-1)*ldc+pairBlock/2-1], src[pixels*pairBlock-1]
	switch variant {
	case cpu.AVX2:
		roundRowsOut_avx2(&dst[0], &src[0], pixels, ldc)
	case cpu.AVX512:
		roundRowsOut_avx512(&dst[0], &src[0], pixels, ldc)
	default:
		roundRowsOut_avx512bf16(&dst[0], &src[0], pixels, ldc)
	}
}

//go:noescape
func pairTile_avx2(t *pairTile)

//go:noescape
func pairTile_avx512(t *pairTile)

//go:noescape
func pairTile_avx512bf16(t *pairTile)

//go:noescape
func pairTile_amx(t *pairTile)

func dots_avx512bf16(n int)

func dots_amx(n int)

//go:noescape
func roundPairs_avx2(dst *Pair, src *float32, n int)

//go:noescape
func roundPairs_avx512(dst *Pair, src *float32, n int)

//go:noescape
func roundPairs_avx512bf16(dst *Pair, src *float32, n int)

//go:noescape
func interleavePairs_avx2(dst, src *Pair, words, count int)

//go:noescape
func interleavePairs_avx512(dst, src *Pair, words, count int)

//go:noescape
func transposePairs_avx2(dst, src *Pair, dstRow, srcRow, blocks int)

//go:noescape
func transposePairs_avx512(dst, src *Pair, dstRow, srcRow, blocks int)

//go:noescape
func rowsOut_avx2(dst, src, bias *float32, pixels, ldc, add int)

//go:noescape
func rowsOut_avx512(dst, src, bias *float32, pixels, ldc, add int)

//go:noescape
func expandPairs_avx2(dst *float32, src *Pair, n int)

//go:noescape
func expandPairs_avx512(dst *float32, src *Pair, n int)

//go:noescape
func roundRowsOut_avx2(dst *Pair, src *float32, pixels, ldc int)

//go:noescape
func roundRowsOut_avx512(dst *Pair, src *float32, pixels, ldc int)

//go:noescape
func roundRowsOut_avx512bf16(dst *Pair, src *float32, pixels, ldc int)
