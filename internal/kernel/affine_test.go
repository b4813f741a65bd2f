package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// affineCase is a set of operands with the borders of each.
type affineCase struct {
	n, h, w, c             int
	padX, padY, padR, padD int
	params, activation     bool
	res, add               bool
}

var affineCases = []affineCase{
	{n: 1, h: 1, w: 1, c: 1, params: true, activation: true},
	{n: 2, h: 3, w: 5, c: 3, padX: 1, params: true, activation: true, res: true},
	{n: 3, h: 4, w: 3, c: 16, padY: 1, params: true, activation: true, res: true, add: true},
	{n: 2, h: 5, w: 7, c: 16, padD: 1, params: true},
	{n: 2, h: 3, w: 4, c: 17, padX: 1, padY: 1, activation: true},
	{n: 2, h: 3, w: 4, c: 24, padR: 1, res: true},
	{n: 2, h: 7, w: 7, c: 33, add: true},
	{n: 5, h: 7, w: 7, c: 64, padX: 1, padD: 1, params: true, activation: true, add: true},
	{n: 4, h: 30, w: 2, c: 100, padY: 1, params: true, activation: true},
	{n: 70, h: 1, w: 1, c: 48, params: true, activation: true},
}

func (c affineCase) String() string {
	return fmt.Sprintf("%dx%dx%dx%d params=%v activation=%v res=%v add=%v", c.n, c.h, c.w, c.c, c.params, c.activation, c.res, c.add)
}

// image returns a guarded buffer for one image more than the case has, its border zero.
func (c affineCase) image(t *testing.T, r *rand.Rand, pad int) ([]float32, Layout, func()) {
	l := Layout{N: c.n + 1, H: c.h, W: c.w, C: c.c, Pad: pad}
	x, check := guarded(t, r, l.Len())
	clearBorder(x, l)
	return x, l, check
}

func (c affineCase) vector(t *testing.T, r *rand.Rand) ([]float32, func()) { return guarded(t, r, c.c) }

// each calls f for every value of the images in use.
func (c affineCase) each(f func(n, y, x, ch int)) {
	for n := range c.n {
		for y := range c.h {
			for x := range c.w {
				for ch := range c.c {
					f(n, y, x, ch)
				}
			}
		}
	}
}

func orOne(x []float32, c int) float64 {
	if x == nil {
		return 1
	}
	return float64(x[c])
}

func orZero(x []float32, c int) float64 {
	if x == nil {
		return 0
	}
	return float64(x[c])
}

func TestAffine(t *testing.T) {
	forEachVariant(t, func(t *testing.T) {
		for _, c := range affineCases {
			t.Run(c.String(), func(t *testing.T) { testAffine(t, c) })
		}
	})
}

