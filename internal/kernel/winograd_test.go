package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var winogradShapes = []ConvShape{
	conv(3, 7, 7, 32, 64, 3, 1, 1, 1, 1), // tiles that end outside the image
	conv(2, 8, 12, 48, 16, 3, 1, 1, 1, 1),
	conv(2, 14, 9, 16, 32, 3, 1, 1, 1, 2),
	conv(2, 6, 6, 16, 80, 3, 1, 0, 1, 0),   // no padding
	conv(1, 3, 5, 32, 16, 3, 1, 2, 1, 0),   // outputs that see one pixel
	conv(2, 2, 1, 16, 16, 3, 1, 1, 1, 1),   // images smaller than a tile
	conv(90, 7, 8, 16, 16, 3, 1, 1, 1, 1),  // groups of tiles that end within an image
	conv(1, 60, 60, 16, 16, 3, 1, 1, 1, 0), // groups that threads share out
}

var mixedWinogradShapes = []ConvShape{
	conv(3, 7, 7, 32, 64, 3, 1, 1, 1, 1),
	conv(2, 6, 9, 96, 32, 3, 1, 0, 1, 0),
	conv(1, 3, 5, 32, 32, 3, 1, 2, 1, 0),
	conv(40, 7, 8, 32, 32, 3, 1, 1, 1, 1),
	conv(1, 84, 82, 32, 32, 3, 1, 1, 1, 0), // groups, and sums of weights, that threads share out
	conv(1, 4, 4, 1056, 32, 3, 1, 1, 1, 0), // more channels than one call of the micro-kernel takes
}

func TestMixedWinograd(t *testing.T) {
	// The definition takes longer than all variants together, and every one of them gets the same numbers.
	type result struct{ y, dx, dw []float64 }
	known := map[string]result{}
	oracle := func(s ConvShape, n int, x, w, bias, dy []float32) (y, dx, dw []float64) {
		key := fmt.Sprint(s, n)
		r, ok := known[key]
		if !ok {
			r.y, r.dx, r.dw = mixedWinogradOracle(s, n, x, w, bias, dy)
			known[key] = r
		}
		return r.y, slices.Clone(r.dx), r.dw
	}
	forEachVariant(t, func(t *testing.T) {
		for _, s := range mixedWinogradShapes {
			t.Run(fmt.Sprintf("%v-%v_p%d", s.In, s.Out, s.PadH), func(t *testing.T) {
				w := NewMixedWinograd(s, new(Scratch))
				for _, n := range []int{s.In.N, 1} {
					testConvAgainst(t, w, s, n, oracle, closeRoundedSum)
				}
			})
		}
	})
}

// closeRoundedSum is closeSum where a few terms, of up to 30, may have been rounded to the other bfloat16 beside them.
func closeRoundedSum(got float32, want float64, terms int) bool {
	return math.Abs(float64(got)-want) <= 0.15 || closeSum(got, want, terms)
}

// mixedWinogradOracle is the definition of a mixed Winograd: in float64 but for what is rounded.
func mixedWinogradOracle(s ConvShape, n int, x, w, bias, dy []float32) (y, dx, dw []float64) {
	forward := func(o, i, tap int) float32 { return w[(o*s.In.C+i)*9+tap] }
	turned := func(i, o, tap int) float32 { return w[(o*s.In.C+i)*9+8-tap] }
	y = mixedWinogradPass(winogradTiling{s.In, s.Out, s.PadH, s.PadW, true}, n, x, forward, bias)
	dx = mixedWinogradPass(winogradTiling{s.Out, s.In, 2 - s.PadH, 2 - s.PadW, true}, n, dy, turned, make([]float32, s.In.C))
	return y, dx, mixedWinogradGradient(winogradTiling{s.In, s.Out, s.PadH, s.PadW, true}, n, x, dy)
}

