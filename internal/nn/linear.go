package nn

import "github.com/faceverify/fv/internal/kernel"

// linear is y = W x, with the bias left to the unit that follows. W's columns are in
// PyTorch's order, channel by channel; x is pixel by pixel.
type linear struct {
	index int
	*node
	from   Shape // of x before it was flattened
	x, y   *tensor
	source bool // x is the network's input

	packed  []float32 // W with the columns in the order of x; nil if that is W's
	dPacked []float32
	w       []float32 // the one of the two that is in use
}

func (u *linear) init(e *engine) {
	n := u.Out * u.from.Len()
	if u.from.H*u.from.W > 1 || !e.training {
		u.packed = make([]float32, n)
	}
	if u.from.H*u.from.W > 1 && e.training {
		u.dPacked = make([]float32, n)
	}
}

func (u *linear) load(e *engine) {
	u.w = e.params[u.params[0]].of(e.theta)
	if u.packed != nil {
		u.reorder(e.pool, func(o, pixels, channels int) {
			transpose(u.packed[o:][:pixels*channels], u.w[o:][:pixels*channels], channels, pixels)
		})
		u.w = u.packed
	}
}

// reorder calls f with the start of every row of W.
func (u *linear) reorder(p *kernel.Pool, f func(row, pixels, channels int)) {
	k := u.from.Len()
	p.Run(u.Out, func(o int) { f(o*k, u.from.H*u.from.W, u.from.C) })
}

// transpose writes the transpose of src [rows, cols] to dst.
func transpose(dst, src []float32, rows, cols int) {
	for i := range rows {
		for j, v := range src[i*cols:][:cols] {
			dst[j*rows+i] = v
		}
	}
}

func (u *linear) forward(e *engine) {
	k := u.from.Len()
	kernel.Gemm(e.pool, e.n, u.Out, k, u.x.data, k, false, u.w, k, true, u.y.data, u.Out, false)
}

// backward: dx = dy W, dW = dyᵀ x.
func (u *linear) backward(e *engine) {
	k, dy := u.from.Len(), u.y.grad
	dw := e.params[u.params[0]].of(e.dTheta)
	if u.dPacked == nil {
		kernel.Gemm(e.pool, u.Out, k, e.n, dy, u.Out, true, u.x.data, k, false, dw, k, false)
	} else {
		kernel.Gemm(e.pool, u.Out, k, e.n, dy, u.Out, true, u.x.data, k, false, u.dPacked, k, false)
		u.reorder(e.pool, func(o, pixels, channels int) {
			transpose(dw[o:][:pixels*channels], u.dPacked[o:][:pixels*channels], pixels, channels)
		})
	}
	if !u.source {
		kernel.Gemm(e.pool, e.n, k, u.Out, dy, u.Out, false, u.w, k, false, u.x.grad, k, e.adds(u.index, u.x))
	}
}
