package nn

import (
	"fmt"
	"strings"

	"github.com/faceverify/fv/internal/kernel"
)

// general is a unit of one layer that is neither a convolution, nor linear, nor part of an affine pass.
type general struct {
	*node
	index int
	xs    []*tensor
	y     *tensor
	op    operation
}

// general makes the unit of node i.
func (b *builder) general(i int) {
	d := &b.net.nodes[i]
	b.done[i] = true
	u := &general{node: d, index: len(b.units), op: moreKinds[d.Kind].make(d)}
	for _, k := range d.in {
		u.xs = append(u.xs, b.read(b.of[k], true))
	}
	out := b.add(d.shape)
	u.y = b.tensors[out]
	b.units = append(b.units, u)
	b.of[i] = out
}

// checkTraining returns an error if the plan is for training and cannot be.
func (p *plan) checkTraining() error {
	if !p.training {
		return nil
	}
	if len(p.outputs) > 0 {
		return fmt.Errorf("nn: a network of several outputs cannot be trained here")
	}
	for _, u := range p.units {
		switch u := u.(type) {
		case *general:
			_, ok := u.op.(trainable)
			if some, only := u.op.(interface{ trains(u *general) bool }); only {
				ok = some.trains(u)
			}
			if !ok {
				return fmt.Errorf("nn: layer %q: a %s layer is for inference only", u.Name, strings.TrimSpace(string(u.Kind)+" "+u.Function))
			}
		case *convolution:
			if u.win.dilationH > 1 || u.win.dilationW > 1 {
				return fmt.Errorf("nn: layer %q: a dilated convolution is for inference only", u.Name)
			}
		}
	}
	return nil
}

// isOutput reports whether t is one of Network.Outputs.
func (p *plan) isOutput(t *tensor) bool {
	for _, k := range p.outputs {
		if p.tensors[k] == t {
			return true
		}
	}
	return false
}

func (u *general) init(e *engine)    { u.op.init(e, u) }
func (u *general) forward(e *engine) { u.op.forward(e, u) }

func (u *general) load(e *engine) {
	if l, ok := u.op.(interface{ load(e *engine, u *general) }); ok {
		l.load(e, u)
	}
}

func (u *general) backward(e *engine) { u.op.(trainable).backward(e, u) }

// adds reports whether the gradient of input i is added to what is there, and whether there is one at all.
func (u *general) adds(e *engine, i int) (add, wanted bool) {
	x := u.xs[i]
	if x.maker < 0 {
		return false, false
	}
	for _, before := range u.xs[:i] {
		if before == x {
			return true, true
		}
	}
	return e.adds(u.index, x), true
}

func (u *general) macs() (forward, backward int) {
	if u.Kind == Transposed {
		forward = u.from.Len() * u.Out / u.Groups * u.Kernel * u.KernelWidth
	}
	return forward, 0
}

func (u *general) String() string {
	name := string(u.Kind)
	if u.Function != "" {
		name += " " + u.Function
	}
	return fmt.Sprintf("%s, %v to %v", name, u.from, u.shape)
}

// of returns an image of a tensor's data.
func (t *tensor) image(n int) []float32 { return t.data[n*t.shape.Len():][:t.shape.Len()] }

// gradientOf returns the gradient of one.
func (t *tensor) gradientOf(n int) []float32 { return t.grad[n*t.shape.Len():][:t.shape.Len()] }

// chunkFloats is how many numbers a chunk of work on numbers one by one has.
const chunkFloats = 1 << 14

// inChunks cuts n numbers into chunks and calls f for the bounds of each, on all threads.
func inChunks(p *kernel.Pool, n int, f func(lo, hi int)) {
	chunks := (n + chunkFloats - 1) / chunkFloats
	p.Run(chunks, func(i int) { f(i*chunkFloats, min(n, (i+1)*chunkFloats)) })
}

// inRows calls f for each row of each of n images, on all threads.
func inRows(p *kernel.Pool, n, h int, f func(image, y int)) {
	p.Run(n*h, func(i int) { f(i/h, i%h) })
}
