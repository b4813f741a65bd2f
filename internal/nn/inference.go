package nn

import "github.com/faceverify/fv/internal/kernel"

// Inference computes a network's embeddings by its running statistics, which are folded into the
// weights. One goroutine at a time may use it.
type Inference struct {
	*plan
	batch int
	out   []float32   // [batch, Dim]
	more  [][]float32 // [batch, ...] of Network.Outputs
}

// inferenceGroup is the most images that go through the network together: enough to share out, and to read weights
// rarely, and few enough for their activations to stay in a cache.
const inferenceGroup = 16

// NewInference works out inference on batches of up to batch images under the given
// parameters and buffers, which it copies what it needs of.
func NewInference(n *Network, theta, buffers []float32, batch int, precision Precision, pool *kernel.Pool) (*Inference, error) {
	p, err := newPlan(n, min(batch, inferenceGroup), precision, pool, false)
	if err != nil {
		return nil, err
	}
	if err := p.allocate(); err != nil {
		return nil, err
	}
	f := &Inference{plan: p, batch: batch, out: make([]float32, batch*p.Dim())}
	for _, t := range p.outputs {
		f.more = append(f.more, make([]float32, batch*p.tensors[t].shape.Len()))
	}
	f.Load(theta, buffers)
	return f, nil
}

// Load changes the parameters and buffers. It panics if their lengths are not the network's.
func (f *Inference) Load(theta, buffers []float32) {
	if len(theta) != Len(f.params) || len(buffers) != Len(f.stats) {
		panic("nn: parameters or buffers of the wrong length")
	}
	f.theta, f.buffers = theta, buffers
	for _, u := range f.units {
		u.load(&f.engine)
	}
	f.theta, f.buffers = nil, nil
}

// Forward returns the embeddings [n, Dim] of images [n, H, W, C], valid until the next Forward.
func (f *Inference) Forward(images []float32, n int) []float32 {
	f.check(nil, images, n, f.batch)
	each, dim := f.net.nodes[0].shape.Len(), f.Dim()
	for i := 0; i < n; i += f.plan.batch {
		count := min(f.plan.batch, n-i)
		copy(f.out[i*dim:], f.forward(images[i*each:], count))
		for k, t := range f.outputs {
			t := f.tensors[t]
			copy(f.more[k][i*t.shape.Len():], t.data[:count*t.shape.Len()])
		}
	}
	return f.out[:n*dim]
}

// Output returns the i-th of Network.Outputs for the n images of the last Forward, [n, H, W, C], and its size. It is valid until
// the next Forward.
func (f *Inference) Output(i, n int) ([]float32, Shape) {
	s := f.tensors[f.outputs[i]].shape
	return f.more[i][:n*s.Len()], s
}

// Close gives the memory back. Neither the value nor a result may be used afterwards.
func (f *Inference) Close() { f.close() }
