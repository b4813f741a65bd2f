package nn

import (
	"math"
	"slices"

	"github.com/faceverify/fv/internal/kernel"
)

// convolution is y = w * x. In inference w and bias are those of the batch norm that follows, too.
type convolution struct {
	*node
	index  int // of the unit
	x, y   *tensor
	source bool // x is the network's input

	// In training: of y, for a batch norm's moments, and of the gradient of x, for the sums of an affine unit.
	collect, collectGrad kernel.Collector

	norm  *node  // folded, in inference
	bias  *Param // folded, in inference; in training an affine unit adds it
	shift []float32

	geometry [3]geometry // of the passes; activations and gradients have borders of their own
	packed   []float32   // of a depthwise one, for all passes
}

// The passes of a convolution.
const (
	forwardPass = iota
	dataPass
	weightsPass
)

// geometry is one of the two.
type geometry struct {
	dense     dense
	depthwise *kernel.Depthwise
}

func (b *builder) convolution(i, in int) {
	d := &b.net.nodes[i]
	x := b.read(in, d.Pad, true)
	out := b.add(d.shape)
	u := &convolution{index: len(b.units), node: d, x: x, y: b.tensors[out], source: in == 0}
	u.y.gradPad = max(0, max(d.Kernel, d.KernelWidth)-1-d.Pad)
	if u.y.gradPad > 1 {
		u.y.gradPad = 0 // wide borders cost more than the copy that the kernel makes
	}
	b.units = append(b.units, u)
	b.of[i] = out
	b.chain(i, d.Bias)
}

func (u *convolution) folded() bool { return u.norm != nil || u.bias != nil }

func (u *convolution) isDepthwise() bool {
	return u.Groups == u.from.C && u.Groups == u.Out && u.Groups > 1
}

func (u *convolution) init(e *engine) {
	x, y, dx, dy := e.layout(u.x), e.layout(u.y), e.gradLayout(u.x), e.gradLayout(u.y)
	passes := []struct{ in, out kernel.Layout }{forwardPass: {x, y}, dataPass: {dx, dy}, weightsPass: {x, dy}}
	if !e.training {
		passes = passes[:1]
	}
	for i, pass := range passes {
		s := kernel.ConvShape{
			In: pass.in, Out: pass.out,
			KH: u.Kernel, KW: u.KernelWidth, StrideH: u.Stride, StrideW: u.Stride, PadH: u.Pad, PadW: u.Pad, Groups: u.Groups,
		}
		if u.isDepthwise() {
			u.geometry[i].depthwise = kernel.NewDepthwise(s)
		} else {
			u.geometry[i].dense = e.precision.newDense(s, e.scratch)
		}
	}
	if u.isDepthwise() {
		u.packed = make([]float32, u.geometry[forwardPass].depthwise.PackedLen())
	}
}

func (u *convolution) weights(e *engine, theta []float32) []float32 {
	return e.params[u.params[0]].of(theta)
}

func (u *convolution) load(e *engine) {
	w := u.weights(e, e.theta)
	switch {
	case u.norm != nil:
		w = u.fold(e, w)
	case u.bias != nil:
		u.shift = e.own(u.bias.of(e.theta))
	}
	if g := u.geometry[forwardPass]; g.dense != nil {
		g.dense.Load(e.pool, w)
	} else {
		g.depthwise.Pack(e.pool, u.packed, w)
	}
}

// fold returns the weights with the norm's scale, and keeps its shift.
func (u *convolution) fold(e *engine, w []float32) []float32 {
	gain, bias := e.params[u.norm.params[0]].of(e.theta), e.params[u.norm.params[1]].of(e.theta)
	mean, variance := e.statistics(u.norm)
	scaled := slices.Clone(w)
	u.shift = make([]float32, u.Out)
	each := len(w) / u.Out
	for o := range u.Out {
		scale := float64(gain[o]) / math.Sqrt(float64(variance[o])+u.norm.Epsilon)
		u.shift[o] = float32(float64(bias[o]) - float64(mean[o])*scale)
		for k := range each {
			scaled[o*each+k] = float32(float64(w[o*each+k]) * scale)
		}
	}
	return scaled
}

func (u *convolution) forward(e *engine) {
	if g := u.geometry[forwardPass]; g.dense != nil {
		g.dense.Forward(e.pool, e.n, u.y.data, e.source(u.x), u.shift, u.collect)
	} else {
		g.depthwise.Forward(e.pool, e.n, u.y.data, e.source(u.x), u.packed, u.shift, u.collect)
	}
}

func (u *convolution) backward(e *engine) {
	dw, dy := u.weights(e, e.dTheta), u.y.grad
	if g := u.geometry[weightsPass]; g.dense != nil {
		g.dense.BackwardWeights(e.pool, e.n, dw, e.source(u.x), dy)
	} else {
		g.depthwise.BackwardWeights(e.pool, e.n, dw, e.source(u.x), dy)
	}
	if u.source {
		return
	}
	if g := u.geometry[dataPass]; g.dense != nil {
		g.dense.LoadBackward(e.pool, u.weights(e, e.theta))
		g.dense.BackwardData(e.pool, e.n, u.x.grad, dy, e.adds(u.index, u.x), u.collectGrad)
	} else {
		g.depthwise.BackwardData(e.pool, e.n, u.x.grad, dy, u.packed, e.adds(u.index, u.x), u.collectGrad)
	}
}
