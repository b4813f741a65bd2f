package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Every variant gives what the generic functions give, of every length and of what is no number too.
func TestElements(t *testing.T) {
	forEachVariant(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, n := range []int{0, 1, 7, 8, 15, 16, 17, 64, 1000} {
			x, _ := guarded(t, r, n)
			y, check := guarded(t, r, n)
			for i := range x {
				x[i] *= 10
			}
			if n > 20 {
				x[3], x[4], x[5] = float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))
			}
			for name, f := range map[string][2]func(y, x []float32){
				"clip":      {func(y, x []float32) { Clip(y, x, -2, 6) }, func(y, x []float32) { clipGeneric(y, x, -2, 6) }},
				"hardswish": {func(y, x []float32) { HardSwish(y, x, 1./6, 0.5) }, func(y, x []float32) { hardSwishGeneric(y, x, 1./6, 0.5) }},
				"larger":    {Larger, largerGeneric},
			} {
				for i := range y {
					y[i] = 10 * (2*r.Float32() - 1)
				}
				if n > 20 {
					y[6], y[7] = float32(math.NaN()), float32(math.Inf(1))
				}
				want := slices.Clone(y)
				f[1](want, x)
				f[0](y, x)
				check()
				for i, v := range y {
					both := math.IsNaN(float64(v)) && math.IsNaN(float64(want[i])) || v == want[i]
					// The fused product and sum rounds once.
					if !both && !(math.Abs(float64(v-want[i])) <= 1e-6) {
						t.Errorf("%s of %d: %d of %v is %v, want %v", name, n, i, x[i], v, want[i])
					}
				}
			}
		}
	})
}

// The larger of pixels and of those that follow in the same row, by any distance.
func TestLargerAhead(t *testing.T) {
	forEachVariant(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, ahead := range []int{1, 3, 8, 10, 16, 33} {
			row, check := guarded(t, r, 100+ahead)
			old := slices.Clone(row)
			Larger(row[:100], row[ahead:])
			check()
			for i, v := range row {
				want := old[i]
				if i < 100 {
					want = max(old[i], old[i+ahead])
				}
				if v != want {
					t.Fatalf("%d ahead: %d is %v, want %v", ahead, i, v, want)
				}
			}
		}
	})
}
