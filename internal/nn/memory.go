package nn

import (
	"slices"

	"github.com/faceverify/fv/internal/kernel"
)

// span is a stretch of time over which tensors' data or gradients must keep their memory. Unit u's
// forward pass has time u, its backward pass 2U-1-u.
type span struct {
	layout     kernel.Layout
	start, end int
	at         []*[]float32 // who lies there, one after another
	slot       *slot
}

// slot is memory that spans of the same layout take one after another. The layout is the same so
// that the zeros of the border stay: no kernel writes there.
type slot struct {
	layout kernel.Layout
	offset int
	free   int // the first time at which it is free
}

// memory says where everything lies.
type memory struct {
	spans  []*span
	floats int
}

// layOut gives every tensor its place.
func (p *plan) layOut() memory {
	var spans []*span
	of := map[*tensor]*span{}
	for i, t := range p.tensors[1:] {
		if t.formula != nil {
			s := of[t.formula.x]
			s.end = max(s.end, p.lastUse(t))
			continue
		}
		s := &span{layout: p.layout(t), start: t.maker, end: p.lastUse(t), at: []*[]float32{&t.data}}
		if i+1 == p.output {
			s.end = p.backwardTime(0)
		}
		of[t] = s
		spans = append(spans, s)
	}
	if p.training {
		spans = append(spans, p.gradients()...)
	}
	slices.SortStableFunc(spans, func(a, b *span) int { return a.start - b.start })
	m := memory{spans: spans}
	var slots []*slot
	for _, s := range spans {
		k := slices.IndexFunc(slots, func(f *slot) bool { return f.layout == s.layout && f.free <= s.start })
		if k < 0 {
			const line = 16 // floats in a cache line
			slots = append(slots, &slot{layout: s.layout, offset: m.floats})
			m.floats += (s.layout.Len() + line - 1) / line * line
			k = len(slots) - 1
		}
		s.slot = slots[k]
		s.slot.free = s.end + 1
	}
	return m
}

// lastUse returns the last time at which a tensor's data are read.
func (p *plan) lastUse(t *tensor) int {
	end := t.maker
	for _, r := range t.readers {
		end = max(end, r)
		if p.training && t.kept {
			end = max(end, p.backwardTime(r))
		}
	}
	return end
}

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
		of[t] = &span{layout: p.gradLayout(t), start: start, end: p.backwardTime(t.maker), at: []*[]float32{&t.grad}}
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
			return t != nil && t.maker >= 0 && t.lastReader() == i && p.gradLayout(t) == p.gradLayout(a.y)
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
