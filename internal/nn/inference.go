package nn

import (
	"iter"
	"time"

	"github.com/faceverify/fv/internal/kernel"
)

// Inference computes a network's embeddings by its running statistics, which are folded into the
// weights. One goroutine at a time may use it.
type Inference struct {
	*plan         // all threads work on the same images
	each  private // or each on its own
	batch int
	out   []float32   // [batch, Dim]
	more  [][]float32 // [batch, ...] of Network.Outputs
}

const (
	// inferenceGroup is the most images that go through the network together: enough to share out, and to read weights
	// rarely, and few enough for their activations to stay in a cache.
	inferenceGroup = 16
	// inferenceSmall is how many parameters a network has at most of which each thread gets a copy, to work on images
	// of its own: then activations stay in its core's cache, and no thread waits for another after each layer.
	inferenceSmall = 2 << 20
	// inferenceCache is how many floats of activations those images have at most, unless it is one.
	inferenceCache = 128 << 10
)

// NewInference works out inference on batches of up to batch images under the given
// parameters and buffers, which it copies what it needs of.
func NewInference(n *Network, theta, buffers []float32, batch int, precision Precision, pool *kernel.Pool) (*Inference, error) {
	f := &Inference{batch: batch}
	group := min(batch, inferenceGroup)
	var err error
	if f.plan, err = newInferencePlan(n, group, precision, pool); err != nil {
		return nil, err
	}
	if batch > 1 && Len(f.params) <= inferenceSmall {
		group = max(1, min(group, inferenceCache/(f.bytes/4/group)))
		f.close()
		if f.plan, err = newInferencePlan(n, group, precision, pool); err != nil {
			return nil, err
		}
		if err := f.each.init(n, group, precision, pool); err != nil {
			f.Close()
			return nil, err
		}
	}
	f.out = make([]float32, batch*f.Dim())
	for _, t := range f.outputs {
		f.more = append(f.more, make([]float32, batch*f.tensors[t].shape.Len()))
	}
	f.Load(theta, buffers)
	return f, nil
}

func newInferencePlan(n *Network, batch int, precision Precision, pool *kernel.Pool) (*plan, error) {
	p, err := newPlan(n, batch, precision, pool, false)
	if err != nil {
		return nil, err
	}
	return p, p.allocate()
}

// Load changes the parameters and buffers. It panics if their lengths are not the network's.
func (f *Inference) Load(theta, buffers []float32) {
	if len(theta) != Len(f.params) || len(buffers) != Len(f.stats) {
		panic("nn: parameters or buffers of the wrong length")
	}
	for p := range f.plans() {
		p.theta, p.buffers = theta, buffers
		for _, u := range p.units {
			u.load(&p.engine)
		}
		p.theta, p.buffers = nil, nil
	}
}

// plans yields the plan of all threads and those of each.
func (f *Inference) plans() iter.Seq[*plan] {
	return func(yield func(*plan) bool) {
		if !yield(f.plan) {
			return
		}
		for _, p := range f.each.plans {
			if !yield(p) {
				return
			}
		}
	}
}

// Forward returns the embeddings [n, Dim] of images [n, H, W, C], valid until the next Forward.
func (f *Inference) Forward(images []float32, n int) []float32 {
	f.check(nil, images, n, f.batch)
	if groups := (n + f.plan.batch - 1) / f.plan.batch; groups > 1 && groups >= len(f.each.plans) && len(f.each.plans) > 0 {
		f.each.run(f.pool, groups, func(p *plan, group int) { f.group(p, images, n, group) })
	} else {
		for group := range groups {
			f.group(f.plan, images, n, group)
		}
	}
	return f.out[:n*f.Dim()]
}

// group computes the embeddings of a group of the n images.
func (f *Inference) group(p *plan, images []float32, n, group int) {
	i := group * p.batch
	count := min(p.batch, n-i)
	copy(f.out[i*f.Dim():], p.forward(images[i*p.net.nodes[0].shape.Len():], count))
	for k, t := range p.outputs {
		t := p.tensors[t]
		copy(f.more[k][i*t.shape.Len():], t.data[:count*t.shape.Len()])
	}
}

// private are plans of which each is for one thread.
type private struct {
	plans []*plan
	free  chan *plan
}

func (e *private) init(n *Network, batch int, precision Precision, pool *kernel.Pool) error {
	if pool.Threads() == 1 {
		return nil
	}
	e.free = make(chan *plan, pool.Threads())
	for range pool.Threads() {
		p, err := newInferencePlan(n, batch, precision, kernel.NewPool(1))
		if err != nil {
			return err
		}
		e.plans = append(e.plans, p)
		e.free <- p
	}
	return nil
}

// run calls f for each group, with a plan that no other thread has meanwhile.
func (e *private) run(pool *kernel.Pool, groups int, f func(p *plan, group int)) {
	pool.Run(groups, func(group int) {
		p := <-e.free
		f(p, group)
		e.free <- p
	})
}

// Timings returns what each unit took in all passes since the last call, in the order of the forward pass. Where each thread has images of its own
// that is the mean of the threads.
func (f *Inference) Timings() []Timing {
	sum := f.plan.Timings()
	for _, p := range f.each.plans {
		for i, t := range p.Timings() {
			sum[i].Forward += t.Forward / time.Duration(len(f.each.plans))
		}
	}
	return sum
}

// Bytes returns the size of the activations.
func (f *Inference) Bytes() (bytes int) {
	for p := range f.plans() {
		bytes += p.bytes
	}
	return bytes
}

// Output returns the i-th of Network.Outputs for the n images of the last Forward, [n, H, W, C], and its size. It is valid until
// the next Forward.
func (f *Inference) Output(i, n int) ([]float32, Shape) {
	s := f.tensors[f.outputs[i]].shape
	return f.more[i][:n*s.Len()], s
}

// Close gives the memory back. Neither the value nor a result may be used afterwards.
func (f *Inference) Close() {
	for p := range f.plans() {
		p.close()
	}
}
