package nn

import "github.com/faceverify/fv/internal/kernel"

// fuse finds what others can do for affine units while pixels are in a cache: compute what a unit gives as they read it,
// so that it need not be stored; and, convolutions, sum up the moments that it
// needs in the forward pass, and what it needs in the backward pass.
func (b *builder) fuse() {
	for _, u := range b.units {
		a, ok := u.(*affine)
		if !ok {
			continue
		}
		if a.res == nil && a.x.maker >= 0 && len(a.y.readers) > 0 && !b.isOutput(a.y) && (b.onlyConvolutions(a.y.readers) || b.onlySum(a.y)) {
			a.y.formula = a
		}
		if !b.training {
			continue
		}
		if a.norm != nil {
			a.moments = kernel.NewMoments(a.x.shape.C)
			if a.x.maker >= 0 {
				// Of several norms of one convolution the others see to it themselves.
				if c, ok := b.units[a.x.maker].(*convolution); ok && c.collect == nil {
					c.collect, a.collected = a.moments, true
				}
			}
		}
		if a.needsSums() {
			a.sums = kernel.NewGradientSums(a.x.shape.C)
			// The first reader is the last to write the gradient.
			if len(a.y.readers) > 0 {
				if c, ok := b.units[a.y.readers[0]].(*convolution); ok {
					c.sumsOf, a.summed = a, true
				}
			}
		}
	}
}

// onlySum reports whether all that reads t is a unit that adds it to what it gives.
func (b *builder) onlySum(t *tensor) bool {
	if len(t.readers) != 1 {
		return false
	}
	a, ok := b.units[t.readers[0]].(*affine)
	return ok && a.res == t
}

// halve decides which activations are stored in bfloat16: in the mixed precision, those that convolutions and affine units
// read and nobody adds up. Sums, which go through the whole network, stay float32.
func (b *builder) halve() {
	if b.precision != BF16 || !b.training {
		return
	}
	for _, t := range b.tensors[1:] {
		t.half = t.shape.C%32 == 0 && len(t.readers) > 0
		if a, ok := b.units[t.maker].(*affine); ok {
			t.half = t.half && a.res == nil && t.formula == nil
		} else if _, ok := b.units[t.maker].(*convolution); !ok {
			t.half = false
		}
		for _, r := range t.readers {
			switch u := b.units[r].(type) {
			case *convolution:
			case *affine:
				t.half = t.half && u.x == t
			default:
				t.half = false
			}
		}
	}
}

func (b *builder) onlyConvolutions(units []int) bool {
	for _, u := range units {
		if _, ok := b.units[u].(*convolution); !ok {
			return false
		}
	}
	return true
}
