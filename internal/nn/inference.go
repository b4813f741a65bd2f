package nn

import "github.com/faceverify/fv/internal/kernel"

// Inference computes a network's embeddings by its running statistics, which are folded into the
// weights. One goroutine at a time may use it.
type Inference struct{}

// NewInference works out inference on batches of up to batch images under the given
// parameters and buffers, which it copies what it needs of.
func NewInference(n *Network, theta, buffers []float32, batch int, pool *kernel.Pool) (*Inference, error) {
	panic("todo")
}

// Forward returns the embeddings [n, Dim] of images [n, H, W, C], valid until the next Forward.
func (f *Inference) Forward(images []float32, n int) []float32 { panic("todo") }

// Dim returns the length of an embedding.
func (f *Inference) Dim() int { panic("todo") }

// Bytes returns the size of the arena and the packed weights.
func (f *Inference) Bytes() int { panic("todo") }
