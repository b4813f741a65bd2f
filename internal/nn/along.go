package nn

import (
	"fmt"
	"math"
)

func init() {
	register(Reduce, func(d *node, _ *resolved) error {
		if err := d.inputs(1); err != nil {
			return err
		}
		if len(d.Axes) == 0 {
			return fmt.Errorf("names no axes")
		}
		d.shape = d.from
		for _, a := range d.Axes {
			if a < AxisC || a > AxisW {
				return fmt.Errorf("axis %d; want 0, 1 or 2", a)
			}
			d.shape.set(a, 1)
		}
		if _, ok := reductions[d.Function]; ok {
			return nil
		}
		return d.oneOf("mean", "sum", "max", "min", "prod", "l1", "l2", "sumsquare", "logsum", "logsumexp")
	}, func(d *node) operation { return &reduce{f: reductions[d.Function]} })
	register(Softmax, func(d *node, _ *resolved) error {
		d.shape = d.from
		if err := d.axis(); err != nil {
			return err
		}
		return d.inputs(1)
	}, func(*node) operation { return &along{softmax} })
	register(Normalize, func(d *node, _ *resolved) error {
		d.shape = d.from
		if err := d.axis(); err != nil {
			return err
		}
		if d.Alpha != 1 && d.Alpha != 2 {
			return fmt.Errorf("a norm of order %v; want 1 or 2", d.Alpha)
		}
		return d.inputs(1)
	}, func(d *node) operation {
		return &along{func(x []float64) { normalize(x, d.Alpha, d.Beta) }}
	})
}

// reduction makes one number of many, in float64.
type reduction func(x []float64) float64

func fold(start float64, f func(sum, x float64) float64) reduction {
	return func(x []float64) float64 {
		sum := start
		for _, v := range x {
			sum = f(sum, v)
		}
		return sum
	}
}

var (
	total       = fold(0, func(sum, x float64) float64 { return sum + x })
	sumOfSquare = fold(0, func(sum, x float64) float64 { return sum + x*x })
)

var reductions = map[string]reduction{
	"sum":       total,
	"mean":      func(x []float64) float64 { return total(x) / float64(len(x)) },
	"prod":      fold(1, func(p, x float64) float64 { return p * x }),
	"max":       fold(math.Inf(-1), func(m, x float64) float64 { return max(m, x) }),
	"min":       fold(math.Inf(1), func(m, x float64) float64 { return min(m, x) }),
	"l1":        fold(0, func(sum, x float64) float64 { return sum + math.Abs(x) }),
	"l2":        func(x []float64) float64 { return math.Sqrt(sumOfSquare(x)) },
	"sumsquare": sumOfSquare,
	"logsum":    func(x []float64) float64 { return math.Log(total(x)) },
	"logsumexp": func(x []float64) float64 {
		top := fold(math.Inf(-1), func(m, v float64) float64 { return max(m, v) })(x)
		return top + math.Log(fold(0, func(sum, v float64) float64 { return sum + math.Exp(v-top) })(x))
	},
}

// reduce is a reduction along some axes.
type reduce struct{ f reduction }

func (o *reduce) init(*engine, *general) {}

func (o *reduce) forward(e *engine, u *general) {
	if (u.Function == "mean" || u.Function == "sum") && u.shape.C == u.from.C && u.shape.Len() == u.from.C {
		o.sums(e, u)
		return
	}
	in, out := u.from, u.shape
	st := out.stridesIn(in)
	e.pool.Run(e.n, func(n int) {
		x, y := u.xs[0].image(n), u.y.image(n)
		parts := make([][]float64, out.Len())
		for h := range in.H {
			for w := range in.W {
				for c := range in.C {
					k := h*st.h + w*st.w + c*st.c
					parts[k] = append(parts[k], float64(x[(h*in.W+w)*in.C+c]))
				}
			}
		}
		for k, p := range parts {
			y[k] = float32(o.f(p))
		}
	})
}

// sums is the sum or mean of each channel over an image: what many networks end in, and squeeze-and-excite begins with.
func (o *reduce) sums(e *engine, u *general) {
	pixels := u.from.H * u.from.W
	scale := float32(1)
	if u.Function == "mean" {
		scale = 1 / float32(pixels)
	}
	e.pool.Run(e.n, func(n int) {
		x, y := u.xs[0].image(n), u.y.image(n)
		clear(y)
		for p := range pixels {
			for c, v := range x[p*len(y):][:len(y)] {
				y[c] += v
			}
		}
		for c := range y {
			y[c] *= scale
		}
	})
}

// backward, of sums and means: dx = dy, divided by how many there are of a mean.
func (o *reduce) backward(e *engine, u *general) {
	add, wanted := u.adds(e, 0)
	if !wanted {
		return
	}
	in, out := u.from, u.shape
	st := out.stridesIn(in)
	scale := float32(1)
	if u.Function == "mean" {
		scale = float32(out.Len()) / float32(in.Len())
	}
	e.pool.Run(e.n, func(n int) {
		dx, dy := u.xs[0].gradientOf(n), u.y.gradientOf(n)
		for h := range in.H {
			for w := range in.W {
				for c := range in.C {
					d := scale * dy[h*st.h+w*st.w+c*st.c]
					at := (h*in.W+w)*in.C + c
					if add {
						d += dx[at]
					}
					dx[at] = d
				}
			}
		}
	})
}

// trains reports whether the reduction has a gradient here.
func (o *reduce) trains(u *general) bool { return u.Function == "mean" || u.Function == "sum" }

// trains reports whether the function has a derivative.
func (o *apply) trains(*general) bool { return o.derivative != nil }

// along rewrites the numbers along one axis, all together.
type along struct{ f func(x []float64) }

func (o *along) init(*engine, *general) {}

func (o *along) forward(e *engine, u *general) {
	s := u.shape
	count := s.side(u.Axis)
	lines := s
	lines.set(u.Axis, 1)
	distance := []int{1, s.W * s.C, s.C}[u.Axis]
	e.pool.Run(e.n, func(n int) {
		x, y := u.xs[0].image(n), u.y.image(n)
		line := make([]float64, count)
		for h := range lines.H {
			for w := range lines.W {
				for c := range lines.C {
					at := (h*s.W+w)*s.C + c
					for i := range line {
						line[i] = float64(x[at+i*distance])
					}
					o.f(line)
					for i, v := range line {
						y[at+i*distance] = float32(v)
					}
				}
			}
		}
	})
}

func softmax(x []float64) {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, v)
	}
	sum := 0.0
	for i, v := range x {
		x[i] = math.Exp(v - top)
		sum += x[i]
	}
	for i := range x {
		x[i] /= sum
	}
}

func normalize(x []float64, order, least float64) {
	norm := reductions["l1"](x)
	if order == 2 {
		norm = reductions["l2"](x)
	}
	norm = max(norm, least)
	for i := range x {
		if norm == 0 {
			x[i] = 0
		} else {
			x[i] /= norm
		}
	}
}
