package allpairs

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/matrix"
)

// Tally is a measurement under way: what has been counted of the pairs.
//
// Processes that share one make a Tally each, of the same matrices, and each counts another part of the pairs. Once their Counts are added up, number by number,
// and the Hardest of all offered, in one of them, its Result is that of one process.
type Tally struct {
	*product
	gallery *matrix.Matrix
	fars    []float64
	threads int
	start   time.Time
}

// NewTally prepares for the pairs of gallery with probes, or for those of gallery if both are the same; see [Measure] and [Cross]. Options.Progress is
// not used.
func NewTally(gallery, probes *matrix.Matrix, o Options) (*Tally, error) {
	for _, far := range o.FARs {
		if !(far > 0 && far < 1) {
			return nil, fmt.Errorf("false accept rate %v: want a number between 0 and 1", far)
		}
	}
	t := &Tally{
		gallery: gallery, fars: o.FARs, threads: o.Threads, start: time.Now(),
		product: &product{dim: gallery.Dim, triangle: probes == gallery, hardest: max(0, o.Hardest), total: newHistogram()},
	}
	if t.fars == nil {
		t.fars = DefaultFARs()
	}
	if t.threads < 1 {
		t.threads = runtime.GOMAXPROCS(0)
	}
	t.genuine, t.impost = hardest{k: t.hardest, genuine: true}, hardest{k: t.hardest}
	if !t.triangle && gallery.Dim != probes.Dim {
		return nil, fmt.Errorf("%s has embeddings of %d values, %s of %d; were they made by one model?", gallery.Path, gallery.Dim, probes.Path, probes.Dim)
	}
	var err error
	if t.a, err = newSide(gallery); err != nil {
		return nil, err
	}
	t.b = t.a
	if !t.triangle {
		if t.b, err = newSide(probes); err != nil {
			return nil, err
		}
	}
	t.a.match(t.b)
	return t, nil
}

// Count counts one of some parts of the pairs, 0 to parts-1, which are about equally much work. progress, if not nil, is told how many of its pairs are
// scored.
func (t *Tally) Count(ctx context.Context, part, parts int, progress func(done, total int)) error {
	list := tasks(t.a.n, t.b.n, t.triangle)
	own := list[:0]
	for i, task := range list {
		if i%parts == part {
			own = append(own, task)
		}
	}
	return t.run(ctx, own, t.threads, progress)
}

// Counts returns the numbers of genuine and of impostor pairs by score, which may be changed.
func (t *Tally) Counts() (genuine, impostor []int) { return t.total.genuine, t.total.impostor }

// Hardest returns the hardest pairs that have been counted, the hardest first.
func (t *Tally) Hardest() (genuine, impostor []Pair) { return t.genuine.sorted(), t.impost.sorted() }

// Offer takes pairs that another process found hardest. In what order they come makes no difference.
func (t *Tally) Offer(genuine, impostor []Pair) {
	for _, p := range genuine {
		t.genuine.offer(p)
	}
	for _, p := range impostor {
		t.impost.offer(p)
	}
}

// Threads returns how many threads count.
func (t *Tally) Threads() int { return t.threads }

// Result returns what has been counted as numbers. It is an error if there is no genuine or no impostor pair.
func (t *Tally) Result() (*Result, error) {
	roc := t.total.roc()
	if roc.Genuine == 0 || roc.Impostors == 0 {
		return nil, fmt.Errorf("%d genuine and %d impostor pairs: at least one of each is needed", roc.Genuine, roc.Impostors)
	}
	r := &Result{
		N: t.a.n, Identities: len(t.a.identities), Dim: t.dim,
		Pairs: roc.Genuine + roc.Impostors, Genuine: roc.Genuine, Impostor: roc.Impostors,
		AUC: roc.AUC(), AUCError: roc.AUCError(), BinWidth: spacing, Angles: t.total.angles(),
		Threads: t.threads, ROC: roc,
	}
	r.HardestGenuine, r.HardestImpostor = t.Hardest()
	if !t.triangle {
		r.Probes = t.b.n
		for identity := range t.b.identities {
			if _, ok := t.a.identities[identity]; !ok {
				r.Identities++
			}
		}
	}
	r.AUCLow, r.AUCHigh = math.Max(0, r.AUC-r.AUCError), math.Min(1, r.AUC+r.AUCError)
	r.EER = eval.NewEERResult(roc.EER())
	for _, far := range t.fars {
		r.OperatingPoints = append(r.OperatingPoints, roc.AtFAR(far))
	}
	r.Seconds = time.Since(t.start).Seconds()
	r.GFLOPS = 2 * float64(r.Pairs) * float64(r.Dim) / r.Seconds / 1e9
	if t.triangle {
		if f, err := eval.AngularFisher(t.gallery.Data, t.dim, t.gallery.Identities); err == nil {
			r.AngularFisher = &f
		}
	}
	return r, nil
}
