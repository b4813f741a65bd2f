package nn

import "github.com/faceverify/fv/internal/kernel"

// Training computes a network's embeddings of a batch, by the batch's own statistics,
// and the gradient of its parameters. It allocates nothing after NewTraining, and one
// goroutine at a time may use it.
type Training struct{}

// NewTraining works out training of batches of up to batch images, on the threads of pool.
func NewTraining(n *Network, batch int, pool *kernel.Pool) (*Training, error) { panic("todo") }

// Forward returns the embeddings [n, Dim] of images [n, H, W, C] under the parameters theta.
// The result is valid until the next Forward. n must not exceed the batch, and must be 2 or more where a batch norm of vectors
// is to have a variance.
func (t *Training) Forward(theta, images []float32, n int) []float32 { panic("todo") }

// Backward overwrites dTheta with the gradient with respect to theta, given dEmbedding
// [n, Dim], that with respect to the result of the last Forward, which had the same theta.
func (t *Training) Backward(theta, dEmbedding, dTheta []float32) { panic("todo") }

// UpdateBuffers moves the running statistics towards those of the last Forward's batch:
// r = 0.9 r + 0.1 s, with the unbiased variance, as PyTorch does.
func (t *Training) UpdateBuffers(buffers []float32) { panic("todo") }

// Dim returns the length of an embedding.
func (t *Training) Dim() int { panic("todo") }

// Bytes returns the size of the arena.
func (t *Training) Bytes() int { panic("todo") }
