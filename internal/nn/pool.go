package nn

import (
	"fmt"
	"math"

	"github.com/faceverify/fv/internal/kernel"
)

func init() {
	for _, k := range []Kind{MaxPool, AveragePool} {
		register(k, func(d *node, _ *resolved) error {
			if err := d.inputs(1); err != nil {
				return err
			}
			w, err := d.window()
			d.shape = Shape{d.from.C, w.h, w.w}
			if err == nil && d.Kind == MaxPool && rowPixels(d) > maxOut/d.from.C {
				err = fmt.Errorf("its windows lie over %d pixels of %d channels", rowPixels(d), d.from.C)
			}
			return err
		}, func(d *node) operation { return &pooling{max: d.Kind == MaxPool, countPad: d.CountPad} })
	}
}

// pooling gives the largest number, or the mean, of each window.
type pooling struct {
	max, countPad bool
	rows          chan []float32 // for the largest, one for each thread: what windows of one row lie over
}

func (o *pooling) init(e *engine, u *general) {
	if !o.max {
		return
	}
	o.rows = make(chan []float32, e.pool.Threads())
	for range e.pool.Threads() {
		o.rows <- make([]float32, rowPixels(u.node)*u.from.C)
	}
}

// rowPixels returns how many pixels windows of one row lie over, or the image does with its left border.
func rowPixels(d *node) int {
	w := &d.win
	return max((d.shape.W-1)*w.strideW+w.spanW, w.pads[1]+d.from.W)
}

// within returns the first and last+1 of a window's taps, along one axis, that lie within size pixels.
func within(at, taps, dilation, size int) (lo, hi int) {
	if at < 0 {
		lo = min(taps, (-at+dilation-1)/dilation)
	}
	if at < size {
		hi = min(taps, (size-1-at)/dilation+1)
	}
	return lo, max(lo, hi)
}

func (o *pooling) forward(e *engine, u *general) {
	if o.max {
		o.largest(e, u)
	} else {
		o.mean(e, u)
	}
}

// largest takes the largest of rows first, then of pixels next to each other: both go through whole rows, however few channels there
// are. Pairs of pixels make windows of two, pairs of those windows of up to four, and so on.
func (o *pooling) largest(e *engine, u *general) {
	w, in, out := &u.win, u.from, u.shape
	inRows(e.pool, e.n, out.H, func(n, oy int) {
		row := <-o.rows
		defer func() { o.rows <- row }()
		x, y := u.xs[0].image(n), u.y.image(n)[oy*out.W*out.C:][:out.W*out.C]
		for i := range row {
			row[i] = float32(math.Inf(-1)) // what lies outside
		}
		inside := row[w.pads[1]*in.C:][:in.W*in.C]
		y0 := oy*w.strideH - w.pads[0]
		lo, hi := within(y0, w.kernelH, w.dilationH, in.H)
		for ky := lo; ky < hi; ky++ {
			kernel.Larger(inside, x[(y0+ky*w.dilationH)*len(inside):][:len(inside)])
		}
		for taps := 1; taps < w.kernelW; {
			more := min(taps, w.kernelW-taps)
			ahead := row[more*w.dilationW*in.C:]
			kernel.Larger(row[:len(ahead)], ahead)
			taps += more
		}
		if w.strideW == 1 {
			copy(y, row)
			return
		}
		for ox := range out.W {
			copy(y[ox*out.C:][:out.C], row[ox*w.strideW*out.C:])
		}
	})
}

func (o *pooling) mean(e *engine, u *general) {
	w, in, out := &u.win, u.from, u.shape
	inRows(e.pool, e.n, out.H, func(n, oy int) {
		x, y := u.xs[0].image(n), u.y.image(n)[oy*out.W*out.C:][:out.W*out.C]
		y0 := oy*w.strideH - w.pads[0]
		ky0, ky1 := within(y0, w.kernelH, w.dilationH, in.H)
		for ox := range out.W {
			x0 := ox*w.strideW - w.pads[1]
			kx0, kx1 := within(x0, w.kernelW, w.dilationW, in.W)
			dst := y[ox*out.C:][:out.C]
			clear(dst)
			for ky := ky0; ky < ky1; ky++ {
				for kx := kx0; kx < kx1; kx++ {
					for c, v := range x[((y0+ky*w.dilationH)*in.W+x0+kx*w.dilationW)*in.C:][:len(dst)] {
						dst[c] += v
					}
				}
			}
			scale := 1 / float32(max(1, o.count(u, ky1-ky0, kx1-kx0)))
			for c := range dst {
				dst[c] *= scale
			}
		}
	})
}

// count returns what a sum over so many taps is divided by.
func (o *pooling) count(u *general, rows, cols int) int {
	if o.countPad {
		return u.win.kernelH * u.win.kernelW
	}
	return rows * cols
}

// backward passes dy on to where the largest number was, the first of several, or to all, in equal parts.
func (o *pooling) backward(e *engine, u *general) {
	add, wanted := u.adds(e, 0)
	if !wanted {
		return
	}
	w, in, out := &u.win, u.from, u.shape
	e.pool.Run(e.n, func(n int) {
		x, dx, dy := u.xs[0].image(n), u.xs[0].gradientOf(n), u.y.gradientOf(n)
		if !add {
			clear(dx)
		}
		for oy := range out.H {
			y0 := oy*w.strideH - w.pads[0]
			ky0, ky1 := within(y0, w.kernelH, w.dilationH, in.H)
			for ox := range out.W {
				x0 := ox*w.strideW - w.pads[1]
				kx0, kx1 := within(x0, w.kernelW, w.dilationW, in.W)
				scale := 1 / float32(max(1, o.count(u, ky1-ky0, kx1-kx0)))
				for c, d := range dy[(oy*out.W+ox)*out.C:][:out.C] {
					best := -1
					for ky := ky0; ky < ky1; ky++ {
						for kx := kx0; kx < kx1; kx++ {
							at := ((y0+ky*w.dilationH)*in.W+x0+kx*w.dilationW)*in.C + c
							if !o.max {
								dx[at] += d * scale
							} else if best < 0 || x[at] > x[best] {
								best = at
							}
						}
					}
					if best >= 0 {
						dx[best] += d
					}
				}
			}
		}
	})
}
