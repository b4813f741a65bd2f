package nn

import "github.com/faceverify/fv/internal/random"

// Init fills the parameters theta and the buffers with the initial values of
// PyTorch's modules: weights and biases of convolutions and linear layers uniform on
// ±1/sqrt(fan in), gains 1, PReLU slopes 0.25, running means 0 and variances 1.
// It panics unless the lengths are those of Params and Buffers.
func (n *Network) Init(theta, buffers []float32, seed uint64) {
	fill := func(dst []float32, tensors []Param) {
		if len(dst) != Len(tensors) {
			panic("nn: Init of slices of the wrong length")
		}
		for i, p := range tensors {
			part := dst[p.Offset:][:p.Len]
			if p.low == p.high {
				for k := range part {
					part[k] = p.low
				}
				continue
			}
			rng := random.New(seed, random.Init, 0, i)
			for k := range part {
				part[k] = p.low + (p.high-p.low)*rng.Float32()
			}
		}
	}
	fill(theta, n.Params())
	fill(buffers, n.Buffers())
}
