package embed

import (
	"context"
	"errors"
	"fmt"
	"image"
	"sync"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/nn"
)

// Options say how an Embedder works. Embeddings do not depend on Threads.
type Options struct {
	Threads int // 0 means one for each processor
	// Batch is the images that go through the network at once; 0 means 32. With another one embeddings may
	// differ in their last bits: small ones are convolved in another way.
	Batch int
}

const defaultBatch = 32

// Embedder maps images to embeddings by a model and its contract. It may be used by several
// goroutines at a time, which take turns at the network: each use of it keeps all threads busy.
type Embedder struct {
	model *Model
	pool  *kernel.Pool
	batch int

	inputs sync.Pool // of *[]float32, each a batch of images

	mu     sync.Mutex // held while plan is in use
	plan   *nn.Inference
	closed bool
}

// ErrClosed is what an Embedder returns after Close.
var ErrClosed = errors.New("embed: the embedder is closed")

// Open returns an embedder of the model at path: a model file or a run folder.
func Open(path string) (*Embedder, error) { return OpenWith(path, Options{}) }

// OpenWith is Open with options.
func OpenWith(path string, o Options) (*Embedder, error) {
	m, err := Load(path)
	if err != nil {
		return nil, err
	}
	e, err := m.Embedder(o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return e, nil
}

// Embedder returns an embedder of the model as it is now: later changes of its parameters
// do not reach it. Close frees its threads and memory, which the garbage collector does not.
func (m *Model) Embedder(o Options) (*Embedder, error) {
	if o.Threads < 0 || o.Batch < 0 {
		return nil, fmt.Errorf("embed: %d threads and a batch of %d; want 0 or more", o.Threads, o.Batch)
	}
	if o.Batch == 0 {
		o.Batch = defaultBatch
	}
	if err := m.describe(); err != nil {
		return nil, err
	}
	e := &Embedder{model: m, pool: kernel.NewPool(o.Threads), batch: o.Batch}
	plan, err := nn.NewInference(m.Network, m.Theta, m.Buffers, o.Batch, nn.FP32, e.pool)
	if err != nil {
		e.pool.Close()
		return nil, err
	}
	e.plan = plan
	e.inputs.New = func() any {
		b := make([]float32, o.Batch*m.Contract.Len())
		return &b
	}
	return e, nil
}

// Model returns the model that the embedder was made of.
func (e *Embedder) Model() *Model { return e.model }

// Contract returns the model's preprocessing contract.
func (e *Embedder) Contract() Contract { return e.model.Contract }

// Dim returns the length of EmbedBatch's vectors. Embed's are twice as long where the
// contract's flip rule is FlipConcat: Contract().Dim(Dim()).
func (e *Embedder) Dim() int { return e.model.Dim() }

// Close frees the embedder's threads and memory. It waits for calls that are under way; later ones
// return ErrClosed.
func (e *Embedder) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.closed = true
		e.plan.Close()
		e.pool.Close()
	}
}

// Embed returns the embedding of a face under the contract's flip rule: f(x),
// f(x) + f(mirrored x), or both one after the other. It is not of unit length. The cosine
// of two embeddings says how alike two faces are.
func (e *Embedder) Embed(img image.Image) ([]float32, error) {
	flip := e.model.Contract.Flip
	n := 1
	if flip != FlipNone {
		n = 2
	}
	height, width := e.model.Contract.Height, e.model.Contract.Width
	straight := make([]float32, e.model.Contract.Len())
	if err := checkImages(img); err != nil {
		return nil, err
	}
	e.model.Contract.Pixels(straight, img)
	vectors, err := e.forward(context.Background(), n, func(i int, dst []float32) {
		if i == 0 {
			copy(dst, straight)
			return
		}
		mirrored(dst, straight, height, width)
	})
	if err != nil {
		return nil, err
	}
	switch flip {
	case FlipSum:
		for i, v := range vectors[1] {
			vectors[0][i] += v
		}
	case FlipConcat:
		return append(vectors[0], vectors[1]...), nil
	}
	return vectors[0], nil
}

// EmbedBatch returns f(x) for each image, in order; mirror images are for the caller to
// make. It is what evaluation asks of an embedder. It stops early when ctx is done.
func (e *Embedder) EmbedBatch(ctx context.Context, images []image.Image) ([][]float32, error) {
	if err := checkImages(images...); err != nil {
		return nil, err
	}
	return e.forward(ctx, len(images), func(i int, dst []float32) { e.model.Contract.Pixels(dst, images[i]) })
}

// checkImages returns an error if one has no pixels.
func checkImages(images ...image.Image) error {
	for i, img := range images {
		if img == nil || img.Bounds().Empty() {
			return fmt.Errorf("embed: image %d of %d has no pixels", i+1, len(images))
		}
	}
	return nil
}

// forward returns the network's output for n inputs, each written by fill, which is called
// from several goroutines.
func (e *Embedder) forward(ctx context.Context, n int, fill func(i int, dst []float32)) ([][]float32, error) {
	input := e.inputs.Get().(*[]float32)
	defer e.inputs.Put(input)
	size, dim := e.model.Contract.Len(), e.Dim()
	vectors := make([][]float32, 0, n)
	for start := 0; start < n; start += e.batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		count := min(e.batch, n-start)
		var wg sync.WaitGroup
		for i := range count {
			wg.Go(func() { fill(start+i, (*input)[i*size:][:size]) })
		}
		wg.Wait()
		out, err := e.run((*input)[:count*size], count)
		if err != nil {
			return nil, err
		}
		for i := range count {
			vectors = append(vectors, out[i*dim:][:dim:dim])
		}
	}
	return vectors, nil
}

// run returns a copy of the network's output [n, Dim].
func (e *Embedder) run(images []float32, n int) ([]float32, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	return append([]float32(nil), e.plan.Forward(images, n)...), nil
}