func testAffine(t *testing.T, c affineCase) {
	r := rand.New(rand.NewPCG(uint64(c.c), uint64(c.h)))
	p := NewPool(2)
	defer p.Close()
	var checks []func()
	image := func(pad int) ([]float32, Layout) {
		x, l, check := c.image(t, r, pad)
		checks = append(checks, check)
		return x, l
	}
	vector := func(use bool) []float32 {
		if !use {
			return nil
		}
		v, check := c.vector(t, r)
		checks = append(checks, check)
		return v
	}
	x, lx := image(c.padX)
	y, ly := image(c.padY)
	dy, ldy := image(c.padD)
	dx, ldx := image(c.padY)
	var res []float32
	var lres Layout
	if c.res {
		res, lres = image(c.padR)
	}
	scale, shift, slope := vector(c.params), vector(c.params), vector(c.activation)
	pa, pb, pc := vector(c.params), vector(c.params), vector(c.params)

	z := func(n, h, w, ch int) float64 {
		return float64(x[lx.Offset(n, h, w)+ch])*orOne(scale, ch) + orZero(shift, ch)
	}
	// What is within rounding of 0 may have either sign; no such value is drawn.
	c.each(func(n, h, w, ch int) {
		if v := z(n, h, w, ch); math.Abs(v) < 1e-5 {
			t.Fatalf("z is %v: draw another seed", v)
		}
	})
	prelu := func(z float64, ch int) float64 {
		if z > 0 {
			return 1
		}
		return orOne(slope, ch)
	}
	near := func(what string, got float32, want float64) {
		t.Helper()
		if !close32(got, want, 4, 2) {
			t.Fatalf("%s is %v, want %v", what, got, want)
		}
	}

	a := NewAffine(c.c)
	kept := slices.Clone(y)
	a.Forward(p, c.n, y, ly, Source{X: x, Layout: lx, Scale: scale, Shift: shift, Slope: slope}, res, lres)
	c.each(func(n, h, w, ch int) {
		want := z(n, h, w, ch)
		want *= prelu(want, ch)
		if c.res {
			want += float64(res[lres.Offset(n, h, w)+ch])
		}
		near("y", y[ly.Offset(n, h, w)+ch], want)
	})
	if at := ly.Offset(c.n, 0, 0); !slices.Equal(y[at:], kept[at:]) {
		t.Error("Forward wrote beyond its images")
	}
	checkBorder(t, "y", y, ly)
	if c.res { // in place of the residual
		again := slices.Clone(res)
		a.Forward(p, c.n, again, lres, Source{X: x, Layout: lx, Scale: scale, Shift: shift, Slope: slope}, again, lres)
		c.each(func(n, h, w, ch int) {
			if got, want := again[lres.Offset(n, h, w)+ch], y[ly.Offset(n, h, w)+ch]; got != want {
				t.Fatalf("in place of the residual y is %v, elsewhere %v", got, want)
			}
		})
	}

	// The sums, whose terms are at most 4.
	var sums [3][]float64
	for i := range sums {
		sums[i] = make([]float64, c.c)
	}
	c.each(func(n, h, w, ch int) {
		d, v := float64(dy[ldy.Offset(n, h, w)+ch]), z(n, h, w, ch)
		g := d * prelu(v, ch)
		sums[0][ch] += g
		sums[1][ch] += g * (float64(x[lx.Offset(n, h, w)+ch])*orOne(pa, ch) + orZero(pb, ch))
		sums[2][ch] += d * math.Min(v, 0)
	})
	var first [3][]float32
	for threads := 1; threads <= 3; threads++ {
		pool := NewPool(threads)
		var got [3][]float32
		for i := range got {
			got[i] = make([]float32, c.c)
		}
		backwardSums(a, pool, c.n, got[0], got[1], got[2], dy, ldy, x, lx, scale, shift, slope, pa, pb)
		for i := range got {
			for ch, v := range got[i] {
				if !close32(v, sums[i][ch], c.n*c.h*c.w, 4) {
					t.Fatalf("sum %d of channel %d is %v, want %v", i, ch, v, sums[i][ch])
				}
			}
			if threads > 1 && !slices.Equal(got[i], first[i]) {
				t.Errorf("sum %d on %d threads differs from that on one", i, threads)
			}
		}
		if threads == 1 {
			first = got
		}
		pool.Close()
	}
	backwardSums(a, p, c.n, nil, nil, nil, dy, ldy, x, lx, scale, shift, slope, pa, pb)

	before := slices.Clone(dx)
	a.BackwardApply(p, c.n, dx, ldx, dy, ldy, Source{X: x, Layout: lx, Scale: scale, Shift: shift, Slope: slope}, pa, pb, pc, c.add)
	c.each(func(n, h, w, ch int) {
		want := orOne(pa, ch)*float64(dy[ldy.Offset(n, h, w)+ch])*prelu(z(n, h, w, ch), ch) +
			orZero(pb, ch)*float64(x[lx.Offset(n, h, w)+ch]) + orZero(pc, ch)
		if c.add {
			want += float64(before[ldx.Offset(n, h, w)+ch])
		}
		near("dx", dx[ldx.Offset(n, h, w)+ch], want)
	})
	checkBorder(t, "dx", dx, ldx)
	if !c.add { // in place of dy
		want := slices.Clone(dx)
		a.BackwardApply(p, c.n, dy, ldy, dy, ldy, Source{X: x, Layout: lx, Scale: scale, Shift: shift, Slope: slope}, pa, pb, pc, false)
		c.each(func(n, h, w, ch int) {
			if dy[ldy.Offset(n, h, w)+ch] != want[ldx.Offset(n, h, w)+ch] {
				t.Fatal("in place of dy dx differs")
			}
		})
	}
	for _, check := range checks {
		check()
	}
}

// backwardSums makes the sums of a gradient in a pass of their own.
func backwardSums(a *Affine, p *Pool, n int, dshift, dscale, dslope, dy []float32, ldy Layout, x []float32, lx Layout, scale, shift, slope, pa, pb []float32) {
	sums := NewGradientSums(lx.C)
	sums.Of(Source{X: x, Layout: lx, Scale: scale, Shift: shift, Slope: slope}, pa, pb)
	a.Collect(p, n, sums, Source{X: dy, Layout: ldy})
	sums.Result(dshift, dscale, dslope)
}

