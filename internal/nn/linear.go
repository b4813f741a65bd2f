package nn

import "github.com/faceverify/fv/internal/kernel"

// linear is y = W x, with the bias left to the unit that follows. W's columns are in
// PyTorch's order, channel by channel; x, which is pixel by pixel, is brought into it.
type linear struct {
	index int
	*node
	from   Shape // of x before it was flattened
	x, y   *tensor
	source bool // x is the network's input

	w         []float32
	packed    *kernel.Packed // in inference, in place of w, or
	mixed     dense          // in bfloat16
	planes    []float32      // x, channel by channel, and in the backward pass its gradient; nil where x is that already
	planesF   func(image int)
	gradientF func(image int)
	engine    *engine
}

func (u *linear) init(e *engine) {
	if u.from.H*u.from.W == 1 {
		return
	}
	u.engine = e
	u.planes = make([]float32, e.batch*u.from.Len())
	u.planesF, u.gradientF = u.toPlanes, u.fromPlanes
}

func (u *linear) load(e *engine) {
	w := e.params[u.params[0]].of(e.theta)
	switch shape := u.convShape(e); {
	case e.training:
		u.w = w
	case e.precision.mixes(shape):
		u.mixed = e.precision.newDense(shape, e.scratch)
		u.mixed.Load(e.pool, w)
	default:
		u.packed = kernel.NewPacked(e.pool, w, u.Out, u.from.Len())
	}
}

// convShape returns the layer as a convolution of images of one pixel.
func (u *linear) convShape(e *engine) kernel.ConvShape {
	return kernel.ConvShape{
		In: kernel.Layout{N: e.batch, H: 1, W: 1, C: u.from.Len()}, Out: kernel.Layout{N: e.batch, H: 1, W: 1, C: u.Out},
		KH: 1, KW: 1, StrideH: 1, StrideW: 1, Groups: 1,
	}
}

// toPlanes writes an image of x, channel by channel, to planes.
func (u *linear) toPlanes(image int) {
	k, pixels := u.from.Len(), u.from.H*u.from.W
	transpose(u.planes[image*k:][:k], u.x.data[image*k:][:k], pixels, u.from.C)
}

// fromPlanes writes an image of the gradient in planes, pixel by pixel, to that of x, or adds it.
func (u *linear) fromPlanes(image int) {
	k, pixels, add := u.from.Len(), u.from.H*u.from.W, u.engine.adds(u.index, u.x)
	d := u.x.grad[image*k:][:k]
	for c := range u.from.C {
		for p, v := range u.planes[image*k+c*pixels:][:pixels] {
			if add {
				v += d[p*u.from.C+c]
			}
			d[p*u.from.C+c] = v
		}
	}
}

// transpose writes the transpose of src [rows, cols] to dst.
func transpose(dst, src []float32, rows, cols int) {
	for i := range rows {
		for j, v := range src[i*cols:][:cols] {
			dst[j*rows+i] = v
		}
	}
}

// input returns x in W's order.
func (u *linear) input(e *engine) []float32 {
	if u.planes == nil {
		return u.x.data
	}
	e.pool.Run(e.n, u.planesF)
	return u.planes
}

func (u *linear) forward(e *engine) {
	k := u.from.Len()
	switch {
	case u.packed != nil:
		u.packed.Mul(e.pool, e.n, u.input(e), k, u.y.data, u.Out)
		return
	case u.mixed != nil:
		u.mixed.Forward(e.pool, e.n, u.y.data, kernel.Source{X: u.input(e), Layout: u.convShape(e).In}, nil, nil)
		return
	}
	kernel.Gemm(e.pool, e.n, u.Out, k, u.input(e), k, false, u.w, k, true, u.y.data, u.Out, false)
}

// backward: dx = dy W, dW = dyᵀ x.
func (u *linear) backward(e *engine) {
	k, dy := u.from.Len(), u.y.grad
	dw := e.params[u.params[0]].of(e.dTheta)
	kernel.Gemm(e.pool, u.Out, k, e.n, dy, u.Out, true, u.input(e), k, false, dw, k, false)
	switch {
	case u.source:
	case u.planes == nil:
		kernel.Gemm(e.pool, e.n, k, u.Out, dy, u.Out, false, u.w, k, false, u.x.grad, k, e.adds(u.index, u.x))
	default:
		kernel.Gemm(e.pool, e.n, k, u.Out, dy, u.Out, false, u.w, k, false, u.planes, k, false)
		e.pool.Run(e.n, u.gradientF)
	}
}
