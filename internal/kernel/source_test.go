package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// depthwiseConv makes of a Depthwise what the dense convolutions are.
type depthwiseConv struct {
	*Depthwise
	packed []float32
}

func (d *depthwiseConv) Load(p *Pool, w []float32) {
	d.packed = make([]float32, d.PackedLen())
	d.Pack(p, d.packed, w)
}

func (d *depthwiseConv) LoadBackward(p *Pool, w []float32) { d.Load(p, w) }

func (d *depthwiseConv) Forward(p *Pool, n int, y []float32, x Source, bias []float32, collect Collector) {
	d.Depthwise.Forward(p, n, y, x, d.packed, bias, collect)
}

func (d *depthwiseConv) BackwardData(p *Pool, n int, dx, dy []float32, add bool, collect Collector) {
	d.Depthwise.BackwardData(p, n, dx, dy, d.packed, add, collect)
}

// A convolution that computes its input as it reads it gives, to the bit, what it gives where the input is
// stored, and the moments of its output; and the sums of its gradient.
func TestSource(t *testing.T) {
	type kind struct {
		name string
		new  func(s ConvShape) dense
		list []ConvShape
	}
	big := []ConvShape{
		conv(2, 30, 56, 64, 32, 3, 1, 1, 1, 1), // several strips
		conv(33, 14, 14, 32, 64, 1, 1, 0, 1, 0),
		conv(2, 28, 28, 32, 64, 3, 2, 1, 1, 1),
		conv(1, 9, 9, 96, 160, 3, 2, 1, 1, 1), // weights that do not stay in a cache
	}
	kinds := []kind{
		{"direct", func(s ConvShape) dense { return NewConv(s, new(Scratch)) }, append(big, convShapes...)},
		{"mixed", func(s ConvShape) dense { return NewMixedConv(s, new(Scratch)) }, append(big, mixedShapes...)},
		{"winograd", func(s ConvShape) dense { return NewWinograd(s, new(Scratch)) }, append(big[:1], winogradShapes...)},
		{"mixedwinograd", func(s ConvShape) dense { return NewMixedWinograd(s, new(Scratch)) }, append(big[:1], mixedWinogradShapes...)},
		{"depthwise", func(s ConvShape) dense { return &depthwiseConv{Depthwise: NewDepthwise(s)} }, append(depthwiseShapes(), conv(2, 30, 56, 64, 64, 3, 1, 1, 64, 1))},
	}
	forEachVariant(t, func(t *testing.T) {
		for _, k := range kinds {
			for _, s := range k.list {
				t.Run(fmt.Sprintf("%s/%v-%v_%dx%d_s%d", k.name, s.In, s.Out, s.KH, s.KW, s.StrideH), func(t *testing.T) {
					testSource(t, k.new(s), s)
				})
			}
		}
	})
}

func testSource(t *testing.T, c dense, s ConvShape) {
	pool := NewPool(2)
	defer pool.Close()
	r := rand.New(rand.NewPCG(11, 12))
	fill := func(n int) []float32 { x, _ := guarded(t, r, n); return x }
	channels := s.In.C
	bare := s.In
	bare.Pad = 0
	source := Source{X: fill(bare.Len()), Layout: bare, Scale: fill(channels), Shift: fill(channels), Slope: fill(channels)}
	stored := make([]float32, s.In.Len())
	NewAffine(channels).Forward(pool, s.In.N, stored, s.In, source, nil, Layout{})
	w, dy := fill(s.Out.C*channels/max(1, s.Groups)*s.KH*s.KW), fill(s.Out.Len())
	clearBorder(dy, s.Out)

	// dx's sums, gathered as it is written, are those gathered after it.
	dx, got, want := make([]float32, s.In.Len()), NewGradientSums(channels), NewGradientSums(channels)
	got.Of(source, nil, nil)
	want.Of(source, nil, nil)
	c.LoadBackward(pool, w)
	c.BackwardData(pool, s.In.N, dx, dy, false, got)
	NewAffine(channels).Collect(pool, s.In.N, want, Source{X: dx, Layout: s.In})
	var a, b [3][]float32
	for i := range a {
		a[i], b[i] = make([]float32, channels), make([]float32, channels)
	}
	got.Result(a[0], a[1], a[2])
	want.Result(b[0], b[1], b[2])
	size := float64(s.Out.C * s.KH * s.KW)
	for i := range a {
		for j := range a[i] {
			if !close32(a[i][j], float64(b[i][j]), s.In.Pixels(), size) {
				t.Fatalf("sum %d of channel %d is %v, want %v", i, j, a[i][j], b[i][j])
			}
		}
	}

	run := func(x Source, m Collector) (y, dw []float32) {
		y, dw = make([]float32, s.Out.Len()), make([]float32, len(w))
		c.Load(pool, w)
		c.Forward(pool, s.In.N, y, x, nil, m)
		c.BackwardWeights(pool, s.In.N, dw, x, dy)
		return y, dw
	}
	moments := NewMoments(s.Out.C)
	wantY, wantDW := run(Source{X: stored, Layout: s.In}, nil)
	y, dw := run(source, moments)
	if !slices.Equal(y, wantY) {
		t.Error("y differs from that of a stored input")
	}
	if !slices.Equal(dw, wantDW) {
		t.Error("dw differs from that of a stored input")
	}

	mean, variance := make([]float32, s.Out.C), make([]float32, s.Out.C)
	moments.Result(mean, variance)
	for o := range s.Out.C {
		var sum, square float64
		n := 0
		for i := range s.In.N {
			for py := range s.Out.H {
				for px := range s.Out.W {
					v := float64(y[s.Out.Offset(i, py, px)+o])
					sum += v
					square += v * v
					n++
				}
			}
		}
		mu := sum / float64(n)
		size := square / float64(n)
		if v := size - mu*mu; !close32(mean[o], mu, n, size) || !close32(variance[o], v, n, size) {
			t.Fatalf("channel %d: mean %v and variance %v, want %v and %v", o, mean[o], variance[o], mu, v)
		}
	}
}

// After the first step no convolution allocates.
func TestConvolutionsDoNotAllocate(t *testing.T) {
	pool := NewPool(1) // other goroutines' allocations would count too
	defer pool.Close()
	s := conv(3, 14, 14, 32, 32, 3, 1, 1, 1, 1)
	for name, c := range map[string]dense{
		"direct": NewConv(s, new(Scratch)), "mixed": NewMixedConv(s, new(Scratch)), "winograd": NewWinograd(s, new(Scratch)), "mixed winograd": NewMixedWinograd(s, new(Scratch)),
	} {
		x, w, dy := make([]float32, s.In.Len()), make([]float32, 9*s.In.C*s.Out.C), make([]float32, s.Out.Len())
		y, dx, dw := make([]float32, s.Out.Len()), make([]float32, s.In.Len()), make([]float32, len(w))
		source := Source{X: x, Layout: s.In, Slope: make([]float32, s.In.C)}
		moments := NewMoments(s.Out.C)
		step := func() {
			c.Load(pool, w)
			c.Forward(pool, s.In.N, y, source, nil, moments)
			c.LoadBackward(pool, w)
			c.BackwardData(pool, s.In.N, dx, dy, false, nil)
			c.BackwardWeights(pool, s.In.N, dw, source, dy)
		}
		if n := testing.AllocsPerRun(5, step); n > 0 {
			t.Errorf("%s: %v allocations a step, want none after the first", name, n)
		}
	}
}
