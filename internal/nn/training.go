package nn

import (
	"fmt"
	"slices"
	"time"

	"github.com/faceverify/fv/internal/kernel"
)

// Training computes a network's embeddings of a batch, by the batch's own statistics,
// and the gradient of its parameters. It takes no memory after its first step, and one
// goroutine at a time may use it.
type Training struct {
	*plan
	still int // parameters below this offset are not trained
	first int // the first unit that has others

	onFinal   func(from, to int)
	unwritten []int // of each unit: see OnFinal
}

// NewTraining works out training on batches of up to batch images, on the threads of pool.
func NewTraining(n *Network, batch int, precision Precision, pool *kernel.Pool) (*Training, error) {
	p, err := newPlan(n, batch, precision, pool, true)
	if err != nil {
		return nil, err
	}
	return &Training{plan: p}, p.allocate()
}

// TrainingBytes returns the memory that NewTraining takes for activations and gradients, without
// taking it.
func TrainingBytes(n *Network, batch int, precision Precision) (int, error) {
	p, err := newPlan(n, batch, precision, nil, true)
	if err != nil {
		return 0, err
	}
	return 4 * p.layOut().floats, nil
}

// check panics where a call contradicts the network.
func (p *plan) check(theta, images []float32, n, batch int) {
	switch {
	case n < 1 || n > batch:
		panic(fmt.Sprintf("nn: %d images for a plan of %d", n, batch))
	case len(images) < n*p.net.nodes[0].shape.Len():
		panic("nn: images are too short")
	case theta != nil && len(theta) != Len(p.params):
		panic(fmt.Sprintf("nn: %d parameters for a network of %d", len(theta), Len(p.params)))
	}
}

// Forward returns the embeddings [n, Dim] of images [n, H, W, C] under the parameters theta.
// The result is valid until the next Forward. n is at most the batch; a batch norm of vectors
// needs at least 2 images to have a variance.
func (t *Training) Forward(theta, images []float32, n int) []float32 {
	t.check(theta, images, n, t.batch)
	t.theta = theta
	return t.forward(images, n)
}

// Backward overwrites dTheta with the gradient with respect to theta, given dEmbedding
// [n, Dim], that with respect to the result of the last Forward, which had the same theta and
// whose images have not changed.
func (t *Training) Backward(theta, dEmbedding, dTheta []float32) {
	if len(dTheta) != Len(t.params) {
		panic("nn: gradient of the wrong length")
	}
	t.theta, t.dTheta = theta, dTheta
	copy(t.tensors[t.output].grad, dEmbedding[:t.n*t.Dim()])
	t.watchEmbedding(dTheta)
	final := len(dTheta)
	for i, u := range slices.Backward(t.units) {
		if i < t.first {
			break
		}
		began := time.Now()
		if len(t.again.units) > 0 && i == t.again.before {
			t.runAgain()
			began = time.Now()
		}
		u.backward(&t.engine)
		t.took[i].backward += time.Since(began)
		t.watchBackward(i)
		final = t.final(i, final)
	}
	clear(dTheta[:t.still]) // also of frozen parameters in units that have others, as within a block
	if t.onFinal != nil && t.still < final {
		t.onFinal(t.still, final)
	}
}

// runAgain computes what is needed again.
func (t *Training) runAgain() {
	for i, u := range t.again.units {
		began := time.Now()
		y := t.again.gives[i]
		y.data = y.later
		switch u := u.(type) {
		case *convolution:
			u.load(&t.engine)
			u.compute(&t.engine, nil)
		case *affine:
			u.store(&t.engine)
		}
		t.took[y.maker].forward += time.Since(began)
	}
}

// UpdateBuffers moves the running statistics towards those of the last Forward's batch:
// r = 0.9 r + 0.1 s, with the unbiased variance, as PyTorch does.
func (t *Training) UpdateBuffers(buffers []float32) {
	for _, u := range t.units {
		if a, ok := u.(*affine); ok {
			a.updateBuffers(&t.engine, buffers)
		}
	}
}

// Close gives the memory back. Neither the value nor a result may be used afterwards.
func (t *Training) Close() { t.close() }
