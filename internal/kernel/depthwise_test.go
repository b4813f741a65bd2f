package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// depthwise returns the shape of a square-kernel depthwise convolution.
func depthwise(n, h, w, channels, k, stride, pad, borderIn, borderOut int) ConvShape {
	s := conv(n, h, w, channels, channels, k, stride, pad, channels, borderIn)
	s.Out.Pad = borderOut
	return s
}

// depthwiseShapes returns all small shapes that make sense for a kernel, and
// some with sides that differ.
func depthwiseShapes() []ConvShape {
	shapes := []ConvShape{
		depthwise(3, 7, 7, 48, 7, 1, 0, 1, 0), // the global convolution of MobileFaceNet
		depthwise(2, 9, 21, 32, 3, 1, 1, 1, 1),
		depthwise(2, 12, 5, 64, 3, 2, 1, 1, 1),
		// Rows long enough for each of the kernels to work on several pixels at once.
		depthwise(2, 5, 33, 40, 3, 2, 1, 1, 1),
		depthwise(2, 5, 33, 40, 3, 2, 1, 0, 0),
		depthwise(2, 3, 20, 48, 1, 1, 0, 0, 0),
		depthwise(2, 6, 41, 16, 1, 2, 0, 0, 1),
		depthwise(2, 6, 22, 32, 5, 1, 2, 2, 0),
		depthwise(2, 6, 30, 32, 2, 1, 0, 0, 1),
		{In: Layout{2, 6, 9, 16, 1}, Out: Layout{2, 3, 8, 16, 2}, KH: 1, KW: 4, StrideH: 2, StrideW: 1, PadW: 1, Groups: 16},
		{In: Layout{2, 6, 9, 5, 0}, Out: Layout{2, 4, 3, 5, 0}, KH: 3, KW: 2, StrideH: 1, StrideW: 3, PadW: 0, Groups: 5},
	}
	i := 0
	for _, k := range []int{1, 3, 5, 7} {
		for stride := 1; stride <= 3; stride++ {
			for pad := range 4 {
				for _, c := range []int{1, 3, 16, 17, 64} {
					border := i % 4 // of the input; the output's differs
					shapes = append(shapes, depthwise(2, 8, 7+i%5, c, k, stride, pad, border, (i/4)%3))
					i++
				}
			}
		}
	}
	return shapes
}

func TestDepthwise(t *testing.T) {
	forEachVariant(t, func(t *testing.T) {
		for _, s := range depthwiseShapes() {
			name := fmt.Sprintf("%v-%v_%dx%d_s%d,%d_p%d,%d", s.In, s.Out, s.KH, s.KW, s.StrideH, s.StrideW, s.PadH, s.PadW)
			t.Run(name, func(t *testing.T) {
				for _, n := range []int{s.In.N, 1} {
					testDepthwise(t, s, n)
				}
			})
		}
	})
}

func testDepthwise(t *testing.T, s ConvShape, n int) {
	pool := NewPool(2)
	defer pool.Close()
	r := rand.New(rand.NewPCG(3, 4))
	taps := s.KH * s.KW
	x, checkX := guarded(t, r, s.In.Len())
	w, checkW := guarded(t, r, s.In.C*taps)
	bias, checkBias := guarded(t, r, s.In.C)
	dy, checkDY := guarded(t, r, s.Out.Len())
	clearBorder(x, s.In)
	clearBorder(dy, s.Out)
	wantY, wantDX, wantDW := oracle(s, n, x, w, bias, dy)

	d := NewDepthwise(s)
	packed, checkPacked := guarded(t, r, d.PackedLen())
	d.Pack(pool, packed, w)
	y, checkY := guarded(t, r, s.Out.Len())
	clearBorder(y, s.Out)
	before := slices.Clone(y)
	d.Forward(pool, n, y, Source{X: x, Layout: s.In}, packed, bias, nil)
	compare(t, "y", y, wantY, before, s.Out, n, taps, closeSum)
	oracleNoBias, _, _ := oracle(s, n, x, w, make([]float32, s.In.C), dy)
	d.Forward(pool, n, y, Source{X: x, Layout: s.In}, packed, nil, nil)
	compare(t, "y without bias", y, oracleNoBias, before, s.Out, n, taps, closeSum)

	dx, checkDX := guarded(t, r, s.In.Len())
	clearBorder(dx, s.In)
	before = slices.Clone(dx)
	d.BackwardData(pool, n, dx, dy, packed, false, nil)
	compare(t, "dx", dx, wantDX, before, s.In, n, taps, closeSum)
	for i := range wantDX {
		wantDX[i] += float64(dx[i])
	}
	d.BackwardData(pool, n, dx, dy, packed, true, nil)
	compare(t, "dx added", dx, wantDX, before, s.In, n, taps, closeSum)

	dw, checkDW := guarded(t, r, len(w))
	d.BackwardWeights(pool, n, dw, Source{X: x, Layout: s.In}, dy)
	for i := range dw {
		if !close32(dw[i], wantDW[i], n*s.Out.H*s.Out.W, 1) {
			t.Fatalf("dw[%d] = %v, want %v", i, dw[i], wantDW[i])
		}
	}
	for _, check := range []func(){checkX, checkW, checkBias, checkDY, checkPacked, checkY, checkDX, checkDW} {
		check()
	}
}

