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

	// In training: what gathers the moments of y, and whose sums are gathered of the gradient of x. Nil for none.
	collect kernel.Collector
	sumsOf  *affine

	norm  *node  // folded, in inference
	bias  *Param // folded, in inference; in training an affine unit adds it
	shift []float32

	dense     dense             // or else
	depthwise *kernel.Depthwise // with
	packed    []float32         // weights
}

func (b *builder) convolution(i, in int) {
	d := &b.net.nodes[i]
	x := b.read(in, true)
	out := b.add(d.shape)
	u := &convolution{index: len(b.units), node: d, x: x, y: b.tensors[out], source: in == 0}
	b.units = append(b.units, u)
	b.of[i] = out
	b.chain(i, d.Bias)
}

func (u *convolution) folded() bool { return u.norm != nil || u.bias != nil }

func (u *convolution) isDepthwise() bool {
	return u.Groups == u.from.C && u.Groups == u.Out && u.Groups > 1
}

func (u *convolution) convShape(e *engine) kernel.ConvShape {
	return kernel.ConvShape{
		In: e.layout(u.x), Out: e.layout(u.y),
		KH: u.win.spanH, KW: u.win.spanW, StrideH: u.win.strideH, StrideW: u.win.strideW, PadH: u.win.pads[0], PadW: u.win.pads[1], Groups: u.Groups,
	}
}

func (u *convolution) init(e *engine) {
	s := u.convShape(e)
	if !u.isDepthwise() {
		u.dense = e.precision.newDense(s, e.scratch)
		return
	}
	u.depthwise = kernel.NewDepthwise(s)
	u.packed = make([]float32, u.depthwise.PackedLen())
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
	w = u.win.dilate(w)
	if u.dense != nil {
		u.dense.Load(e.pool, w)
	} else {
		u.depthwise.Pack(e.pool, u.packed, w)
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

func (u *convolution) forward(e *engine) { u.compute(e, u.collect) }

func (u *convolution) compute(e *engine, collect kernel.Collector) {
	if u.y.half {
		y := kernel.Halves(u.y.data)
		if u.dense != nil {
			u.dense.ForwardHalf(e.pool, e.n, y, e.source(u.x), collect)
		} else {
			u.depthwise.ForwardHalf(e.pool, e.n, y, e.source(u.x), u.packed, collect)
		}
		return
	}
	if u.dense != nil {
		u.dense.Forward(e.pool, e.n, u.y.data, e.source(u.x), u.shift, collect)
	} else {
		u.depthwise.Forward(e.pool, e.n, u.y.data, e.source(u.x), u.packed, u.shift, collect)
	}
}

func (u *convolution) backward(e *engine) {
	dw, dy := u.weights(e, e.dTheta), u.y.grad
	if u.dense != nil {
		u.dense.BackwardWeights(e.pool, e.n, dw, e.source(u.x), dy)
	} else {
		u.depthwise.BackwardWeights(e.pool, e.n, dw, e.source(u.x), dy)
	}
	if u.source {
		return
	}
	var sums kernel.Collector
	if u.sumsOf != nil {
		sums = u.sumsOf.gradientSums(e)
	}
	if u.dense != nil {
		u.dense.LoadBackward(e.pool, u.weights(e, e.theta))
		u.dense.BackwardData(e.pool, e.n, u.x.grad, dy, e.adds(u.index, u.x), sums)
	} else {
		u.depthwise.BackwardData(e.pool, e.n, u.x.grad, dy, u.packed, e.adds(u.index, u.x), sums)
	}
}
