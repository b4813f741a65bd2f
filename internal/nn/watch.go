package nn

import "github.com/faceverify/fv/internal/kernel"

// watch looks for the first unit of a pass that gives what is not finite.
type watch struct {
	on    bool
	fault string // "" as long as there was none
	at    int    // how many units had been looked at by then
}

// Watch turns checks of what each layer gives on or off. They cost as much time as a pass, and are for a step that is
// known to be at fault.
func (t *Training) Watch(on bool) { t.watch = watch{on: on} }

// Fault says in words where NaN or an infinity came up first since checks were turned on, such as "layer conv1 (forward)", or "".
func (t *Training) Fault() string { return t.watch.fault }

// FaultAt returns how many layers, there and back, had given what is finite before: of several parts of a batch, the fault is in that
// where it came up first.
func (t *Training) FaultAt() int { return t.watch.at }

// watching reports whether there is a fault left to find.
func (p *plan) watching() bool { return p.watch.on && p.watch.fault == "" }

// watchForward looks at what unit i has given.
func (p *plan) watchForward(i int) {
	if !p.watching() {
		return
	}
	p.watch.at++
	for _, t := range p.tensors {
		if t.maker == i && t.formula == nil && !p.finite(t) {
			p.watch.fault = "layer " + layerName(p.units[i]) + " (forward)"
		}
	}
}

// finite reports whether a tensor's data are.
func (p *plan) finite(t *tensor) bool {
	n := p.n * t.shape.Len()
	if !t.half {
		return kernel.AllFinite(p.pool, t.data[:n])
	}
	const exponent = 0x7f80 // of a bfloat16, all ones
	pairs := kernel.Halves(t.data)
	for i := range n {
		if pairs[i/2]>>(16*(i&1))&exponent == exponent {
			return false
		}
	}
	return true
}

// watchEmbedding looks at the gradient that a backward pass begins with. Others are cleared, as they may be those of a pass that
// was not finite.
func (t *Training) watchEmbedding(dTheta []float32) {
	if !t.watching() {
		return
	}
	clear(dTheta)
	if !kernel.AllFinite(t.pool, t.tensors[t.output].grad[:t.n*t.Dim()]) {
		t.watch.fault = "the gradient of the loss with respect to the embeddings"
	}
}

// watchBackward looks at the gradients that unit i has written.
func (t *Training) watchBackward(i int) {
	if !t.watching() {
		return
	}
	t.watch.at++
	ok := kernel.AllFinite(t.pool, t.dTheta)
	for _, x := range t.tensors[1:] {
		if len(x.readers) > 0 && x.lastReader() == i && x.formula == nil && len(x.grad) > 0 {
			ok = ok && kernel.AllFinite(t.pool, x.grad[:t.n*x.shape.Len()])
		}
	}
	if !ok {
		t.watch.fault = "layer " + layerName(t.units[i]) + " (backward)"
	}
}

// layerName returns the name of the layer that a unit begins with.
func layerName(u unit) string {
	switch u := u.(type) {
	case *convolution:
		return u.Name
	case *linear:
		return u.Name
	case *affine:
		switch {
		case u.norm != nil:
			return u.norm.Name
		case u.activation != nil:
			return u.activation.Name
		case u.bias != nil:
			return u.bias.Name
		}
	}
	return u.String()
}
