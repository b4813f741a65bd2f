package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// conv returns the shape of a square-kernel convolution.
func conv(n, h, w, in, out, k, stride, pad, groups, border int) ConvShape {
	return ConvShape{
		In:  Layout{N: n, H: h, W: w, C: in, Pad: border},
		Out: Layout{N: n, H: (h+2*pad-k)/stride + 1, W: (w+2*pad-k)/stride + 1, C: out, Pad: border},
		KH:  k, KW: k, StrideH: stride, StrideW: stride, PadH: pad, PadW: pad, Groups: groups,
	}
}

var convShapes = []ConvShape{
	conv(2, 7, 7, 32, 32, 3, 1, 1, 1, 1),
	conv(3, 5, 9, 3, 40, 3, 2, 1, 1, 0), // the first layer: few channels, no border
	conv(2, 8, 6, 5, 7, 3, 1, 1, 1, 0),  // nothing is a multiple of anything
	conv(2, 15, 29, 17, 33, 3, 2, 1, 1, 1),
	conv(2, 8, 8, 16, 48, 3, 2, 1, 1, 1), // even sides: the last row of dx sees the border of dy
	conv(9, 6, 5, 20, 64, 1, 1, 0, 1, 0),
	conv(2, 6, 6, 16, 24, 1, 2, 0, 1, 1), // three of four pixels of dx see nothing
	conv(1, 9, 9, 4, 8, 5, 1, 2, 1, 1),
	conv(2, 7, 7, 6, 10, 7, 1, 0, 1, 0),
	conv(2, 6, 7, 12, 8, 3, 1, 1, 4, 1),
	conv(2, 7, 7, 12, 24, 3, 2, 1, 3, 0),
	conv(1, 3, 40, 8, 16, 3, 1, 1, 1, 1),
}

// oracle computes the convolution and its gradients in float64, straight from
// the definition.
func oracle(s ConvShape, n int, x, w, bias, dy []float32) (y, dx, dw []float64) {
	return sumsInOrder[float64](s, n, x, w, bias, dy)
}

// sumsInOrder is the definition of a convolution and its gradients, one product after the other in F.
func sumsInOrder[F float32 | float64](s ConvShape, n int, x, w, bias, dy []float32) (y, dx, dw []F) {
	y, dx, dw = make([]F, s.Out.Len()), make([]F, s.In.Len()), make([]F, len(w))
	cg, og := s.In.C/s.Groups, s.Out.C/s.Groups
	for n := range n {
		for oy := range s.Out.H {
			for ox := range s.Out.W {
				for o := range s.Out.C {
					at := s.Out.Offset(n, oy, ox) + o
					y[at] = F(bias[o])
					for ky := range s.KH {
						for kx := range s.KW {
							iy, ix := oy*s.StrideH+ky-s.PadH, ox*s.StrideW+kx-s.PadW
							if iy < 0 || ix < 0 || iy >= s.In.H || ix >= s.In.W {
								continue
							}
							for i := range cg {
								xi := s.In.Offset(n, iy, ix) + o/og*cg + i
								wi := ((o*cg+i)*s.KH+ky)*s.KW + kx
								y[at] += F(x[xi]) * F(w[wi])
								dx[xi] += F(dy[at]) * F(w[wi])
								dw[wi] += F(dy[at]) * F(x[xi])
							}
						}
					}
				}
			}
		}
	}
	return y, dx, dw
}

func TestConv(t *testing.T) {
	forEachVariant(t, func(t *testing.T) {
		for _, s := range convShapes {
			t.Run(fmt.Sprintf("%v-%v_%dx%d_s%d_g%d", s.In, s.Out, s.KH, s.KW, s.StrideH, s.Groups), func(t *testing.T) {
				for _, n := range []int{s.In.N, 1} {
					testConv(t, NewConv(s, new(Scratch)), s, n, func(x []float32) []float32 { return x })
				}
			})
		}
	})
}

// dense is what Conv and MixedConv have in common.
type dense interface {
	Load(p *Pool, w []float32)
	Forward(p *Pool, n int, y []float32, x Source, bias []float32, collect Collector)
	LoadBackward(p *Pool, w []float32)
	BackwardData(p *Pool, n int, dx, dy []float32, add bool, collect Collector)
	BackwardWeights(p *Pool, n int, dw []float32, x Source, dy []float32)
}