// Moments are exact to float32 also where the mean is thousands of deviations.
func TestMoments(t *testing.T) {
	forEachVariant(t, func(t *testing.T) {
		for _, c := range affineCases {
			r := rand.New(rand.NewPCG(9, uint64(c.c)))
			x, lx, check := c.image(t, r, c.padX)
			for _, offset := range []float32{0, 1000} {
				c.each(func(n, h, w, ch int) { x[lx.Offset(n, h, w)+ch] += offset })
				pixels := float64(c.n * c.h * c.w)
				mean, variance := make([]float64, c.c), make([]float64, c.c)
				c.each(func(n, h, w, ch int) { mean[ch] += float64(x[lx.Offset(n, h, w)+ch]) / pixels })
				c.each(func(n, h, w, ch int) {
					variance[ch] += math.Pow(float64(x[lx.Offset(n, h, w)+ch])-mean[ch], 2) / pixels
				})
				var first []float32
				for threads := 1; threads <= 3; threads++ {
					p := NewPool(threads)
					m, v := make([]float32, c.c), make([]float32, c.c)
					moments := NewMoments(c.c)
					NewAffine(c.c).Collect(p, c.n, moments, Source{X: x, Layout: lx})
					moments.Result(m, v)
					for ch := range m {
						if math.Abs(float64(m[ch])-mean[ch]) > 1e-6*(1+math.Abs(mean[ch])) || math.Abs(float64(v[ch])-variance[ch]) > 2e-6*(variance[ch]+0.1) {
							t.Fatalf("%v + %v: channel %d has mean %v and variance %v, want %v and %v", c, offset, ch, m[ch], v[ch], mean[ch], variance[ch])
						}
					}
					got := append(m, v...)
					if threads == 1 {
						first = got
					} else if !slices.Equal(got, first) {
						t.Errorf("%v on %d threads: other moments than on one", c, threads)
					}
					p.Close()
				}
			}
			check()
		}
	})
}

// A NaN in any operand is seen in the results: no comparison hides it.
func TestAffineShowsNaN(t *testing.T) {
	forEachVariant(t, func(t *testing.T) {
		p := NewPool(1)
		defer p.Close()
		for _, channels := range []int{1, 8, 16, 40} {
			l := Layout{N: 1, H: 2, W: 3, C: channels}
			r := rand.New(rand.NewPCG(1, 1))
			for operand := range 5 {
				x, dy := make([]float32, l.Len()), make([]float32, l.Len())
				scale, shift, slope := make([]float32, channels), make([]float32, channels), make([]float32, channels)
				operands := [][]float32{x, dy, scale, shift, slope}
				for _, v := range operands {
					for i := range v {
						v[i] = -1 - r.Float32() // so that z is sometimes below 0
					}
				}
				for i := range x {
					x[i] = -x[i]
				}
				ch := channels - 1
				operands[operand][ch] = float32(math.NaN())
				a := NewAffine(channels)
				y, dx := make([]float32, l.Len()), make([]float32, l.Len())
				var s [3][]float32
				for i := range s {
					s[i] = make([]float32, channels)
				}
				a.Forward(p, 1, y, l, Source{X: x, Layout: l, Scale: scale, Shift: shift, Slope: slope}, nil, Layout{})
				backwardSums(a, p, 1, s[0], s[1], s[2], dy, l, x, l, scale, shift, slope, nil, nil)
				a.BackwardApply(p, 1, dx, l, dy, l, Source{X: x, Layout: l, Scale: scale, Shift: shift, Slope: slope}, nil, nil, nil, false)
				nan := func(v float32) bool { return v != v }
				if operand != 1 && !nan(y[ch]) {
					t.Errorf("%d channels: a NaN in operand %d gives y = %v", channels, operand, y[ch])
				}
				if !nan(s[0][ch]) && !nan(s[1][ch]) && !nan(s[2][ch]) {
					t.Errorf("%d channels: a NaN in operand %d is in no sum", channels, operand)
				}
				if operand == 1 && !nan(dx[ch]) {
					t.Errorf("%d channels: a NaN in dy gives dx = %v", channels, dx[ch])
				}
			}
		}
	})
}

func BenchmarkAffine(b *testing.B) {
	p := NewPool(2)
	defer p.Close()
	l := Layout{N: 64, H: 56, W: 56, C: 64, Pad: 1}
	x, y := make([]float32, l.Len()), make([]float32, l.Len())
	v := make([]float32, l.C)
	for i := range x {
		x[i] = float32(i%7) - 3
	}
	a := NewAffine(l.C)
	run := func(name string, passes int, f func()) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(4 * passes * l.Len()))
			for b.Loop() {
				f()
			}
		})
	}
	run("forward", 2, func() { a.Forward(p, l.N, y, l, Source{X: x, Layout: l, Scale: v, Shift: v, Slope: v}, nil, l) })
	moments := NewMoments(l.C)
	run("moments", 1, func() { a.Collect(p, l.N, moments, Source{X: x, Layout: l}) })
	run("sums", 2, func() { backwardSums(a, p, l.N, nil, nil, nil, y, l, x, l, v, v, v, nil, nil) })
	run("apply", 3, func() {
		a.BackwardApply(p, l.N, y, l, y, l, Source{X: x, Layout: l, Scale: v, Shift: v, Slope: v}, v, v, v, false)
	})
}
