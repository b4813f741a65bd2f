package nn

import (
	"fmt"
	"slices"
	"time"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/offheap"
)

// tensor is what one unit gives and others read: the activations of a batch and, in training,
// the gradient of the loss with respect to them.
type tensor struct {
	shape      Shape
	data, grad []float32

	maker   int   // the unit that gives it; -1: the network's input
	readers []int // units
	kept    bool  // the backward pass reads data
	half    bool  // data are in bfloat16

	// formula is set where no memory holds the data: what reads them computes them from those of formula.x.
	formula *affine
	// early and later are where the data are in the forward and in the backward pass, if they are computed again for that.
	early, later []float32
}

// source returns a tensor as convolutions read it.
func (e *engine) source(t *tensor) kernel.Source {
	if u := t.formula; u != nil {
		return u.formula(e)
	}
	return e.stored(t)
}

// stored returns a tensor as it lies in memory.
func (e *engine) stored(t *tensor) kernel.Source {
	if t.half {
		return kernel.Source{Half: kernel.Halves(t.data), Layout: e.layout(t)}
	}
	return kernel.Source{X: t.data, Layout: e.layout(t)}
}

// adds reports whether a unit's backward pass adds to the gradient of x, another having written it.
func (e *engine) adds(unit int, x *tensor) bool { return unit != x.lastReader() }

// unit is what is executed as one: a convolution, or all that follows it up to the next.
type unit interface {
	// init takes what does not change from pass to pass.
	init(e *engine)
	// load prepares for the parameters theta, in inference also for the buffers.
	load(e *engine)
	forward(e *engine)
	// backward reads the gradient of what the unit gave, and writes, or adds to, that
	// of what it read, and writes its part of e.dTheta.
	backward(e *engine)
	// String and macs say what the unit does, for Timings.
	fmt.Stringer
	macs() (forward, backward int)
}

// plan is a network made into units, with memory for a batch.
type plan struct {
	engine
	units   []unit
	tensors []*tensor // 0 is the network's input
	output  int
	outputs []int // tensors of Network.Outputs
	net     *resolved
	arena   []float32
	bytes   int
	took    []took // of each unit
	again   again
	watch   watch
}

// again says which units are run a second time, for the backward pass of unit before and those after it: the network's first
// convolution, which has few channels to read, and an affine unit that reads it. That is cheaper than to keep what they give.
type again struct {
	units  []unit
	gives  []*tensor
	before int
}

// engine is what units need to know of the pass under way.
type engine struct {
	params    []Param
	stats     []Param // the buffers
	pool      *kernel.Pool
	batch     int // largest
	training  bool
	precision Precision
	scratch   *kernel.Scratch
	theta     []float32
	buffers   []float32
	// In training, buffers that batch norms take whose parameters lie below an offset; nil for none.
	frozen      []float32
	frozenBelow int
	dTheta      []float32
	n           int // images
	parts       int // that batch norms take their means over: see Training.SyncNorms
	sum         func([]float64)
}

// builder collects units while it walks through the layers.
type builder struct {
	*plan
	of    []int   // the tensor of each node; -1 where a node is inside of a unit
	flat  []Shape // of each node before it was flattened
	uses  []int   // how many nodes read a node
	first []int   // the only node that does, or the first one
	done  []bool
}

