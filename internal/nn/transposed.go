package nn

import (
	"fmt"

	"github.com/faceverify/fv/internal/kernel"
)

func init() {
	register(Transposed, func(d *node, r *resolved) error {
		if err := d.inputs(1); err != nil {
			return err
		}
		d.Groups = max(1, d.Groups)
		// Its geometry is that of a convolution of what it gives; a window over an image that is large enough checks the numbers.
		d.from = Shape{d.from.C, maxOut, maxOut}
		w, err := d.window()
		d.from = r.nodes[d.in[0]].shape
		switch {
		case err != nil:
			return err
		case d.Out < 1 || d.Out > maxOut || d.from.C%d.Groups != 0 || d.Out%d.Groups != 0:
			return fmt.Errorf("%d groups divide not both %d and %d channels", d.Groups, d.from.C, d.Out)
		case d.ExtraH < 0 || d.ExtraW < 0 || max(d.ExtraH, d.ExtraW) > MaxWindow:
			return fmt.Errorf("adds %d rows and %d columns", d.ExtraH, d.ExtraW)
		}
		d.shape = Shape{d.Out,
			(d.from.H-1)*w.strideH + w.spanH - w.pads[0] - w.pads[2] + d.ExtraH,
			(d.from.W-1)*w.strideW + w.spanW - w.pads[1] - w.pads[3] + d.ExtraW}
		if min(d.shape.H, d.shape.W) < 1 || max(d.shape.H, d.shape.W) > maxOut {
			return fmt.Errorf("gives %v", d.shape)
		}
		og := d.Out / d.Groups
		d.weights(r, d.from.C/d.Groups*d.Kernel*d.KernelWidth, d.from.C, og, d.Kernel, d.KernelWidth)
		if d.Bias { // which is one for each channel of y
			b := &r.params[d.params[1]]
			b.Shape, b.Len = []int{d.Out}, d.Out
		}
		return nil
	}, func(*node) operation { return &transposed{} })
}

// transposed is a transposed convolution: products of all pixels with the weights, added up where they belong.
type transposed struct {
	w, bias []float32
	columns []float32 // of an image: [H*W, out of a group, KH, KW]
}

func (o *transposed) init(e *engine, u *general) {
	o.columns = make([]float32, u.from.H*u.from.W*u.Out/u.Groups*u.Kernel*u.KernelWidth)
}

func (o *transposed) load(e *engine, u *general) {
	o.w = e.own(e.params[u.params[0]].of(e.theta))
	if u.Bias {
		o.bias = e.own(e.params[u.params[1]].of(e.theta))
	}
}

func (o *transposed) forward(e *engine, u *general) {
	in, cg, og := u.from, u.from.C/u.Groups, u.Out/u.Groups
	taps := u.Kernel * u.KernelWidth
	for n := range e.n {
		y := u.y.image(n)
		for i := range y {
			y[i] = 0
			if u.Bias {
				y[i] = o.bias[i%u.Out]
			}
		}
		for g := range u.Groups {
			kernel.Gemm(e.pool, in.H*in.W, og*taps, cg, u.xs[0].image(n)[g*cg:], in.C, false, o.w[g*cg*og*taps:], og*taps, false, o.columns, og*taps, false)
			o.add(u, y[g*og:], og)
		}
	}
}

// add adds the columns of a group to y.
func (o *transposed) add(u *general, y []float32, og int) {
	w, in, out := &u.win, u.from, u.shape
	taps := w.kernelH * w.kernelW
	for p := range in.H * in.W {
		y0, x0 := p/in.W*w.strideH-w.pads[0], p%in.W*w.strideW-w.pads[1]
		for ky := range w.kernelH {
			oy := y0 + ky*w.dilationH
			if oy < 0 || oy >= out.H {
				continue
			}
			for kx := range w.kernelW {
				ox := x0 + kx*w.dilationW
				if ox < 0 || ox >= out.W {
					continue
				}
				src := o.columns[p*og*taps+ky*w.kernelW+kx:]
				dst := y[(oy*out.W+ox)*out.C:][:og]
				for c := range dst {
					dst[c] += src[c*taps]
				}
			}
		}
	}
}
