package pipeline

import (
	"github.com/faceverify/fv/internal/mpi"
	"github.com/faceverify/fv/internal/ops"
	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/pipeline/optim"
)

// classRange is the classes of which a rank holds what the head has of each: weights, gradients, moments and their average.
type classRange struct{ first, end, all int }

// classesOf returns the range of a rank of so many that share the classes.
func classesOf(rank, ranks, classes int) classRange {
	return classRange{rank * classes / ranks, (rank + 1) * classes / ranks, classes}
}

func (c classRange) count() int { return c.end - c.first }

func (c classRange) has(class int) bool { return c.first <= class && class < c.end }

// shareClasses decides which classes are this rank's: all of them, unless the settings and the number of ranks let them be split.
func (t *trainer) shareClasses() {
	all := len(t.faces.train.Identities)
	t.classes = classRange{0, all, all}
	if !t.config.SplitHead || !t.ranks.several() || t.head == nil || all < t.ranks.Size() {
		return
	}
	t.classes = classesOf(t.ranks.Rank(), t.ranks.Size(), all)
	t.split = &ops.Split{First: t.classes.first, Count: t.classes.count(), Classes: all, Peers: &headPeers{t.ranks, mpi.NewSummer(t.ranks.Group)}}
}

// headPeers are the ranks as those that share a head's classes.
type headPeers struct {
	ranks  *ranks
	summer *mpi.Summer
}

// Size implements ops.Peers.
func (p *headPeers) Size() int { return p.ranks.Size() }

// Gather implements ops.Peers.
func (p *headPeers) Gather(dst, x []float64) {
	if p.ranks.err == nil {
		p.ranks.broken(mpi.GatherFloats(p.ranks.Group, dst, x))
	}
}

// SumFew implements ops.Peers.
func (p *headPeers) SumFew(x []float64) { p.ranks.sum(x) }

// Sum implements ops.Peers.
func (p *headPeers) Sum(x []float32) {
	if p.ranks.err == nil {
		p.ranks.broken(p.summer.Sum(x))
	}
}

// everywhere reports whether something that this rank sees of its classes is so on all ranks. Of what all ranks see alike they need not
// tell each other.
func (t *trainer) everywhere(so bool) bool {
	if t.split == nil {
		return so
	}
	return t.ranks.all(so)
}

// perClass reports whether a parameter of the head has a row for each class.
func perClass(h losses.Head, p losses.ParamShape) bool {
	return p.Name != "bias" || h.Geometry().Bias != losses.SharedBias
}

// sampled tells loss and optimiser which of the sampled classes are this rank's: their number is another one in each step.
func (t *trainer) sampled() {
	if t.split == nil {
		return
	}
	first, end := t.sample.own()
	t.split.First, t.split.Count, t.split.Classes = first, end-first, len(t.sample.index)
	t.setRanges()
}

// setRanges says which of the arena's numbers are trained, and how.
func (t *trainer) setRanges() {
	head := t.graph.headParams
	t.trained = ranges(t.network.Params(), head, float64(t.config.LRBackbone))
	if t.split != nil {
		for i, p := range head {
			if r := &t.trained[len(t.trained)-len(head)+i]; perClass(t.head, p) {
				r.Len = p.Len() / p.Shape[0] * t.split.Count
				r.Apart = true
			}
		}
	}
	t.trained = optim.Merge(t.trained)
	t.solver.SetRanges(t.trained)
}
