package nn

import "math"

// FreezeNorms makes the batch norms whose parameters lie below an offset of theta take their mean and variance from buffers, which
// UpdateBuffers then leaves alone, from the next Forward on. The others take the batch's; a nil buffers means all do.
func (t *Training) FreezeNorms(buffers []float32, below int) {
	if buffers != nil && len(buffers) != Len(t.stats) {
		panic("nn: buffers of the wrong length")
	}
	t.frozen, t.frozenBelow = buffers, below
}

// FreezeParams says that parameters below an offset of theta are not trained: Backward does not work out their
// gradient, which is 0. It begins at the first unit that has others.
func (t *Training) FreezeParams(below int) {
	t.still, t.first = below, 0
	if below == 0 {
		return
	}
	t.first = len(t.units)
	for i, u := range t.units {
		for _, p := range paramsOf(u) {
			if t.params[p].Offset >= below {
				t.first = i
				return
			}
		}
	}
}

// paramsOf returns the indices of a unit's parameters.
func paramsOf(u unit) []int {
	switch u := u.(type) {
	case *convolution:
		return u.params
	case *linear:
		return u.params
	case *general:
		return u.params
	case *affine:
		var all []int
		for _, d := range []*node{u.norm, u.activation} {
			if d != nil {
				all = append(all, d.params...)
			}
		}
		return all
	}
	return nil
}

// AllNorms is an offset that is above all parameters.
const AllNorms = math.MaxInt
