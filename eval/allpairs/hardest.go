package allpairs

import (
	"cmp"
	"container/heap"
	"slices"
)

// Pair is one pair of embeddings and its score.
type Pair struct {
	A, B  int // rows; of the gallery and of the probes where there are two matrices
	Score float64
}

// hardest keeps the k pairs that a model finds hardest: the impostor pairs with the highest
// scores or, if genuine, the genuine pairs with the lowest. Pairs with equal scores stand in
// the order of their rows, so that what is kept does not depend on the order of arrival.
type hardest struct {
	k       int
	genuine bool
	pairs   []Pair // a heap with the easiest on top
}

// harder is the order of the list: negative if a comes before b.
func (h *hardest) harder(a, b Pair) int {
	byScore := cmp.Compare(b.Score, a.Score)
	if h.genuine {
		byScore = -byScore
	}
	return cmp.Or(byScore, cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B))
}

func (h *hardest) Len() int           { return len(h.pairs) }
func (h *hardest) Less(i, j int) bool { return h.harder(h.pairs[i], h.pairs[j]) > 0 }
func (h *hardest) Swap(i, j int)      { h.pairs[i], h.pairs[j] = h.pairs[j], h.pairs[i] }
func (h *hardest) Push(x any)         { h.pairs = append(h.pairs, x.(Pair)) }

func (h *hardest) Pop() any {
	last := len(h.pairs) - 1
	p := h.pairs[last]
	h.pairs = h.pairs[:last]
	return p
}

// full reports whether k pairs are kept, and the score of the easiest of them: a pair that is
// easier need not be offered.
func (h *hardest) full() (float32, bool) {
	if len(h.pairs) < h.k {
		return 0, false
	}
	return float32(h.pairs[0].Score), true
}

// offer keeps p if it is among the k hardest so far.
func (h *hardest) offer(p Pair) {
	switch {
	case len(h.pairs) < h.k:
		heap.Push(h, p)
	case h.harder(p, h.pairs[0]) < 0:
		h.pairs[0] = p
		heap.Fix(h, 0)
	}
}

// sorted returns what is kept, the hardest first.
func (h *hardest) sorted() []Pair {
	out := slices.Clone(h.pairs)
	slices.SortFunc(out, h.harder)
	return out
}
