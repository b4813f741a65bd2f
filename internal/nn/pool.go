package nn

import "math"

func init() {
	for _, k := range []Kind{MaxPool, AveragePool} {
		register(k, func(d *node, _ *resolved) error {
			if err := d.inputs(1); err != nil {
				return err
			}
			w, err := d.window()
			d.shape = Shape{d.from.C, w.h, w.w}
			return err
		}, func(d *node) operation { return &pooling{max: d.Kind == MaxPool, countPad: d.CountPad} })
	}
}

// pooling gives the largest number, or the mean, of each window.
type pooling struct{ max, countPad bool }

func (o *pooling) init(*engine, *general) {}

// rows returns the first and last+1 of a window's taps, along one axis, that lie within size pixels.
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
	w, in, out := &u.win, u.from, u.shape
	inRows(e.pool, e.n, out.H, func(n, oy int) {
		x, y := u.xs[0].image(n), u.y.image(n)[oy*out.W*out.C:][:out.W*out.C]
		y0 := oy*w.strideH - w.pads[0]
		ky0, ky1 := within(y0, w.kernelH, w.dilationH, in.H)
		for ox := range out.W {
			x0 := ox*w.strideW - w.pads[1]
			kx0, kx1 := within(x0, w.kernelW, w.dilationW, in.W)
			dst := y[ox*out.C:][:out.C]
			first := true
			for ky := ky0; ky < ky1; ky++ {
				for kx := kx0; kx < kx1; kx++ {
					src := x[((y0+ky*w.dilationH)*in.W+x0+kx*w.dilationW)*in.C:][:len(dst)]
					switch {
					case first:
						copy(dst, src)
					case o.max:
						for c, v := range src {
							if v > dst[c] {
								dst[c] = v
							}
						}
					default:
						for c, v := range src {
							dst[c] += v
						}
					}
					first = false
				}
			}
			if first {
				for c := range dst {
					dst[c] = 0
					if o.max {
						dst[c] = float32(math.Inf(-1))
					}
				}
			}
			if !o.max {
				scale := 1 / float32(max(1, o.count(u, ky1-ky0, kx1-kx0)))
				for c := range dst {
					dst[c] *= scale
				}
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
