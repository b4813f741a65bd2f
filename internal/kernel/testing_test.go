package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/faceverify/fv/internal/cpu"
)

// forEachVariant runs f as a subtest under every variant that the processor has.
func forEachVariant(t *testing.T, f func(t *testing.T)) {
	for _, v := range cpu.Variants() {
		t.Run(v.String(), func(t *testing.T) {
			old := variant
			defer SetVariant(old)
			SetVariant(v)
			f(t)
		})
	}
}

// guard is the value around and, in borders of outputs, inside test buffers
// that no kernel may change.
const guard = -12345.5

// guarded returns a slice of n random values in [-1, 1) inside a larger one
// filled with guard, and a function that reports changed guards.
func guarded(t *testing.T, r *rand.Rand, n int) ([]float32, func()) {
	const margin = 40
	all := make([]float32, n+2*margin)
	for i := range all {
		all[i] = guard
	}
	x := all[margin : margin+n : margin+n]
	for i := range x {
		x[i] = 2*r.Float32() - 1
	}
	return x, func() {
		t.Helper()
		for i, v := range all {
			if (i < margin || i >= margin+n) && v != guard {
				t.Errorf("value %v written at %d of a buffer of %d", v, i-margin, n)
				return
			}
		}
	}
}

// clearBorder zeroes all that is not interior.
func clearBorder(x []float32, l Layout) {
	y := make([]float32, len(x))
	for n := range l.N {
		for h := range l.H {
			o := l.Offset(n, h, 0)
			copy(y[o:o+l.W*l.C], x[o:o+l.W*l.C])
		}
	}
	copy(x, y)
}

// checkBorder reports border pixels that are not zero.
func checkBorder(t *testing.T, name string, x []float32, l Layout) {
	t.Helper()
	y := append([]float32(nil), x...)
	clearBorder(y, l)
	for i := range x {
		if x[i] != y[i] {
			t.Errorf("%s: border value %v at %d", name, x[i], i)
			return
		}
	}
}

// close32 reports whether got is want up to the rounding of a float32 sum of
// terms terms of the given size: relative to the magnitude of the terms, since
// they may cancel. 4 eps sqrt(terms) is well above the typical error of such
// sums in any order, and far below that of one wrong term.
func close32(got float32, want float64, terms int, size float64) bool {
	const eps = 1.0 / (1 << 24)
	return math.Abs(float64(got)-want) <= 4*eps*(math.Sqrt(float64(terms))+4)*(size*math.Sqrt(float64(terms))+math.Abs(want))
}

// forEachVariantB is forEachVariant for benchmarks.
func forEachVariantB(b *testing.B, f func(b *testing.B)) {
	for _, v := range cpu.Variants() {
		b.Run(v.String(), func(b *testing.B) {
			old := variant
			defer SetVariant(old)
			SetVariant(v)
			f(b)
		})
	}
}