// testConv compares c with the oracle, which multiplies numbers as rounded by round.
func testConv(t *testing.T, c dense, s ConvShape, n int, round func([]float32) []float32) {
	t.Helper()
	testConvAgainst(t, c, s, n, func(s ConvShape, n int, x, w, bias, dy []float32) (y, dx, dw []float64) {
		return oracle(s, n, round(x), round(w), bias, round(dy))
	}, closeSum)
}

// closeSum is close32 of a sum of products of numbers of about 1.
func closeSum(got float32, want float64, terms int) bool { return close32(got, want, terms, 1) }

// testConvAgainst is testConv against a given definition, where within says whether a sum of so many terms is what is wanted.
func testConvAgainst(t *testing.T, c dense, s ConvShape, n int, oracle func(s ConvShape, n int, x, w, bias, dy []float32) (y, dx, dw []float64), within func(got float32, want float64, terms int) bool) {
	t.Helper()
	pool := NewPool(2)
	defer pool.Close()
	r := rand.New(rand.NewPCG(3, 4))
	x, checkX := guarded(t, r, s.In.Len())
	w, checkW := guarded(t, r, s.Out.C*s.In.C/s.Groups*s.KH*s.KW)
	bias, _ := guarded(t, r, s.Out.C)
	dy, checkDY := guarded(t, r, s.Out.Len())
	clearBorder(x, s.In)
	clearBorder(dy, s.Out)
	wantY, wantDX, wantDW := oracle(s, n, x, w, bias, dy)

	y, checkY := guarded(t, r, s.Out.Len())
	clearBorder(y, s.Out)
	before := slices.Clone(y)
	c.Load(pool, w)
	c.Forward(pool, n, y, Source{X: x, Layout: s.In}, bias, nil)
	compare(t, "y", y, wantY, before, s.Out, n, s.KH*s.KW*s.In.C, within)

	dx, checkDX := guarded(t, r, s.In.Len())
	clearBorder(dx, s.In)
	before = slices.Clone(dx)
	c.LoadBackward(pool, w)
	c.BackwardData(pool, n, dx, dy, false, nil)
	compare(t, "dx", dx, wantDX, before, s.In, n, s.KH*s.KW*s.Out.C, within)
	before = slices.Clone(dx)
	for i := range wantDX {
		wantDX[i] *= 2
	}
	c.BackwardData(pool, n, dx, dy, true, nil)
	compare(t, "dx added", dx, wantDX, before, s.In, n, s.KH*s.KW*s.Out.C, within)

	dw, checkDW := guarded(t, r, len(w))
	c.BackwardWeights(pool, n, dw, Source{X: x, Layout: s.In}, dy)
	terms := n * s.Out.H * s.Out.W
	for i := range dw {
		if !within(dw[i], wantDW[i], terms) {
			t.Fatalf("dw[%d] = %v, want %v", i, dw[i], wantDW[i])
		}
	}
	for _, check := range []func(){checkX, checkW, checkDY, checkY, checkDX, checkDW} {
		check()
	}
}

// compare checks the first n images of got, and that nothing else changed.
func compare(t *testing.T, name string, got []float32, want []float64, before []float32, l Layout, n, terms int, within func(got float32, want float64, terms int) bool) {
	t.Helper()
	checkBorder(t, name, got, l)
	for img := range l.N {
		for y := range l.H {
			o := l.Offset(img, y, 0)
			for i := o; i < o+l.W*l.C; i++ {
				if img >= n {
					if got[i] != before[i] {
						t.Fatalf("%s: image %d of a batch of %d written", name, img, n)
					}
				} else if !within(got[i], want[i], terms) || math.IsNaN(float64(got[i])) {
					t.Fatalf("%s: image %d row %d entry %d = %v, want %v", name, img, y, i-o, got[i], want[i])
				}
			}
		}
	}
}

func TestConvSameForAnyThreads(t *testing.T) {
	sameForAnyThreads(t, conv(5, 14, 14, 24, 40, 3, 1, 1, 1, 1), func(s ConvShape) dense { return NewConv(s, new(Scratch)) })
}

