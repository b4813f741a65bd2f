package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// halver is what all convolutions are that can write bfloat16.
type halver interface {
	dense
	ForwardHalf(p *Pool, n int, y []Pair, x Source, collect Collector)
}

func (d *depthwiseConv) ForwardHalf(p *Pool, n int, y []Pair, x Source, collect Collector) {
	d.Depthwise.ForwardHalf(p, n, y, x, d.packed, collect)
}

// halved returns x in bfloat16, and as that is read.
func halved(x []float32) ([]Pair, []float32) {
	x = slices.Clone(x)
	pairs := make([]Pair, len(x)/2)
	for i := range pairs {
		pairs[i] = roundPair(x[2*i], x[2*i+1])
		x[2*i], x[2*i+1] = pairs[i].floats()
	}
	return pairs, x
}

// What is written as bfloat16 is what is written as float32, rounded, and its moments are those of what is read
// again; what is read as bfloat16 is read as the same numbers in float32 are.
func TestHalf(t *testing.T) {
	bare := func(s ConvShape) ConvShape { s.In.Pad, s.Out.Pad = 0, 0; return s }
	s3 := bare(conv(2, 13, 12, 32, 64, 3, 1, 1, 1, 0))
	cases := []struct {
		name string
		s    ConvShape
		new  func(s ConvShape) halver
	}{
		{"direct", bare(conv(2, 13, 12, 6, 32, 3, 1, 1, 1, 0)), func(s ConvShape) halver { return NewConv(s, new(Scratch)) }},
		{"direct", bare(conv(2, 13, 12, 32, 64, 1, 1, 0, 1, 0)), func(s ConvShape) halver { return NewConv(s, new(Scratch)) }},
		{"mixed", s3, func(s ConvShape) halver { return NewMixedConv(s, new(Scratch)) }},
		{"mixed", bare(conv(3, 13, 12, 64, 32, 3, 2, 1, 1, 0)), func(s ConvShape) halver { return NewMixedConv(s, new(Scratch)) }},
		{"mixed", bare(conv(30, 6, 5, 32, 64, 1, 1, 0, 1, 0)), func(s ConvShape) halver { return NewMixedConv(s, new(Scratch)) }},
		{"winograd", s3, func(s ConvShape) halver { return NewWinograd(s, new(Scratch)) }},
		{"mixed winograd", s3, func(s ConvShape) halver { return NewMixedWinograd(s, new(Scratch)) }},
		{"depthwise", bare(conv(2, 13, 12, 32, 32, 3, 2, 1, 32, 0)), func(s ConvShape) halver { return &depthwiseConv{Depthwise: NewDepthwise(s)} }},
	}
	forEachVariant(t, func(t *testing.T) {
		for _, c := range cases {
			t.Run(fmt.Sprintf("%s/%v-%v", c.name, c.s.In, c.s.Out), func(t *testing.T) { testHalf(t, c.new(c.s), c.s) })
		}
	})
}

func testHalf(t *testing.T, c halver, s ConvShape) {
	pool := NewPool(2)
	defer pool.Close()
	r := rand.New(rand.NewPCG(21, 22))
	fill := func(n int) []float32 { x, _ := guarded(t, r, n); return x }
	half, floats := halved(fill(s.In.Len()))
	w, dy := fill(s.Out.C*s.In.C/s.Groups*s.KH*s.KW), fill(s.Out.Len())
	scale, shift, slope := fill(s.In.C), fill(s.In.C), fill(s.In.C)
	sources := []struct {
		what        string
		half, float Source
	}{
		{"plain", Source{Half: half, Layout: s.In}, Source{X: floats, Layout: s.In}},
		{"computed", Source{Half: half, Layout: s.In, Scale: scale, Shift: shift, Slope: slope}, Source{X: floats, Layout: s.In, Scale: scale, Shift: shift, Slope: slope}},
	}
	for _, x := range sources {
		c.Load(pool, w)
		y, yHalf := fill(s.Out.Len()), make([]Pair, s.Out.Len()/2)
		c.Forward(pool, s.In.N, y, x.float, nil, nil)
		moments, momentsHalf := NewMoments(s.Out.C), NewMoments(s.Out.C)
		c.ForwardHalf(pool, s.In.N, yHalf, x.half, momentsHalf)
		want, read := halved(y)
		if !slices.Equal(yHalf, want) {
			t.Errorf("%s: y is not what float32 is when it is rounded", x.what)
		}
		NewAffine(s.Out.C).Collect(pool, s.In.N, moments, Source{X: read, Layout: s.Out})
		var m [4][]float32
		for i := range m {
			m[i] = make([]float32, s.Out.C)
		}
		moments.Result(m[0], m[1])
		momentsHalf.Result(m[2], m[3])
		for o := range s.Out.C {
			if n := s.Out.Pixels(); !close32(m[2][o], float64(m[0][o]), n, 1) || !close32(m[3][o], float64(m[1][o]), n, float64(m[1][o])) {
				t.Fatalf("%s: channel %d has mean %v and variance %v, want %v and %v", x.what, o, m[2][o], m[3][o], m[0][o], m[1][o])
			}
		}
		dw, dwHalf := make([]float32, len(w)), make([]float32, len(w))
		c.BackwardWeights(pool, s.In.N, dw, x.float, dy)
		c.BackwardWeights(pool, s.In.N, dwHalf, x.half, dy)
		if !slices.Equal(dw, dwHalf) {
			t.Errorf("%s: dw depends on how x is stored", x.what)
		}
	}
}

// Passes over what is stored as bfloat16 give what those over the same numbers in float32 do.
func TestAffineHalf(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	l := Layout{N: 3, H: 5, W: 7, C: 48}
	forEachVariant(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(23, 24))
		fill := func(n int) []float32 { x, _ := guarded(t, r, n); return x }
		half, floats := halved(fill(l.Len()))
		scale, shift, slope, dy := fill(l.C), fill(l.C), fill(l.C), fill(l.Len())
		type result struct {
			y, dx []float32
			sums  [3][]float32
		}
		run := func(x Source) (q result) {
			x.Layout, x.Scale, x.Shift, x.Slope = l, scale, shift, slope
			q.y, q.dx = make([]float32, l.Len()), make([]float32, l.Len())
			a := NewAffine(l.C)
			a.Forward(pool, l.N, q.y, l, x, nil, Layout{})
			a.BackwardApply(pool, l.N, q.dx, l, dy, l, x, scale, shift, slope, false)
			sums := NewGradientSums(l.C)
			sums.Of(x, nil, nil)
			a.Collect(pool, l.N, sums, Source{X: dy, Layout: l})
			for i := range q.sums {
				q.sums[i] = make([]float32, l.C)
			}
			sums.Result(q.sums[0], q.sums[1], q.sums[2])
			return q
		}
		got, want := run(Source{Half: half}), run(Source{X: floats})
		for _, c := range []struct {
			what      string
			got, want []float32
		}{{"y", got.y, want.y}, {"dx", got.dx, want.dx}, {"dshift", got.sums[0], want.sums[0]}, {"dscale", got.sums[1], want.sums[1]}, {"dslope", got.sums[2], want.sums[2]}} {
			if !slices.Equal(c.got, c.want) {
				t.Errorf("%s depends on how x is stored", c.what)
			}
		}
		y := make([]Pair, l.Len()/2)
		NewAffine(l.C).ForwardHalf(pool, l.N, y, l, Source{Half: half, Layout: l, Scale: scale, Shift: shift, Slope: slope})
		if rounded, _ := halved(want.y); !slices.Equal(y, rounded) {
			t.Error("y as bfloat16 is not y, rounded")
		}
	})
}
