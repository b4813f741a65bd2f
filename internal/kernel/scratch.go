package kernel

// Scratch is memory that convolutions share, since one works at a time: what a pass leaves there lasts until
// another pass of a convolution with the same Scratch, or a load of its weights. The zero value is ready to use.
type Scratch struct {
	// Keep gives each convolution memory of its own for the weights of Load, so that they last: for
	// inference, which loads once.
	Keep bool

	packed, first []float32
	pairs         []Pair
}

// weights returns memory for n floats of packed weights; own is what the convolution has of its own.
func (s *Scratch) weights(own *[]float32, n int) []float32 {
	if s.Keep {
		return take(own, n)
	}
	return take(&s.packed, n)
}

// pairWeights is weights for pairs.
func (s *Scratch) pairWeights(own *[]Pair, n int) []Pair {
	if s.Keep {
		return take(own, n)
	}
	return take(&s.pairs, n)
}

// take returns the first n elements of *x, which it makes anew if it is too short. Their values are any.
func take[T any](x *[]T, n int) []T {
	if len(*x) < n {
		*x = room[T](n)
	}
	return (*x)[:n]
}
