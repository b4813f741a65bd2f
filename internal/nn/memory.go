package nn

import "slices"

// span is a stretch of time over which tensors' data or gradients must keep their memory. Unit u's
// forward pass has time u, its backward pass 2U-1-u.
type span struct {
	floats     int
	start, end int
	at         []*[]float32 // who lies there, one after another
	offset     int
}

// memory says where everything lies.
type memory struct {
	spans  []*span
	floats int
}

// layOut gives every tensor its place.
func (p *plan) layOut() memory {
	p.findAgain()
	var spans []*span
	for i, t := range p.tensors[1:] {
		if t.formula != nil {
			continue
		}
		forward, backward := p.uses(t)
		forward = append(forward, t.maker)
		s := p.dataSpan(t, &t.data, t.maker, slices.Max(append(forward, backward...)))
		if i+1 == p.output || p.isOutput(t) {
			s.end = p.backwardTime(0)
		}
		if slices.Contains(p.again.gives, t) {
			spans = append(spans, p.dataSpan(t, &t.later, p.backwardTime(p.again.before), s.end))
			s.end = slices.Max(forward)
			s.at = append(s.at, &t.early)
		}
		spans = append(spans, s)
	}
	if p.training {
		spans = append(spans, p.gradients()...)
	}
	return pack(spans)
}

// findAgain decides what is computed again for the backward pass.
func (p *plan) findAgain() {
	if !p.training {
		return
	}
	p.again.before = -1
	add := func(u unit, t *tensor) {
		p.again.units, p.again.gives = append(p.again.units, u), append(p.again.gives, t)
		_, backward := p.uses(t)
		for _, time := range backward {
			p.again.before = max(p.again.before, p.backwardTime(time))
		}
	}
	c, ok := p.units[0].(*convolution)
	if !ok || c.y == p.tensors[p.output] {
		return
	}
	add(c, c.y)
	for _, r := range c.y.readers {
		if a, ok := p.units[r].(*affine); ok && a.x == c.y && a.res == nil && a.y.formula == nil && a.y != p.tensors[p.output] {
			add(a, a.y)
		}
	}
}

// span returns the span of a tensor's gradient, or of its data if those are float32.
func (p *plan) span(t *tensor, at *[]float32, start, end int) *span {
	const line = 16 // floats in a cache line
	return &span{floats: roundUp(p.layout(t).Len(), line), start: start, end: end, at: []*[]float32{at}}
}

// dataSpan returns the span of a tensor's data.
func (p *plan) dataSpan(t *tensor, at *[]float32, start, end int) *span {
	s := p.span(t, at, start, end)
	if t.half {
		s.floats = roundUp(s.floats/2, 16)
	}
	return s
}

// roundUp returns the least multiple of m that is n or more.
func roundUp(n, m int) int { return (n + m - 1) / m * m }

// pack gives spans that overlap in time places that do not overlap. The largest come first, each to the lowest
// place that is free for all its time.
func pack(spans []*span) memory {
	m := memory{spans: spans}
	sorted := slices.SortedStableFunc(slices.Values(spans), func(a, b *span) int { return b.floats - a.floats })
	var placed []*span // by offset
	for _, s := range sorted {
		s.offset = 0
		for _, p := range placed {
			if p.start > s.end || p.end < s.start {
				continue
			}
			if p.offset >= s.offset+s.floats {
				break
			}
			s.offset = max(s.offset, p.offset+p.floats)
		}
		at, _ := slices.BinarySearchFunc(placed, s, func(a, b *span) int { return a.offset - b.offset })
		placed = slices.Insert(placed, at, s)
		m.floats = max(m.floats, s.offset+s.floats)
	}
	return m
}

// uses returns the times at which a tensor's data are read, in the forward and in the backward pass, also to
// compute those of tensors that are not stored.
func (p *plan) uses(t *tensor) (forward, backward []int) {
	for _, r := range t.readers {
		forward = append(forward, r)
		if p.training && t.kept {
			backward = append(backward, p.backwardTime(r))
		}
		a, ok := p.units[r].(*affine)
		if !ok || a.x != t {
			continue
		}
		if a.summed {
			backward = append(backward, p.backwardTime(a.y.readers[0]))
		}
		if a.y.formula != nil {
			f, b := p.uses(a.y)
			forward, backward = append(forward, f...), append(backward, b...)
		}
	}
	return forward, backward
}

// backwardTime returns the time of a unit's backward pass; it is its own inverse.
func (p *plan) backwardTime(unit int) int { return 2*len(p.units) - 1 - unit }

// gradients returns the spans of the gradients. Where a sum passes a gradient on unchanged, or
// a pass over it can be done in place, both gradients share a span.
func (p *plan) gradients() []*span {
	of := map[*tensor]*span{}
	var spans []*span
	for i, t := range p.tensors {
		if i == 0 {
			continue
		}
		start := len(p.units) - 1 // the output's is there before the backward pass
		if i != p.output {
			start = p.backwardTime(t.lastReader())
		}
		of[t] = p.span(t, &t.grad, start, p.backwardTime(t.maker))
		spans = append(spans, of[t])
	}
	share := func(into, from *tensor) {
		s, f := of[into], of[from]
		s.end = max(s.end, f.end)
		s.at = append(s.at, f.at...)
		of[from] = s
		spans = slices.DeleteFunc(spans, func(x *span) bool { return x == f })
	}
	for i, u := range slices.Backward(p.units) {
		a, ok := u.(*affine)
		if !ok {
			continue
		}
		alike := func(t *tensor) bool {
			return t != nil && t.maker >= 0 && t.lastReader() == i
		}
		if alike(a.res) {
			a.resShared = true
			share(a.y, a.res)
		} else if alike(a.x) {
			a.inPlace = true
			share(a.y, a.x)
		}
	}
	return spans
}

// lastReader returns the unit whose backward pass is the first to write t's gradient.
func (t *tensor) lastReader() int { return t.readers[len(t.readers)-1] }