// linear returns L x Lᵀ.
func linear(k transform, x [][]float64) [][]float64 {
	l := winogradMatrices[k]
	y := make([][]float64, len(l))
	for i := range y {
		y[i] = make([]float64, len(l))
		for j := range y[i] {
			for a := range l[0] {
				for b := range l[0] {
					y[i][j] += float64(l[i][a]) * x[a][b] * float64(l[j][b])
				}
			}
		}
	}
	return y
}

// linearRounded is linear in bfloat16, as a list.
func linearRounded(k transform, x [][]float64) []float64 {
	var list []float64
	for _, row := range linear(k, x) {
		for _, v := range row {
			r, _ := roundPair(float32(v), 0).floats()
			list = append(list, float64(r))
		}
	}
	return list
}

// cutOut returns size x size pixels of a channel, with zeros outside the image.
func cutOut(x []float32, l Layout, n, y0, x0, c, size int) [][]float64 {
	w := make([][]float64, size)
	for i := range w {
		w[i] = make([]float64, size)
		for j := range w[i] {
			if y, xx := y0+i, x0+j; y >= 0 && y < l.H && xx >= 0 && xx < l.W {
				w[i][j] = float64(x[l.Offset(n, y, xx)+c])
			}
		}
	}
	return w
}

func mixedWinogradPass(t winogradTiling, n int, x []float32, weight func(out, in, tap int) float32, bias []float32) []float64 {
	u := make([][]float64, t.dst.C*t.src.C)
	for o := range t.dst.C {
		for i := range t.src.C {
			g := make([][]float64, 3)
			for tap := range 9 {
				g[tap/3] = append(g[tap/3], float64(weight(o, i, tap)))
			}
			u[o*t.src.C+i] = linearRounded(weightsTransform, g)
		}
	}
	y := make([]float64, t.dst.Len())
	t.runs(0, t.tiles(n), func(_ int, r winogradRun) {
		for k := range r.tiles {
			x0 := r.x + k*winogradTile
			v := make([][]float64, t.src.C)
			for i := range v {
				v[i] = linearRounded(inputTransform, cutOut(x, t.src, r.n, r.y-t.padH, x0-t.padW, i, winogradPatch))
			}
			for o := range t.dst.C {
				m := make([][]float64, winogradPatch)
				for point := range winogradPoints {
					var sum float64
					for i := range v {
						sum += v[i][point] * u[o*t.src.C+i][point]
					}
					m[point/winogradPatch] = append(m[point/winogradPatch], sum)
				}
				for a, row := range linear(outputTransform, m) {
					for b, sum := range row {
						if yy, xx := r.y+a, x0+b; yy < t.dst.H && xx < t.dst.W {
							y[t.dst.Offset(r.n, yy, xx)+o] = sum + float64(bias[o])
						}
					}
				}
			}
		}
	})
	return y
}

func mixedWinogradGradient(t winogradTiling, n int, x, dy []float32) []float64 {
	du := make([]float64, t.src.C*t.dst.C*winogradPoints)
	t.runs(0, t.tiles(n), func(_ int, r winogradRun) {
		for k := range r.tiles {
			x0 := r.x + k*winogradTile
			m := make([][]float64, t.dst.C)
			for o := range m {
				m[o] = linearRounded(gradientTransform, cutOut(dy, t.dst, r.n, r.y, x0, o, winogradTile))
			}
			for i := range t.src.C {
				v := linearRounded(inputTransform, cutOut(x, t.src, r.n, r.y-t.padH, x0-t.padW, i, winogradPatch))
				for o := range m {
					sums := du[(o*t.src.C+i)*winogradPoints:][:winogradPoints]
					for point := range sums {
						sums[point] += v[point] * m[o][point]
					}
				}
			}
		}
	})
	dw := make([]float64, 0, t.src.C*t.dst.C*9)
	for ; len(du) > 0; du = du[winogradPoints:] {
		var square [][]float64
		for i := range winogradPatch {
			square = append(square, du[i*winogradPatch:][:winogradPatch])
		}
		for _, row := range linear(weightsGradientTransform, square) {
			dw = append(dw, row...)
		}
	}
	return dw
}