// newPlan makes the units and tensors of a network; no memory is taken yet.
func newPlan(n *Network, batch int, precision Precision, pool *kernel.Pool, training bool) (*plan, error) {
	r, err := n.resolve()
	if err != nil {
		return nil, err
	}
	if batch < 1 {
		return nil, fmt.Errorf("nn: a batch of %d", batch)
	}
	p := &plan{net: r, engine: engine{params: r.params, stats: r.buffers, pool: pool, batch: batch, training: training, precision: precision, scratch: &kernel.Scratch{Keep: !training}}}
	b := &builder{plan: p, of: make([]int, len(r.nodes)), flat: make([]Shape, len(r.nodes)),
		uses: make([]int, len(r.nodes)), first: make([]int, len(r.nodes)), done: make([]bool, len(r.nodes))}
	for i, d := range r.nodes {
		b.flat[i] = d.shape
		for _, k := range d.in {
			if b.uses[k]++; b.uses[k] == 1 {
				b.first[k] = i
			}
		}
	}
	last := len(r.nodes) - 1
	for _, k := range r.outputs {
		b.uses[k]++ // none is alone in reading it
	}
	for i, d := range r.nodes[:last] {
		if b.uses[i] == 0 {
			return nil, fmt.Errorf("nn: nothing reads layer %q", d.Name)
		}
	}
	if s := r.nodes[last].shape; len(r.outputs) == 0 && (s.H != 1 || s.W != 1) {
		return nil, fmt.Errorf("nn: %s gives %v, want a vector", n.Name, s)
	}
	p.tensors = []*tensor{{shape: n.Input, maker: -1}}
	b.done[0] = true
	for i := 1; i <= last; i++ {
		if b.done[i] {
			continue
		}
		b.layer(i)
		if !b.done[i] {
			return nil, fmt.Errorf("nn: layer %q of %s adds something to itself", r.nodes[i].Name, n.Name)
		}
	}
	p.output = b.of[last]
	for _, k := range r.outputs {
		p.outputs = append(p.outputs, b.of[k])
	}
	b.fuse()
	b.halve()
	if err := p.checkTraining(); err != nil {
		return nil, err
	}
	if p.output == 0 || len(p.tensors[p.output].readers) > 0 && !slices.Contains(p.outputs, p.output) {
		return nil, fmt.Errorf("nn: the last layer of %s gives nothing of its own", n.Name)
	}
	return p, nil
}

// add makes a tensor that the next unit gives.
func (b *builder) add(shape Shape) int {
	b.tensors = append(b.tensors, &tensor{shape: shape, maker: len(b.units)})
	return len(b.tensors) - 1
}

// read notes that the next unit reads tensor t, and whether it reads it again in the backward pass.
func (b *builder) read(t int, kept bool) *tensor {
	x := b.tensors[t]
	x.readers = append(x.readers, len(b.units))
	x.kept = x.kept || kept
	return x
}

// layer makes the unit of node i, and of those after it that it can take along.
func (b *builder) layer(i int) {
	d := &b.net.nodes[i]
	if _, ok := moreKinds[d.Kind]; ok && d.Kind != Scale && d.Kind != LeakyReLU {
		b.general(i)
		return
	}
	in := b.of[d.in[0]]
	b.done[i] = true
	switch d.Kind {
	case Flatten:
		// A view: what reads it knows the order of channels and pixels by b.flat.
		b.of[i], b.flat[i] = in, b.flat[d.in[0]]
	case Convolution:
		b.convolution(i, in)
	case Linear:
		x, out := b.read(in, true), b.add(d.shape)
		b.units = append(b.units, &linear{index: len(b.units), node: d, from: b.flat[d.in[0]], x: x, y: b.tensors[out], source: in == 0})
		b.of[i] = out
		b.chain(i, d.Bias)
	default:
		b.done[i] = false
		b.of[i] = -1
		b.convolutionsOf(d.in[0], i)
		b.chainFrom(d.in[0], i, false)
	}
}

// convolutionsOf makes the units of convolutions after node i that read node in as well. In the backward pass they
// then come after the affine unit of node i, whose gradients can share memory: the first to write one overwrites it.
func (b *builder) convolutionsOf(in, i int) {
	for j := i + 1; j < len(b.net.nodes); j++ {
		if d := &b.net.nodes[j]; d.Kind == Convolution && d.in[0] == in && !b.done[j] {
			b.layer(j)
		}
	}
}

// next returns the node that is alone in reading node i, or 0.
func (b *builder) next(i int) int {
	if b.uses[i] != 1 {
		return 0
	}
	return b.first[i]
}

