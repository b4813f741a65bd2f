//go:build amd64 && !purego

package kernel

import (
	"time"

	"github.com/faceverify/fv/internal/cpu"
)

// run computes the tile's first rows rows.
func (t *tile) run(rows int) {
	if rows < 1 || t.k < 1 || t.segs < 1 || t.imgs < 1 {
		panic("kernel: empty tile")
	}
	switch single() {
	case cpu.AVX512:
		t.runAVX512(rows)
	case cpu.AVX2:
		t.runAVX2(rows)
	default:
		t.runGeneric(rows)
	}
}

func (t *tile) runAVX512(rows int) {
	switch rows {
	case 1:
		tile1_avx512(t)
	case 2:
		tile2_avx512(t)
	case 3:
		tile3_avx512(t)
	case 4:
		tile4_avx512(t)
	case 5:
		tile5_avx512(t)
	case 6:
		tile6_avx512(t)
	case 7:
		tile7_avx512(t)
	case 8:
		tile8_avx512(t)
	case 9:
		tile9_avx512(t)
	case 10:
		tile10_avx512(t)
	case 11:
		tile11_avx512(t)
	case 12:
		tile12_avx512(t)
	case 13:
		tile13_avx512(t)
	case 14:
		tile14_avx512(t)
	default:
		panic("kernel: rows out of range")
	}
}

func (t *tile) runAVX2(rows int) {
	switch rows {
	case 1:
		tile1_avx2(t)
	case 2:
		tile2_avx2(t)
	case 3:
		tile3_avx2(t)
	case 4:
		tile4_avx2(t)
	case 5:
		tile5_avx2(t)
	case 6:
		tile6_avx2(t)
	default:
		panic("kernel: rows out of range")
	}
}

//go:noescape
func tile1_avx512(t *tile)

//go:noescape
func tile2_avx512(t *tile)

//go:noescape
func tile3_avx512(t *tile)

//go:noescape
func tile4_avx512(t *tile)

//go:noescape
func tile5_avx512(t *tile)

//go:noescape
func tile6_avx512(t *tile)

//go:noescape
func tile7_avx512(t *tile)

//go:noescape
func tile8_avx512(t *tile)

//go:noescape
func tile9_avx512(t *tile)

//go:noescape
func tile10_avx512(t *tile)

//go:noescape
func tile11_avx512(t *tile)

//go:noescape
func tile12_avx512(t *tile)

//go:noescape
func tile13_avx512(t *tile)

//go:noescape
func tile14_avx512(t *tile)

//go:noescape
func tile1_avx2(t *tile)

//go:noescape
func tile2_avx2(t *tile)

//go:noescape
func tile3_avx2(t *tile)

//go:noescape
func tile4_avx2(t *tile)

//go:noescape
func tile5_avx2(t *tile)

//go:noescape
func tile6_avx2(t *tile)

func fma_avx512(n int)

func fma_avx2(n int)

// PeakGFLOPS measures the single-precision speed of all of p's threads at once with the current
// variant: loops of independent multiply-adds on registers, each counted as two
// operations. It returns 0 for the generic variant.
func PeakGFLOPS(p *Pool) float64 {
	const chains = 10
	switch single() {
	case cpu.AVX2:
		return peak(p, fma_avx2, 2*chains*8)
	case cpu.AVX512:
		return peak(p, fma_avx512, 2*chains*16)
	}
	return 0
}

// peak returns the GFLOP/s of a loop with so many operations a turn.
func peak(p *Pool, f func(n int), operations int) float64 {
	const (
		n     = 10_000 // some dozen microseconds
		loops = 50
		most  = 300 * time.Millisecond // other work may have a processor for a while
	)
	var best float64
	for began := time.Now(); time.Since(began) < most; {
		start := time.Now()
		p.Run(p.Threads(), func(int) {
			for range loops {
				f(n)
			}
		})
		best = max(best, float64(n*loops*operations*p.Threads())/time.Since(start).Seconds()/1e9)
	}
	return best
}