// TestDepthwiseSameForAnyThreads covers the row, edge and reduction paths: the
// bits must not depend on who computes which chunk.
func TestDepthwiseSameForAnyThreads(t *testing.T) {
	for _, s := range []ConvShape{
		depthwise(5, 14, 14, 40, 3, 1, 1, 1, 1),
		depthwise(5, 14, 13, 40, 3, 2, 1, 0, 0),
		depthwise(5, 7, 7, 24, 7, 1, 0, 0, 0),
	} {
		var first [][]float32
		for _, threads := range []int{1, 2, 3} {
			pool := NewPool(threads)
			r := rand.New(rand.NewPCG(5, 6))
			fill := func(n int) []float32 { x, _ := guarded(t, r, n); return x }
			x, w, dy := fill(s.In.Len()), fill(s.In.C*s.KH*s.KW), fill(s.Out.Len())
			clearBorder(x, s.In)
			clearBorder(dy, s.Out)
			d := NewDepthwise(s)
			packed, y, dx, dw := make([]float32, d.PackedLen()), make([]float32, s.Out.Len()), make([]float32, s.In.Len()), make([]float32, len(w))
			d.Pack(pool, packed, w)
			d.Forward(pool, 5, y, Source{X: x, Layout: s.In}, packed, nil, nil)
			d.BackwardData(pool, 5, dx, dy, packed, false, nil)
			d.BackwardWeights(pool, 5, dw, Source{X: x, Layout: s.In}, dy)
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
}

func TestDepthwiseDoesNotAllocate(t *testing.T) {
	s := depthwise(2, 9, 8, 20, 3, 2, 1, 0, 1)
	pool := NewPool(2)
	defer pool.Close()
	d := NewDepthwise(s)
	x, y, w := make([]float32, s.In.Len()), make([]float32, s.Out.Len()), make([]float32, d.PackedLen())
	packed := make([]float32, d.PackedLen())
	step := func() {
		d.Pack(pool, packed, w)
		d.Forward(pool, 2, y, Source{X: x, Layout: s.In}, packed, nil, nil)
		d.BackwardData(pool, 2, x, y, packed, true, nil)
		d.BackwardWeights(pool, 2, w, Source{X: x, Layout: s.In}, y)
	}
	if allocs := testing.AllocsPerRun(5, step); allocs != 0 {
		t.Errorf("%v allocations a step, want none after the first", allocs)
	}
}

func TestNewDepthwisePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic for a convolution of two channels a group")
		}
	}()
	NewDepthwise(conv(1, 8, 8, 16, 16, 3, 1, 1, 8, 1))
}

// BenchmarkDepthwise runs MobileFaceNet's depthwise layers. GB/s counts each
// value of x and y once: compare with the copy, which reads and writes as much
// as a forward pass of the largest layer.
func BenchmarkDepthwise(b *testing.B) {
	pool := NewPool(2)
	defer pool.Close()
	const n = 64
	for i, s := range []ConvShape{
		depthwise(n, 56, 56, 64, 3, 1, 1, 1, 1),
		depthwise(n, 56, 56, 128, 3, 2, 1, 1, 1),
		depthwise(n, 28, 28, 128, 3, 1, 1, 1, 1),
		depthwise(n, 28, 28, 256, 3, 2, 1, 1, 1),
		depthwise(n, 14, 14, 256, 3, 1, 1, 1, 1),
		depthwise(n, 14, 14, 512, 3, 2, 1, 1, 1),
		depthwise(n, 7, 7, 256, 3, 1, 1, 1, 1),
		depthwise(n, 7, 7, 512, 7, 1, 0, 1, 0),
	} {
		d := NewDepthwise(s)
		r := rand.New(rand.NewPCG(7, 8))
		fill := func(n int) []float32 {
			x := make([]float32, n)
			for i := range x {
				x[i] = r.Float32()
			}
			return x
		}
		x, y, w, packed := fill(s.In.Len()), fill(s.Out.Len()), fill(d.PackedLen()), fill(d.PackedLen())
		run := func(op string, f func()) {
			b.Run(fmt.Sprintf("%v-%v_%dx%d/%s", s.In, s.Out, s.KH, s.KW, op), func(b *testing.B) {
				for b.Loop() {
					f()
				}
				bytes := 4 * float64(s.In.Pixels()+s.Out.Pixels()) * float64(s.In.C)
				b.ReportMetric(bytes*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
			})
		}
		if i == 0 {
			run("copy", func() {
				pool.Run(n, func(i int) { copy(y[s.Out.Offset(i, 0, 0):], x[s.In.Offset(i, 0, 0):][:s.In.H*s.In.RowStride()]) })
			})
		}
		run("forward", func() { d.Forward(pool, n, y, Source{X: x, Layout: s.In}, packed, nil, nil) })
		run("data", func() { d.BackwardData(pool, n, x, y, packed, false, nil) })
		run("weights", func() { d.BackwardWeights(pool, n, w, Source{X: x, Layout: s.In}, y) })
	}
}