// chain adds to the convolution or linear layer that is node i an affine unit of what
// follows it; bias says that it has one.
func (b *builder) chain(i int, bias bool) {
	b.chainFrom(i, b.next(i), bias)
}

// chainFrom makes an affine unit of the bias of node i and of as many nodes from j on as one
// pass can do: batch norm, activation, sum, in that order and each optional.
func (b *builder) chainFrom(i, j int, bias bool) {
	x := b.of[i]
	u := &affine{index: len(b.units), source: x == 0}
	if bias {
		u.bias = &b.net.params[b.net.nodes[i].params[1]]
	}
	end := i
	take := func() {
		b.done[j] = true
		end = j
		j = b.next(j)
	}
	at := func(kinds ...Kind) bool {
		if j == 0 || b.flat[end] != b.net.nodes[end].shape {
			return false
		}
		for _, k := range kinds {
			if b.net.nodes[j].Kind == k {
				return true
			}
		}
		return false
	}
	if at(BatchNorm, Scale) && !bias {
		u.norm = &b.net.nodes[j]
		take()
	}
	if at(PReLU, ReLU, LeakyReLU) {
		u.activation = &b.net.nodes[j]
		take()
	}
	if at(Add) {
		in := b.net.nodes[j].in
		other := in[0] + in[1] - end
		// A unit that added its own input would have two gradients to pass to one tensor.
		if other != end && b.done[other] && b.of[other] != x && b.flat[other] == b.net.nodes[other].shape {
			u.res = b.tensors[b.of[other]]
			b.read(b.of[other], false)
			take()
		}
	}
	if end == i && !bias {
		b.epilogue(end, x)
		return
	}
	// Where others read the convolution too, they want it as it is.
	if !b.training && (u.norm == nil || b.uses[i] == 1) && u.foldInto(b, x) {
		b.of[end] = x
		b.epilogue(end, x)
		return
	}
	u.x = b.read(x, true)
	out := b.add(b.net.nodes[end].shape)
	u.y = b.tensors[out]
	b.units = append(b.units, u)
	b.of[end] = out
	if bias && end == i {
		// The layer's own node is what others refer to; a batch norm may follow.
		b.chain(i, false)
	}
}

// layout returns where the pixels of a tensor and of its gradient lie: without borders, which kernels make for
// themselves, so that all memory is alike.
func (e *engine) layout(t *tensor) kernel.Layout {
	return kernel.Layout{N: e.batch, H: t.shape.H, W: t.shape.W, C: t.shape.C}
}

// param returns a parameter's part of a flat slice.
func (p *Param) of(theta []float32) []float32 { return theta[p.Offset:][:p.Len:p.Len] }

// allocate takes memory for all tensors and readies the units.
func (p *plan) allocate() (err error) {
	m := p.layOut()
	p.bytes = 4 * m.floats
	if p.arena, err = offheap.Floats(m.floats); err != nil {
		return err
	}
	for _, s := range m.spans {
		for _, at := range s.at {
			*at = p.arena[s.offset:][:s.floats:s.floats]
		}
	}
	p.took = make([]took, len(p.units))
	for _, u := range p.units {
		u.init(&p.engine)
	}
	return nil
}

// forward runs the units, in training on newly loaded parameters, and returns the last one's output.
func (p *plan) forward(images []float32, n int) []float32 {
	p.n = n
	p.tensors[0].data = images
	for _, t := range p.again.gives {
		t.data = t.early
	}
	for i, u := range p.units {
		began := time.Now()
		if p.training {
			u.load(&p.engine)
		}
		u.forward(&p.engine)
		p.took[i].forward += time.Since(began)
		p.watchForward(i)
	}
	return p.tensors[p.output].data[:n*p.Dim()]
}

// Dim returns the length of an embedding.
func (p *plan) Dim() int { return p.tensors[p.output].shape.Len() }

// Bytes returns the size of the activations and gradients.
func (p *plan) Bytes() int { return p.bytes }

// close gives the memory back.
func (p *plan) close() {
	offheap.FreeFloats(p.arena)
	p.arena = nil
}
