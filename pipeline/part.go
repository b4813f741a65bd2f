package pipeline

import (
	"time"

	"github.com/faceverify/fv/internal/mpi"
	"github.com/faceverify/fv/internal/nn"
)

// part is a backbone of whole batches that computes this rank's part of each: it gathers the embeddings of all ranks, so that head and
// loss see the batch as one process would. Every rank computes losses of embeddings from the same numbers to the same bits, and of the head's loss either
// all, too, or its share of the classes: see ops.Split. The backbone's gradients are summed.
type part struct {
	*nn.Training
	ranks  *ranks
	images int       // of the part
	all    []float32 // embeddings of the batch [N,D]
	sums   *gradientSums
	now    bool // whether a backward pass ends with the sum of its gradients: not where several batches make a step
}

// newPart splits batches of so many images, whose gradients are written to gradient.
func newPart(b *nn.Training, r *ranks, batch int, gradient []float32, syncNorms, half, now bool) *part {
	p := &part{Training: b, ranks: r, images: batch / r.Size(), all: make([]float32, batch*b.Dim()), sums: newGradientSums(r.stream, gradient, half), now: now}
	if syncNorms {
		b.SyncNorms(r.Size(), r.sum)
	}
	if now {
		b.OnFinal(p.sums.final)
	}
	return p
}

// Forward implements ops.Backbone. images are the part's.
func (p *part) Forward(theta, images []float32, _ int) []float32 {
	own := p.Training.Forward(theta, images, p.images)
	if p.ranks.err == nil {
		p.ranks.broken(mpi.GatherFloats(p.ranks.Group, p.all, own))
	}
	return p.all
}

// Backward implements ops.Backbone: dEmbedding is that of the batch, dTheta then the sum over all ranks.
func (p *part) Backward(theta, dEmbedding, dTheta []float32) {
	n := p.images * p.Dim()
	p.Training.Backward(theta, dEmbedding[p.ranks.Rank()*n:][:n], dTheta)
	if p.now {
		p.ranks.broken(p.sums.wait())
	}
}

// bucket is how many gradients, at least, are summed at a time: few enough that most of them are on their way while the backward pass
// goes on, and so many that calls cost little beside them.
const bucket = 1 << 18

// gradientSums sums ranges of a gradient over all ranks, beside the goroutine that computes them.
type gradientSums struct {
	gradient []float32
	from, to int // final, and not yet on their way
	ranges   chan [2]int
	done     chan error
	busy     time.Duration // of the goroutine that sums; read where it waits for more
	waited   time.Duration
}

// exchangeStats is what a rank exchanges in a step.
type exchangeStats struct {
	Bytes  int64   `json:"bytes"`  // sent
	Sums   float64 `json:"sums"`   // seconds of sums of gradients
	Waited float64 `json:"waited"` // of these, that nothing else was done in
}

// exchanged returns what was exchanged since it was called last; nil of a process alone. No sums may be under way.
func (t *trainer) exchanged() *exchangeStats {
	if t.part == nil {
		return nil
	}
	s := t.part.sums
	e := &exchangeStats{Bytes: t.ranks.sent.Swap(0), Sums: s.busy.Seconds(), Waited: s.waited.Seconds()}
	s.busy, s.waited = 0, 0
	return e
}

// depth is how many ranges may wait: that of a network with so many buckets does not hold the backward pass up.
const depth = 1024

func newGradientSums(g mpi.Group, gradient []float32, half bool) *gradientSums {
	s := &gradientSums{gradient: gradient, ranges: make(chan [2]int, depth), done: make(chan error)}
	summer := mpi.NewSummer(g)
	summer.Half = half
	go s.serve(summer)
	return s
}

// serve sums until ranges is closed. An empty range asks for an answer.
func (s *gradientSums) serve(summer *mpi.Summer) {
	var failed error
	for r := range s.ranges {
		switch {
		case r[0] == r[1]:
			s.done <- failed
		case failed == nil:
			began := time.Now()
			failed = summer.Sum(s.gradient[r[0]:r[1]])
			s.busy += time.Since(began)
		}
	}
}

// final takes a range that is final; each ends where the one before began.
func (s *gradientSums) final(from, to int) {
	if s.from == s.to {
		s.to = to
	}
	if s.from = from; s.to-s.from >= bucket {
		s.send()
	}
}

func (s *gradientSums) send() {
	if s.from < s.to {
		s.ranges <- [2]int{s.from, s.to}
	}
	s.from, s.to = 0, 0
}

// wait returns when all that is final has been summed.
func (s *gradientSums) wait() error {
	began := time.Now()
	s.send()
	s.ranges <- [2]int{}
	err := <-s.done
	s.waited += time.Since(began)
	return err
}

func (s *gradientSums) close() { close(s.ranges) }
