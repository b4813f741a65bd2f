package nn

import (
	"fmt"
	"slices"
)

// Layers that move numbers and compute nothing: each number of y is one of x, or a constant.

func init() {
	gathers := func(k Kind, infer func(d *node) error, index func(d *node) func(c, h, w int) int) {
		register(k, func(d *node, _ *resolved) error {
			if err := d.inputs(1); err != nil {
				return err
			}
			return infer(d)
		}, func(d *node) operation { return newGather(d, index(d)) })
	}
	gathers(Reshape, inferReshape, reshapeIndex)
	gathers(Slice, inferSlice, func(d *node) func(c, h, w int) int {
		return func(c, h, w int) int {
			return d.from.at(d.Start[0]+c*d.Step[0], d.Start[1]+h*d.Step[1], d.Start[2]+w*d.Step[2])
		}
	})
	gathers(Border, inferBorder, func(d *node) func(c, h, w int) int {
		return func(c, h, w int) int {
			y, x := Inside(d.Function, h-d.Pads[0], d.from.H), Inside(d.Function, w-d.Pads[1], d.from.W)
			if len(d.Pads) > 4 {
				c = Inside(d.Function, c-d.Pads[4], d.from.C)
			}
			if min(c, y, x) < 0 {
				return -1
			}
			return d.from.at(c, y, x)
		}
	})
	register(Concat, inferConcat, func(*node) operation { return &concat{} })
	register(Constant, func(d *node, r *resolved) (err error) {
		if err := d.inputs(0); err != nil {
			return err
		}
		d.shape, err = d.to()
		d.stats = append(d.stats, declare(&r.buffers, Param{Name: d.Name + ".value", Shape: []int{d.shape.C, d.shape.H, d.shape.W}}))
		return err
	}, func(*node) operation { return &constant{} })
}

// at returns the place of a number in an image in memory.
func (s Shape) at(c, h, w int) int { return (h*s.W+w)*s.C + c }

// gather is y[i] = x[index[i]], or fill where that is negative.
type gather struct {
	index []int32
	fill  float32
}

func newGather(d *node, index func(c, h, w int) int) *gather {
	o := &gather{fill: float32(d.Alpha)}
	for h := range d.shape.H {
		for w := range d.shape.W {
			for c := range d.shape.C {
				o.index = append(o.index, int32(index(c, h, w)))
			}
		}
	}
	return o
}

func (o *gather) init(*engine, *general) {}

func (o *gather) forward(e *engine, u *general) {
	each := u.shape.Len()
	inChunks(e.pool, e.n*each, func(lo, hi int) {
		for lo < hi {
			n, i := lo/each, lo%each
			end := min(hi, (n+1)*each)
			x, y := u.xs[0].image(n), u.y.data[lo:end]
			for k, at := range o.index[i:][:len(y)] {
				if at < 0 {
					y[k] = o.fill
				} else {
					y[k] = x[at]
				}
			}
			lo = end
		}
	})
}

// backward adds dy up where it came from.
func (o *gather) backward(e *engine, u *general) {
	add, wanted := u.adds(e, 0)
	if !wanted {
		return
	}
	e.pool.Run(e.n, func(n int) {
		dx, dy := u.xs[0].gradientOf(n), u.y.gradientOf(n)
		if !add {
			clear(dx)
		}
		for k, at := range o.index {
			if at >= 0 {
				dx[at] += dy[k]
			}
		}
	})
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		if d < 1 || d > maxOut || n > maxOut {
			return -1
		}
		n *= d
	}
	return n
}

func inferReshape(d *node) (err error) {
	if d.shape, err = d.to(); err != nil {
		return err
	}
	if d.shape.Len() != d.from.Len() {
		return fmt.Errorf("makes %v of %v", d.shape, d.from)
	}
	if len(d.Dims) == 0 && len(d.Perm) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(d.Perm))
	for i, k := range sorted {
		if k != i {
			return fmt.Errorf("perm %v is none", d.Perm)
		}
	}
	if len(d.Perm) != len(d.Dims) || product(d.Dims) != d.from.Len() {
		return fmt.Errorf("takes %v for %v, permuted by %v", d.from, d.Dims, d.Perm)
	}
	return nil
}

func reshapeIndex(d *node) func(c, h, w int) int {
	from, to := d.from, d.shape
	inner := make([]int, len(d.Perm)) // distances, in the input's order, of the result's axes
	sides := make([]int, len(d.Perm))
	for i, axis := range d.Perm {
		sides[i] = d.Dims[axis]
		inner[i] = 1
		for _, n := range d.Dims[axis+1:] {
			inner[i] *= n
		}
	}
	return func(c, h, w int) int {
		k := (c*to.H+h)*to.W + w
		if len(inner) > 0 {
			at := 0
			for i := len(inner) - 1; i >= 0; i-- {
				at += k % sides[i] * inner[i]
				k /= sides[i]
			}
			k = at
		}
		return from.at(k/(from.H*from.W), k/from.W%from.H, k%from.W)
	}
}