// Transforms to pairs are those to floats, rounded; the last bit of a float may be another before that.
func TestTransformPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	const lanes, col = 48, 64
	forEachVariant(t, func(t *testing.T) {
		for _, k := range []transform{inputTransform, gradientTransform} {
			src, _ := guarded(t, r, winogradPatch*winogradPatch*col)
			want := make([]float32, winogradPoints*col)
			got := make([]Pair, winogradPoints*col)
			c := transformCall{dst: want, dstCol: col, src: src, srcRow: winogradPatch * col, srcCol: col, lanes: lanes}
			c.run(k)
			c.dst, c.pairs, c.dstRow, c.dstCol = nil, got, 0, col/2
			c.run(k)
			for i, p := range got {
				var first, second float32
				if lane := i % (col / 2) * 2; i < winogradPoints*col/2 && lane < lanes {
					at := i/(col/2)*col + lane
					first, second = want[at], want[at+1]
				}
				a, b := p.floats()
				for _, d := range []struct{ got, want float32 }{{a, first}, {b, second}} {
					if math.Abs(float64(d.got-d.want)) > 1.001/256*math.Abs(float64(d.want)) {
						t.Fatalf("transform %d: pair %d has %v, want %v", k, i, d.got, d.want)
					}
				}
			}
		}
	})
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
	y := linear(outputTransform, times(linear(inputTransform, d), linear(weightsTransform, g)))
	dg := linear(weightsGradientTransform, times(linear(inputTransform, d), linear(gradientTransform, dy)))
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

// The error of a pass is within a small factor of the direct convolution's, and of bfloat16's that of a MixedConv.
func TestWinogradError(t *testing.T) {
	for _, c := range []struct {
		direct, winograd func(s ConvShape, scratch *Scratch) dense
		most             float64
	}{
		{func(s ConvShape, scratch *Scratch) dense { return NewConv(s, scratch) }, func(s ConvShape, scratch *Scratch) dense { return NewWinograd(s, scratch) }, 3},
		{func(s ConvShape, scratch *Scratch) dense { return NewMixedConv(s, scratch) }, func(s ConvShape, scratch *Scratch) dense { return NewMixedWinograd(s, scratch) }, 6},
	} {
		testWinogradError(t, c.direct, c.winograd, c.most)
	}
}

func testWinogradError(t *testing.T, newDirect, newWinograd func(s ConvShape, scratch *Scratch) dense, most float64) {
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
	// The direct convolution adds up pieces, which is the more exact the shorter they are: what counts is the error of sums in order, if that is larger.
	plainY, plainDX, plainDW := sumsInOrder[float32](s, s.In.N, x, w, bias, dy)
	plain := [3]float64{rms(plainY, wantY), rms(plainDX, wantDX), rms(plainDW, wantDW)}
	forEachVariant(t, func(t *testing.T) {
		direct, winograd := errors(newDirect(s, new(Scratch))), errors(newWinograd(s, new(Scratch)))
		for i, what := range []string{"y", "dx", "dw"} {
			t.Logf("%s: relative error %.2g, of the direct convolution %.2g, of sums in order %.2g", what, winograd[i], direct[i], plain[i])
			if least := max(direct[i], plain[i]); !(winograd[i] < most*least) {
				t.Errorf("%s: relative error %.2g, more than %v times %.2g, that of a convolution or of sums in order", what, winograd[i], most, least)
			}
		}
	})
}

func TestWinogradSameForAnyThreads(t *testing.T) {
	for _, s := range []ConvShape{conv(90, 7, 8, 32, 64, 3, 1, 1, 1, 1), conv(1, 60, 60, 32, 32, 3, 1, 1, 1, 0), conv(2, 7, 7, 512, 512, 3, 1, 1, 1, 0)} {
		sameForAnyThreads(t, s, func(s ConvShape) dense { return NewWinograd(s, new(Scratch)) })
		sameForAnyThreads(t, s, func(s ConvShape) dense { return NewMixedWinograd(s, new(Scratch)) })
	}
}
