package nn

import (
	"fmt"
	"math"
)

func init() {
	register(Combine, func(d *node, r *resolved) error {
		if err := d.inputs(2); err != nil {
			return err
		}
		if _, ok := combinations[d.Function]; !ok {
			return d.oneOf("add", "sub", "mul", "div", "pow", "max", "min")
		}
		a, b := d.from, r.nodes[d.in[1]].shape
		for axis := range 3 {
			m, n := a.side(axis), b.side(axis)
			if m != n && m != 1 && n != 1 {
				return fmt.Errorf("combines %v with %v", a, b)
			}
			d.shape.set(axis, max(m, n))
		}
		return nil
	}, func(d *node) operation { return &combine{f: combinations[d.Function]} })
}

// combination is f(a, b) and its derivatives.
type combination struct {
	f      func(a, b float32) float32
	da, db func(a, b float32) float32
}

func one(_, _ float32) float32      { return 1 }
func first(a, _ float32) float32    { return a }
func second(_, b float32) float32   { return b }
func minusOne(_, _ float32) float32 { return -1 }

// more is 1 where a is larger, 1/2 where both are equal.
func more(a, b float32) float32 {
	switch {
	case a > b:
		return 1
	case a == b:
		return 0.5
	}
	return 0
}

func less(a, b float32) float32 { return more(b, a) }

var combinations = map[string]combination{
	"add": {func(a, b float32) float32 { return a + b }, one, one},
	"sub": {func(a, b float32) float32 { return a - b }, one, minusOne},
	"mul": {func(a, b float32) float32 { return a * b }, second, first},
	"div": {func(a, b float32) float32 { return a / b }, func(_, b float32) float32 { return 1 / b }, func(a, b float32) float32 { return -a / (b * b) }},
	"max": {func(a, b float32) float32 { return max(a, b) }, more, less},
	"min": {func(a, b float32) float32 { return min(a, b) }, less, more},
	"pow": {
		func(a, b float32) float32 { return float32(math.Pow(float64(a), float64(b))) },
		func(a, b float32) float32 { return b * float32(math.Pow(float64(a), float64(b-1))) },
		func(a, b float32) float32 { return float32(math.Pow(float64(a), float64(b)) * math.Log(float64(a))) },
	},
}

// combine is y = f(a, b), where a side of 1 is repeated.
type combine struct {
	f    combination
	a, b strides
}

// strides are the distances of numbers of an image along C, H and W: 0 along a side that is repeated.
type strides struct{ c, h, w int }

func (s Shape) stridesIn(y Shape) (st strides) {
	if s.C == y.C {
		st.c = 1
	}
	if s.W == y.W {
		st.w = s.C
	}
	if s.H == y.H {
		st.h = s.W * s.C
	}
	return st
}

func (o *combine) init(_ *engine, u *general) {
	o.a, o.b = u.xs[0].shape.stridesIn(u.shape), u.xs[1].shape.stridesIn(u.shape)
}

func (o *combine) forward(e *engine, u *general) {
	s := u.shape
	inRows(e.pool, e.n, s.H, func(n, h int) {
		a, b, y := u.xs[0].image(n)[h*o.a.h:], u.xs[1].image(n)[h*o.b.h:], u.y.image(n)[h*s.W*s.C:][:s.W*s.C]
		for w := range s.W {
			o.pixel(y[w*s.C:][:s.C], a[w*o.a.w:], b[w*o.b.w:])
		}
	})
}

// pixel combines the channels of a pixel.
func (o *combine) pixel(y, a, b []float32) {
	f := o.f.f
	switch {
	case o.a.c == 0 || o.b.c == 0:
		for c := range y {
			y[c] = f(a[c*o.a.c], b[c*o.b.c])
		}
	default:
		a, b = a[:len(y)], b[:len(y)]
		for c := range y {
			y[c] = f(a[c], b[c])
		}
	}
}

// backward: da = dy f_a(a, b), summed over what is repeated, and so db. Images share out the work: sums have one order.
func (o *combine) backward(e *engine, u *general) {
	for i, f := range []func(a, b float32) float32{o.f.da, o.f.db} {
		add, wanted := u.adds(e, i)
		if !wanted {
			continue
		}
		st := []strides{o.a, o.b}[i]
		s := u.shape
		e.pool.Run(e.n, func(n int) {
			a, b, dy, dx := u.xs[0].image(n), u.xs[1].image(n), u.y.gradientOf(n), u.xs[i].gradientOf(n)
			if !add {
				clear(dx)
			}
			for h := range s.H {
				for w := range s.W {
					pa, pb, px := h*o.a.h+w*o.a.w, h*o.b.h+w*o.b.w, h*st.h+w*st.w
					for c, d := range dy[(h*s.W+w)*s.C:][:s.C] {
						dx[px+c*st.c] += d * f(a[pa+c*o.a.c], b[pb+c*o.b.c])
					}
				}
			}
		})
	}
}