func inferSlice(d *node) (err error) {
	if d.shape, err = d.to(); err != nil {
		return err
	}
	if len(d.Start) != 3 || len(d.Step) != 3 {
		return fmt.Errorf("has %d starts and %d steps, want 3", len(d.Start), len(d.Step))
	}
	for axis := range 3 {
		first, n := d.Start[axis], d.from.side(axis)
		if d.Step[axis] < -maxOut || d.Step[axis] > maxOut {
			return fmt.Errorf("step is %d", d.Step[axis])
		}
		last := first + (d.shape.side(axis)-1)*d.Step[axis]
		if min(first, last) < 0 || max(first, last) >= n {
			return fmt.Errorf("takes %d to %d of %d along axis %d", first, last, n, axis)
		}
	}
	return nil
}

func inferBorder(d *node) error {
	if err := d.oneOf("constant", "reflect", "edge", "wrap"); err != nil {
		return err
	}
	if len(d.Pads) != 4 && len(d.Pads) != 6 {
		return fmt.Errorf("has %d pads, want 4, or 6 with those of the channels", len(d.Pads))
	}
	for _, p := range d.Pads {
		if p < -MaxWindow || p > MaxWindow {
			return fmt.Errorf("a pad of %d", p)
		}
	}
	p := append(slices.Clone(d.Pads), 0, 0)
	d.shape = Shape{d.from.C + p[4] + p[5], d.from.H + p[0] + p[2], d.from.W + p[1] + p[3]}
	if min(d.shape.C, d.shape.H, d.shape.W) < 1 {
		return fmt.Errorf("leaves %v of %v", d.shape, d.from)
	}
	if d.Function == "reflect" && (max(p[0], p[2]) >= d.from.H || max(p[1], p[3]) >= d.from.W || max(p[4], p[5]) >= d.from.C) {
		return fmt.Errorf("reflects %v in an image of %v", d.Pads, d.from)
	}
	return nil
}

// Inside returns which of size pixels a place beside them takes under a Border's function, -1 for none. Reflection reaches
// as far as there are pixels.
func Inside(function string, at, size int) int {
	if at >= 0 && at < size {
		return at
	}
	switch function {
	case "edge":
		return min(max(at, 0), size-1)
	case "wrap":
		return ((at % size) + size) % size
	case "reflect":
		if at < 0 {
			return -at
		}
		return 2*size - 2 - at
	}
	return -1
}

func inferConcat(d *node, r *resolved) error {
	if len(d.in) < 1 {
		return fmt.Errorf("has no inputs")
	}
	if err := d.axis(); err != nil {
		return err
	}
	d.shape = d.from
	d.shape.set(d.Axis, 0)
	for _, k := range d.in {
		s := r.nodes[k].shape
		n := s.side(d.Axis)
		s.set(d.Axis, d.shape.side(d.Axis))
		if s != d.shape || n > maxOut {
			return fmt.Errorf("joins %v and %v along axis %d", d.from, r.nodes[k].shape, d.Axis)
		}
		d.shape.set(d.Axis, d.shape.side(d.Axis)+n)
		if d.shape.side(d.Axis) > maxOut {
			return fmt.Errorf("gives %v", d.shape)
		}
	}
	return nil
}

// concat puts images one after another along an axis.
type concat struct{}

func (o *concat) init(*engine, *general) {}

// runs calls f with the places of runs of numbers of input i that stay together.
func (o *concat) runs(u *general, i int, f func(x, y, count int)) {
	s, at := u.xs[i].shape, 0
	for _, x := range u.xs[:i] {
		at += x.shape.side(u.Axis)
	}
	switch u.Axis {
	case AxisC:
		for p := range s.H * s.W {
			f(p*s.C, p*u.shape.C+at, s.C)
		}
	case AxisH:
		f(0, at*s.W*s.C, s.Len())
	default:
		for h := range s.H {
			f(h*s.W*s.C, (h*u.shape.W+at)*s.C, s.W*s.C)
		}
	}
}

func (o *concat) forward(e *engine, u *general) {
	e.pool.Run(e.n*len(u.xs), func(k int) {
		n, i := k/len(u.xs), k%len(u.xs)
		src, dst := u.xs[i].image(n), u.y.image(n)
		o.runs(u, i, func(x, y, count int) { copy(dst[y:][:count], src[x:][:count]) })
	})
}

func (o *concat) backward(e *engine, u *general) {
	for i := range u.xs {
		add, wanted := u.adds(e, i)
		if !wanted {
			continue
		}
		e.pool.Run(e.n, func(n int) {
			dx, dy := u.xs[i].gradientOf(n), u.y.gradientOf(n)
			o.runs(u, i, func(x, y, count int) {
				if !add {
					copy(dx[x:][:count], dy[y:][:count])
					return
				}
				for k, d := range dy[y:][:count] {
					dx[x+k] += d
				}
			})
		})
	}
}

// constant gives the same array for each image.
type constant struct{ value []float32 }

func (o *constant) init(*engine, *general) {}

func (o *constant) load(e *engine, u *general) {
	s := u.shape
	plane := e.stats[u.stats[0]].of(e.buffers)
	o.value = make([]float32, s.Len())
	transpose(o.value, plane, s.C, s.H*s.W)
}

func (o *constant) forward(e *engine, u *general) {
	for n := range e.n {
		copy(u.y.image(n), o.value)
	}
}
