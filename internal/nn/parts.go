package nn

// A batch may be split into parts of equal size, each with a Training of its own, in one process or several. What the parts have to tell
// each other on the way is here; the sum of their gradients is then that of the whole batch.

// SyncNorms makes batch norms take mean and variance over all parts of a batch, of which this Training sees one. sum replaces numbers
// by their sum over the parts, and is called as often, and in the same order, in all of them. A nil sum makes each
// part one for itself.
func (t *Training) SyncNorms(parts int, sum func(x []float64)) {
	t.parts, t.sum = parts, sum
}

// OnFinal makes Backward call f with each range of dTheta that it will not write to again, as soon as that is so: from the end of
// dTheta to its beginning. What is below the offset of FreezeParams is left out, as it is 0.
func (t *Training) OnFinal(f func(from, to int)) {
	t.onFinal = f
	// Parameters of units that the backward pass has still to come to end here.
	t.unwritten = make([]int, len(t.units))
	end := 0
	for i, u := range t.units {
		t.unwritten[i] = end
		for _, p := range paramsOf(u) {
			end = max(end, t.params[p].Offset+t.params[p].Len)
		}
	}
}

// final tells of gradients that nothing after unit i changes, where those from offset to on are told of; it returns the new offset.
func (t *Training) final(i, to int) int {
	if t.onFinal == nil {
		return to
	}
	from := max(t.still, t.unwritten[i])
	if from >= to {
		return to
	}
	t.onFinal(from, to)
	return from
}

// pixels returns how many pixels a norm's means are taken over.
func (u *affine) pixels(e *engine) float64 {
	n := e.n * u.x.shape.H * u.x.shape.W
	if e.sum != nil {
		n *= e.parts
	}
	return float64(n)
}

// planes returns memory for two float64 for each channel.
func (u *affine) planes() (first, second []float64) {
	n := u.x.shape.C
	if u.wide == nil {
		u.wide = make([]float64, 2*n)
	}
	return u.wide[:n], u.wide[n:]
}

// measure works out mean and variance of x.
func (u *affine) measure(e *engine) {
	if e.sum == nil {
		u.moments.Result(u.mean, u.variance)
		return
	}
	mean, square := u.planes()
	u.moments.Powers(mean, square)
	e.sum(u.wide)
	for c := range mean {
		m, s := mean[c]/float64(e.parts), square[c]/float64(e.parts)
		u.mean[c], u.variance[c] = float32(m), float32(max(0, s-m*m))
	}
}

// addParts makes dscale and dshift, the sums of this part, those of all.
func (u *affine) addParts(e *engine) {
	if e.sum == nil || e.fixed(u.norm) {
		return
	}
	scale, shift := u.planes()
	for c := range scale {
		scale[c], shift[c] = float64(u.dscale[c]), float64(u.dshift[c])
	}
	e.sum(u.wide)
	for c := range scale {
		u.dscale[c], u.dshift[c] = float32(scale[c]), float32(shift[c])
	}
}
