package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

var winogradShapes = []ConvShape{
	conv(3, 7, 7, 32, 64, 3, 1, 1, 1, 1), // tiles that end outside the image
	conv(2, 8, 12, 48, 16, 3, 1, 1, 1, 1),
	conv(2, 14, 9, 16, 32, 3, 1, 1, 1, 2),
	conv(2, 6, 6, 16, 80, 3, 1, 0, 1, 0),  // no padding
	conv(1, 3, 5, 32, 16, 3, 1, 2, 1, 0),  // outputs that see one pixel
	conv(2, 2, 1, 16, 16, 3, 1, 1, 1, 1),  // images smaller than a tile
	conv(90, 7, 8, 16, 16, 3, 1, 1, 1, 1), // groups of tiles that end within an image
}

func TestWinograd(t *testing.T) {
	forEachVariant(t, func(t *testing.T) {
		for _, s := range winogradShapes {
			t.Run(fmt.Sprintf("%v-%v_p%d", s.In, s.Out, s.PadH), func(t *testing.T) {
				w := NewWinograd(s, new(Scratch))
				for _, n := range []int{s.In.N, 1} {
					testConv(t, w, s, n, func(x []float32) []float32 { return x })
				}
			})
		}
	})
}

// With the transforms as they are defined, in float64, the products of all points give the convolution of one tile.
func TestWinogradMatrices(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	square := func(n int) [][]float64 {
		x := make([][]float64, n)
		for i := range x {
			x[i] = make([]float64, n)
			for j := range x[i] {
				x[i][j] = r.NormFloat64()
			}
		}
		return x
	}
	apply := func(k transform, x [][]float64) [][]float64 {
		l := winogradMatrices[k]
		y := make([][]float64, len(l))
		for i := range y {
			y[i] = make([]float64, len(l))
			for j := range y[i] {
				for a := range x {
					for b := range x {
						y[i][j] += float64(l[i][a]) * x[a][b] * float64(l[j][b])
					}
				}
			}
		}
		return y
	}
	times := func(x, y [][]float64) [][]float64 {
		for i := range x {
			for j := range x {
				x[i][j] *= y[i][j]
			}
		}
		return x
	}
	d, g, dy := square(winogradPatch), square(3), square(winogradTile)
	check := func(what string, got, want float64) {
		if math.Abs(got-want) > 2e-6 { // the matrices are float32
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	y := apply(outputTransform, times(apply(inputTransform, d), apply(weightsTransform, g)))
	dg := apply(weightsGradientTransform, times(apply(inputTransform, d), apply(gradientTransform, dy)))
	for i := range 4 {
		for j := range 4 {
			var want float64
			for ky := range 3 {
				for kx := range 3 {
					want += d[i+ky][j+kx] * g[ky][kx]
				}
			}
			check(fmt.Sprint("y", i, j), y[i][j], want)
		}
	}
	for ky := range 3 {
		for kx := range 3 {
			var want float64
			for i := range 4 {
				for j := range 4 {
					want += d[i+ky][j+kx] * dy[i][j]
				}
			}
			check(fmt.Sprint("dg", ky, kx), dg[ky][kx], want)
		}
	}
}

// The error of a pass is within a small factor of the direct convolution's.
func TestWinogradError(t *testing.T) {
	const most = 3
	pool := NewPool(2)
	defer pool.Close()
	s := conv(2, 14, 14, 128, 64, 3, 1, 1, 1, 1)
	r := rand.New(rand.NewPCG(9, 10))
	normal := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return x
	}
	x, w, bias, dy := normal(s.In.Len()), normal(s.Out.C*s.In.C*9), make([]float32, s.Out.C), normal(s.Out.Len())
	clearBorder(x, s.In)
	clearBorder(dy, s.Out)
	wantY, wantDX, wantDW := oracle(s, s.In.N, x, w, bias, dy)
	rms := func(got []float32, want []float64) float64 {
		var sum, size float64
		for i := range want {
			sum += math.Pow(float64(got[i])-want[i], 2)
			size += want[i] * want[i]
		}
		return math.Sqrt(sum / size)
	}
	errors := func(c dense) [3]float64 {
		y, dx, dw := make([]float32, s.Out.Len()), make([]float32, s.In.Len()), make([]float32, len(w))
		c.Load(pool, w)
		c.Forward(pool, s.In.N, y, Source{X: x, Layout: s.In}, nil, nil)
		c.LoadBackward(pool, w)
		c.BackwardData(pool, s.In.N, dx, dy, false, nil)
		c.BackwardWeights(pool, s.In.N, dw, Source{X: x, Layout: s.In}, dy)
		return [3]float64{rms(y, wantY), rms(dx, wantDX), rms(dw, wantDW)}
	}
	forEachVariant(t, func(t *testing.T) {
		direct, winograd := errors(NewConv(s, new(Scratch))), errors(NewWinograd(s, new(Scratch)))
		for i, what := range []string{"y", "dx", "dw"} {
			t.Logf("%s: relative error %.2g, of the direct convolution %.2g", what, winograd[i], direct[i])
			if !(winograd[i] < most*direct[i]) {
				t.Errorf("%s: relative error %.2g, more than %v times the direct convolution's %.2g", what, winograd[i], most, direct[i])
			}
		}
	})
}

func TestWinogradSameForAnyThreads(t *testing.T) {
	sameForAnyThreads(t, conv(90, 7, 8, 32, 16, 3, 1, 1, 1, 1), func(s ConvShape) dense { return NewWinograd(s, new(Scratch)) })
}