// sameForAnyThreads compares all passes of a convolution on pools of one, two and three threads.
func sameForAnyThreads(t *testing.T, s ConvShape, convolution func(ConvShape) dense) {
	var first [][]float32
	for threads := 1; threads <= 3; threads++ {
		pool := NewPool(threads)
		r := rand.New(rand.NewPCG(5, 6))
		fill := func(n int) []float32 { x, _ := guarded(t, r, n); return x }
		x, w, dy := fill(s.In.Len()), fill(s.Out.C*s.In.C*s.KH*s.KW), fill(s.Out.Len())
		clearBorder(x, s.In)
		clearBorder(dy, s.Out)
		c := convolution(s)
		y, dx, dw := make([]float32, s.Out.Len()), make([]float32, s.In.Len()), make([]float32, len(w))
		c.Load(pool, w)
		c.Forward(pool, s.In.N, y, Source{X: x, Layout: s.In}, nil, nil)
		c.LoadBackward(pool, w)
		c.BackwardData(pool, s.In.N, dx, dy, false, nil)
		c.BackwardWeights(pool, s.In.N, dw, Source{X: x, Layout: s.In}, dy)
		pool.Close()
		got := [][]float32{y, dx, dw}
		if first == nil {
			first = got
		}
		for i := range got {
			if !slices.Equal(got[i], first[i]) {
				t.Errorf("%v, %d threads: result %d differs from that of 1 thread", s.In, threads, i)
			}
		}
	}
}

func BenchmarkConv(b *testing.B) {
	pool := NewPool(2)
	defer pool.Close()
	const n = 64
	for _, s := range []ConvShape{
		conv(n, 112, 112, 3, 64, 3, 2, 1, 1, 1),
		conv(n, 56, 56, 64, 64, 3, 1, 1, 1, 1),
		conv(n, 28, 28, 128, 128, 3, 1, 1, 1, 1),
		conv(n, 14, 14, 256, 256, 3, 1, 1, 1, 1),
		conv(n, 7, 7, 512, 512, 3, 1, 1, 1, 1),
		conv(n, 56, 56, 64, 128, 3, 2, 1, 1, 1),
		conv(n, 56, 56, 64, 128, 1, 1, 0, 1, 0),
		conv(n, 28, 28, 128, 64, 1, 1, 0, 1, 0),
		conv(n, 28, 28, 64, 128, 1, 1, 0, 1, 0),
		conv(n, 14, 14, 256, 128, 1, 1, 0, 1, 0),
		conv(n, 14, 14, 128, 256, 1, 1, 0, 1, 0),
		conv(n, 7, 7, 128, 512, 1, 1, 0, 1, 0),
	} {
		kinds := []struct {
			name string
			c    dense
		}{{"direct", NewConv(s, new(Scratch))}}
		if Mixes(s) {
			kinds = append(kinds, struct {
				name string
				c    dense
			}{"mixed", NewMixedConv(s, new(Scratch))})
		}
		if Winogrades(s) {
			kinds = append(kinds, struct {
				name string
				c    dense
			}{"winograd", NewWinograd(s, new(Scratch))})
		}
		if Winogrades(s) && Mixes(s) {
			kinds = append(kinds, struct {
				name string
				c    dense
			}{"mixedwinograd", NewMixedWinograd(s, new(Scratch))})
		}
		r := rand.New(rand.NewPCG(7, 8))
		fill := func(n int) []float32 {
			x := make([]float32, n)
			for i := range x {
				x[i] = r.Float32()
			}
			return x
		}
		x, w, y := fill(s.In.Len()), fill(s.Out.C*s.In.C*s.KH*s.KW), fill(s.Out.Len())
		flop := 2 * float64(s.Out.Pixels()) * float64(s.Out.C*s.In.C*s.KH*s.KW)
		for _, kind := range kinds {
			run := func(op string, f func()) {
				b.Run(fmt.Sprintf("%v-%v_%dx%d/%s/%s", s.In, s.Out, s.KH, s.KW, kind.name, op), func(b *testing.B) {
					for b.Loop() {
						f()
					}
					b.ReportMetric(flop*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
			c := kind.c
			run("forward", func() { c.Load(pool, w); c.Forward(pool, n, y, Source{X: x, Layout: s.In}, nil, nil) })
			run("data", func() { c.LoadBackward(pool, w); c.BackwardData(pool, n, x, y, false, nil) })
			run("weights", func() { c.BackwardWeights(pool, n, w, Source{X: x, Layout: s.In}, y) })
		}
	}
}
