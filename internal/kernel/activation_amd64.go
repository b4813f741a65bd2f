//go:build amd64 && !purego

package kernel

import "github.com/faceverify/fv/internal/cpu"

// elementBlock is the most numbers that one call of the assembly works on.
const elementBlock = 1 << 16

// elements runs assembly on as many of the numbers as are a multiple of its vector, in blocks, and returns how
// many those are.
func elements(y, x []float32, a, b float32, avx2, avx512 func(*elementArgs)) int {
	run, width := avx2, 8
	switch single() {
	case cpu.AVX512:
		run, width = avx512, 16
	case cpu.AVX2:
	default:
		return 0
	}
	whole := len(x) / width * width
	y = y[:len(x)]
	for i := 0; i < whole; i += elementBlock {
		n := min(elementBlock, whole-i)
		run(&elementArgs{out: &y[i], x: &x[i], a: a, b: b, count: n})
	}
	return whole
}

func clipRun(y, x []float32, lo, hi float32) {
	n := elements(y, x, lo, hi, clip_avx2, clip_avx512)
	clipGeneric(y[n:], x[n:], lo, hi)
}

func hardSwishRun(y, x []float32, a, b float32) {
	n := elements(y, x, a, b, hardSwish_avx2, hardSwish_avx512)
	hardSwishGeneric(y[n:], x[n:], a, b)
}

func largerRun(y, x []float32) {
	n := elements(y, x, 0, 0, larger_avx2, larger_avx512)
	largerGeneric(y[n:], x[n:])
}

//go:noescape
func clip_avx2(a *elementArgs)

//go:noescape
func clip_avx512(a *elementArgs)

//go:noescape
func hardSwish_avx2(a *elementArgs)

//go:noescape
func hardSwish_avx512(a *elementArgs)

//go:noescape
func larger_avx2(a *elementArgs)

//go:noescape
func larger_avx512(a *elementArgs)
