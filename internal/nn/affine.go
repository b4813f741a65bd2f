package nn

import (
	"math"
	"slices"

	"github.com/faceverify/fv/internal/kernel"
)

// affine is everything between two convolutions in one pass over the activations:
//
//	z = x scale + shift,  y = prelu(z) + res
//
// where scale and shift are those of a batch norm, or shift is a bias.
type affine struct {
	index      int // of the unit
	x, y, res  *tensor
	source     bool // x is the network's input, which has no gradient
	norm       *node
	activation *node
	bias       *Param

	pass      *kernel.Affine
	moments   *kernel.Moments // of x, for a norm in training
	collected bool            // by the convolution that gives x
	sums      *kernel.GradientSums
	summed    bool // by the convolution that writes the gradient of y last
	unitValues
	inPlace   bool // the gradients of x and y share memory
	resShared bool // those of res and y do
}

// unitValues are one value a channel.
type unitValues struct {
	mean, variance      []float32 // of the last batch
	invstd, center      []float32 // 1/deviation, -mean/deviation
	scale, shift, slope []float32 // nil: 1, 0, no activation
	a, b, c             []float32 // of the gradient
	dscale, dshift      []float32
	wide                []float64 // of two planes, to be summed over all parts of a batch
}

// foldInto makes a batch norm or bias part of the convolution that gives tensor x, and reports
// whether nothing else is left to do.
func (u *affine) foldInto(b *builder, x int) bool {
	maker := b.tensors[x].maker
	if maker < 0 || len(b.tensors[x].readers) > 0 {
		return false
	}
	c, ok := b.units[maker].(*convolution)
	if !ok || c.folded() || c.collect != nil {
		return false
	}
	c.norm, c.bias = u.norm, u.bias
	u.norm, u.bias = nil, nil
	return u.activation == nil && u.res == nil
}

func (u *affine) init(e *engine) {
	n := u.x.shape.C
	u.pass = kernel.NewAffine(n)
	if u.norm != nil {
		block := make([]float32, 11*n)
		for _, v := range []*[]float32{&u.mean, &u.variance, &u.invstd, &u.center, &u.scale, &u.shift, &u.a, &u.b, &u.c, &u.dscale, &u.dshift} {
			*v, block = block[:n:n], block[n:]
		}
	}
	if u.activation != nil && u.activation.Kind != PReLU {
		u.slope = make([]float32, n)
		for c := range u.slope {
			u.slope[c] = float32(u.activation.Alpha) // 0 of a ReLU
		}
	}
}

func (u *affine) load(e *engine) {
	if u.bias != nil {
		u.shift = e.own(u.bias.of(e.theta))
	}
	if u.activation != nil && u.activation.Kind == PReLU {
		u.slope = e.own(e.params[u.activation.params[0]].of(e.theta))
	}
	if u.norm != nil && e.fixed(u.norm) {
		mean, variance := e.statistics(u.norm)
		u.normalise(e, mean, variance)
	}
}

// fixed reports whether a norm's mean and variance are given, not those of the batch.
func (e *engine) fixed(norm *node) bool {
	return !e.training || norm.Kind == Scale || e.frozen != nil && e.params[norm.params[0]].Offset < e.frozenBelow
}

// formula is what the unit computes, but for the sum.
func (u *affine) formula(e *engine) kernel.Source {
	s := e.stored(u.x)
	s.Scale, s.Shift, s.Slope = u.scale, u.shift, u.slope
	return s
}

// gradientSums returns what gathers the sums of the unit's backward pass.
func (u *affine) gradientSums(e *engine) kernel.Collector {
	u.sums.Of(u.formula(e), u.invstd, u.center)
	return u.sums
}

// needsSums reports whether the backward pass has sums over the gradient of y to make.
func (u *affine) needsSums() bool {
	return u.norm != nil || u.bias != nil || u.activation != nil && u.activation.Kind == PReLU
}

// own returns x, in inference a copy, since the parameters may change after load.
func (e *engine) own(x []float32) []float32 {
	if e.training {
		return x
	}
	return slices.Clone(x)
}

// statistics returns the running mean and variance of a batch norm.
func (e *engine) statistics(d *node) (mean, variance []float32) {
	if d.Kind == Scale {
		n := e.params[d.params[0]].Len
		mean, variance = make([]float32, n), make([]float32, n)
		for c := range variance {
			variance[c] = 1
		}
		return mean, variance
	}
	if e.training {
		return e.stats[d.stats[0]].of(e.frozen), e.stats[d.stats[1]].of(e.frozen)
	}
	return e.stats[d.stats[0]].of(e.buffers), e.stats[d.stats[1]].of(e.buffers)
}

