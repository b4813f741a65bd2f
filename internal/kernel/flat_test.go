package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// flatLengths straddle the bounds of chunks and of unrolled loops.
var flatLengths = []int{0, 1, 3, 7, flatChunk - 1, flatChunk, 2*flatChunk + 5}

func draw(n int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

func TestFlatSums(t *testing.T) {
	for _, n := range flatLengths {
		x := draw(n, 1)
		want := 0.0
		for _, v := range x {
			want += float64(v) * float64(v)
		}
		var first float64
		for threads := 1; threads <= 3; threads++ {
			p := NewPool(threads)
			got := SumSquares(p, x)
			if math.Abs(got-want) > 1e-12*(1+want) {
				t.Errorf("SumSquares of %d is %v, want %v", n, got, want)
			}
			if threads == 1 {
				first = got
			} else if got != first {
				t.Errorf("SumSquares of %d on %d threads is %v, on one %v", n, threads, got, first)
			}
			if !AllFinite(p, x) {
				t.Errorf("%d finite numbers are not", n)
			}
			for _, at := range []int{0, n / 2, n - 1} {
				for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
					if n == 0 {
						continue
					}
					y := slices.Clone(x)
					y[at] = float32(v)
					if AllFinite(p, y) {
						t.Errorf("%v at %d of %d is finite", v, at, n)
					}
				}
			}
			half := make([]float32, n)
			Follow(p, half, x, 0.5)
			for i := range half {
				if half[i] != x[i]/2 { // exact
					t.Fatalf("halfway from 0 to %v is %v", x[i], half[i])
				}
			}
			y := slices.Clone(x)
			AddScaled(p, y, x, -0.5)
			for i := range y {
				if y[i] != x[i]/2 { // exact
					t.Fatalf("x - x/2 is %v at %d, x is %v", y[i], i, x[i])
				}
			}
			p.Close()
		}
	}
	if huge := []float32{math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32}; !AllFinite(NewPool(1), huge) {
		t.Error("the largest and smallest numbers are finite")
	}
}

// Optimisers against their definitions in float64, over several steps.
func TestOptimiserSteps(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	for _, n := range flatLengths {
		for _, nesterov := range []bool{false, true} {
			w, v := draw(n, 2), make([]float32, n)
			w64, v64 := float64s(w), make([]float64, n)
			for step := range 3 {
				g := draw(n, uint64(10+step))
				SGDStep(p, w, g, v, 0.1, 0.9, 0.01, 0.5, nesterov)
				for i := range w64 {
					d := 0.5*float64(g[i]) + 0.01*w64[i]
					v64[i] = 0.9*v64[i] + d
					if nesterov {
						d += 0.9 * v64[i]
					} else {
						d = v64[i]
					}
					w64[i] -= 0.1 * d
				}
			}
			compareFlat(t, "SGD", w, w64)
			compareFlat(t, "momentum", v, v64)
		}
		w, m, v := draw(n, 3), make([]float32, n), make([]float32, n)
		w64, m64, v64 := float64s(w), make([]float64, n), make([]float64, n)
		for step := 1; step <= 3; step++ {
			g := draw(n, uint64(20+step))
			AdamWStep(p, w, g, m, v, 0.01, 0.9, 0.99, 1e-8, 0.1, 2, step)
			for i := range w64 {
				d := 2 * float64(g[i])
				w64[i] -= 0.01 * 0.1 * w64[i]
				m64[i] = 0.9*m64[i] + 0.1*d
				v64[i] = 0.99*v64[i] + 0.01*d*d
				mh, vh := m64[i]/(1-math.Pow(0.9, float64(step))), v64[i]/(1-math.Pow(0.99, float64(step)))
				w64[i] -= 0.01 * mh / (math.Sqrt(vh) + 1e-8)
			}
		}
		compareFlat(t, "AdamW", w, w64)
	}
}

func float64s(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// compareFlat allows a few roundings of float32 a step.
func compareFlat(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	for i, v := range got {
		if !(math.Abs(float64(v)-want[i]) <= 2e-6*(1+math.Abs(want[i]))) {
			t.Fatalf("%s of %d: [%d] is %v, want %v", what, len(got), i, v, want[i])
		}
	}
}

func BenchmarkSGDStep(b *testing.B) {
	p := NewPool(2)
	defer p.Close()
	const n = 1 << 22
	w, g, v := draw(n, 1), draw(n, 2), draw(n, 3)
	b.SetBytes(4 * 5 * n)
	for b.Loop() {
		SGDStep(p, w, g, v, 1e-3, 0.9, 5e-4, 1, false)
	}
}