// normalise makes scale and shift of the norm's gain and bias:
//
//	gain (x - mean)/sqrt(variance + ε) + bias = x scale + shift
func (u *affine) normalise(e *engine, mean, variance []float32) {
	gain, bias := e.params[u.norm.params[0]].of(e.theta), e.params[u.norm.params[1]].of(e.theta)
	for c := range gain {
		inv := 1 / math.Sqrt(float64(variance[c])+u.norm.Epsilon)
		scale := float64(gain[c]) * inv
		u.invstd[c], u.center[c] = float32(inv), float32(-float64(mean[c])*inv)
		u.scale[c], u.shift[c] = float32(scale), float32(float64(bias[c])-float64(mean[c])*scale)
	}
}

func (u *affine) forward(e *engine) {
	if u.norm != nil && !e.fixed(u.norm) {
		if !u.collected {
			u.pass.Collect(e.pool, e.n, u.moments, e.stored(u.x))
		}
		u.measure(e)
		u.normalise(e, u.mean, u.variance)
	}
	if u.y.formula == nil {
		u.store(e)
	}
}

// store computes what the unit gives where it is kept.
func (u *affine) store(e *engine) {
	if u.y.half {
		u.pass.ForwardHalf(e.pool, e.n, kernel.Halves(u.y.data), e.layout(u.y), u.formula(e))
		return
	}
	u.write(e, u.y.data)
}

// write computes what the unit gives, in y. What it adds, if that is not stored, is computed there first.
func (u *affine) write(e *engine, y []float32) {
	var res []float32
	if u.res != nil {
		if res = u.res.data; u.res.formula != nil {
			u.res.formula.write(e, y)
			res = y
		}
	}
	l := e.layout(u.x)
	u.pass.Forward(e.pool, e.n, y, l, u.formula(e), res, l)
}

// backward, with g = dy prelu'(z), xhat = (x - mean)/deviation and means over the
// batch's pixels:
//
//	dbias = sum g,  dgain = sum g xhat,  dslope = sum dy min(z, 0),  dres = dy
//	dx = gain/deviation (g - mean(g) - xhat mean(g xhat))
func (u *affine) backward(e *engine) {
	dy, ly := u.y.grad, e.layout(u.y)
	var dshift, dscale, dslope []float32
	if u.bias != nil {
		dshift = u.bias.of(e.dTheta)
	}
	if u.norm != nil {
		dshift, dscale = u.dshift, u.dscale
	}
	if u.activation != nil && u.activation.Kind == PReLU {
		dslope = e.params[u.activation.params[0]].of(e.dTheta)
	}
	if u.sums != nil {
		if !u.summed {
			u.pass.Collect(e.pool, e.n, u.gradientSums(e), kernel.Source{X: dy, Layout: ly})
		}
		u.sums.Result(dshift, dscale, dslope)
	}
	if u.norm != nil {
		copy(e.params[u.norm.params[0]].of(e.dTheta), u.dscale)
		copy(e.params[u.norm.params[1]].of(e.dTheta), u.dshift)
		u.addParts(e)
		u.backwardFactors(e)
	}
	if u.res != nil && !u.resShared && u.res.maker >= 0 {
		u.addTo(e, u.res, dy, ly)
	}
	if u.source || u.inPlace && u.norm == nil && u.activation == nil {
		return
	}
	u.pass.BackwardApply(e.pool, e.n, u.x.grad, e.layout(u.x), dy, ly, u.formula(e), u.a, u.b, u.c, e.adds(u.index, u.x))
}

// backwardFactors makes of the sums the factors of dx = a g + b x + c. Where mean and variance are
// given, dx is gain/deviation g.
func (u *affine) backwardFactors(e *engine) {
	if e.fixed(u.norm) {
		copy(u.a, u.scale)
		clear(u.b)
		clear(u.c)
		return
	}
	pixels := u.pixels(e)
	for c := range u.a {
		a, inv := float64(u.scale[c]), float64(u.invstd[c])
		b := -a * inv * float64(u.dscale[c]) / pixels
		u.a[c], u.b[c] = float32(a), float32(b)
		u.c[c] = float32(-a*float64(u.dshift[c])/pixels - b*float64(u.mean[c]))
	}
}

// addTo passes the gradient dy on to t.
func (u *affine) addTo(e *engine, t *tensor, dy []float32, ly kernel.Layout) {
	lt := e.layout(t)
	var res []float32
	if e.adds(u.index, t) {
		res = t.grad
	}
	u.pass.Forward(e.pool, e.n, t.grad, lt, kernel.Source{X: dy, Layout: ly}, res, lt)
}

// updateBuffers moves the running statistics towards those of the last batch.
func (u *affine) updateBuffers(e *engine, buffers []float32) {
	if u.norm == nil || e.fixed(u.norm) {
		return
	}
	pixels := u.pixels(e)
	mean, variance := e.stats[u.norm.stats[0]].of(buffers), e.stats[u.norm.stats[1]].of(buffers)
	for c := range mean {
		mean[c] += defaultMomentum * (u.mean[c] - mean[c])
		unbiased := float32(float64(u.variance[c]) * pixels / max(1, pixels-1))
		variance[c] += defaultMomentum * (unbiased - variance[c])
	}
}
