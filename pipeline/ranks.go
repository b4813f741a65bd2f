package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/mpi"
	"github.com/faceverify/fv/internal/mpi/team"
)

// Ranks are the processes that train one model together: see TrainOn. Each has the same settings and the whole data, and works on its
// part of each batch; rank 0 alone writes.
//
// What could differ between ranks is agreed on, so that all take the same steps: each batch begins with a meeting, at which a rank that
// cannot go on, or is to stop, says so. A rank that fails elsewhere comes to the next meeting with its error.
type ranks struct {
	*team.Team
	plain  mpi.Group // the same, without counting: of files
	stream mpi.Group // of the sums of gradients, which go on beside what else ranks tell each other
	err    error
	sent   atomic.Int64 // bytes, of what a step does not know yet

	mu  sync.Mutex
	bad []badImage // not told of yet
}

// badImage is an image that a rank could not read.
type badImage struct{ Path, Why string }

// word is what a rank says at a meeting.
type word struct {
	Stop    bool       `json:",omitempty"` // it was interrupted
	Labels  []int      `json:",omitempty"`
	Bad     []badImage `json:",omitempty"`
	Facts   []fact     `json:",omitempty"`
	Fault   string     `json:",omitempty"` // where what is not finite begins
	FaultAt int        `json:",omitempty"`
	Paths   []string   `json:",omitempty"`
}

// fact is something that must be alike on all ranks.
type fact = team.Fact

// alone is a process by itself.
func alone() *ranks { return &ranks{Team: team.Alone(), plain: mpi.Single} }

// newRanks meets the other ranks.
func newRanks(g mpi.Group) (*ranks, error) {
	t, err := team.New(g)
	r := &ranks{Team: t, plain: g}
	if err != nil || !t.Several() {
		return r, err
	}
	r.Group = mpi.Counted(g, &r.sent)
	r.stream, err = r.Dup()
	return r, err
}

// writes reports whether this rank is the one that writes files.
func (r *ranks) writes() bool { return r.Writes() }

func (r *ranks) several() bool { return r.Several() }

// meet tells the other ranks a word, and that this one cannot go on if err is not nil, and returns what all say. If any rank cannot go
// on there is an error.
func (r *ranks) meet(at string, mine word, err error) ([]word, error) {
	return team.Meet(r.Team, at, mine, err)
}

// broken notes that the ranks have lost each other. Sums and the like within a step give nothing of use from then on; the step looks at err.
func (r *ranks) broken(err error) {
	if err != nil && r.err == nil {
		r.err = err
	}
}

// sum replaces numbers by their sums over all ranks.
func (r *ranks) sum(x []float64) {
	if r.err == nil {
		r.broken(mpi.SumFew(r.Group, x))
	}
}

// all reports whether something is so on all ranks.
func (r *ranks) all(so bool) bool {
	not := []float64{1}
	if so {
		not[0] = 0
	}
	r.sum(not)
	return not[0] == 0
}

// mean replaces numbers by their means over all ranks; what is alike on all stays as it is.
func (r *ranks) mean(x []float32) {
	if !r.several() || r.err != nil {
		return
	}
	all := make([]float32, r.Size()*len(x))
	r.broken(mpi.GatherFloats(r.Group, all, x))
	for i := range x {
		first, sum := float64(all[i]), 0.0
		for k := range r.Size() {
			sum += float64(all[k*len(x)+i]) - first
		}
		x[i] = float32(first + sum/float64(r.Size()))
	}
}

// addBad keeps an image that could not be read for the next meeting.
func (r *ranks) addBad(path string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bad = append(r.bad, badImage{path, err.Error()})
}

func (r *ranks) takeBad() []badImage {
	r.mu.Lock()
	defer r.mu.Unlock()
	bad := r.bad
	r.bad = nil
	return bad
}

// checkRanks returns an error where ranks cannot share a batch.
func (c *Config) checkRanks(r *ranks) error {
	n := r.Size()
	switch {
	case c.Batch%n != 0:
		return settingError("batch", "%d ranks cannot share %d images equally: want a multiple of %d, such as %d", n, c.Batch, n, max(1, c.Batch/n)*n)
	case !c.SyncNorms && c.Batch/n < 2:
		return settingError("batch", "%d images are one for each of %d ranks, and batch norms of a rank's own need at least 2; choose a larger batch, or leave --no-sync-norms out", c.Batch, n)
	}
	return nil
}

// agree returns an error unless all ranks have got through their preparations and are about to train the same.
func (t *trainer) agree() error {
	if !t.ranks.several() {
		return nil
	}
	return t.ranks.Same("the start", t.facts())
}

// inStep has the settings that may change when a run is resumed, and must be alike on all ranks all the same.
var inStep = []string{"max-steps", "val-every", "checkpoint-every", "on-nan", "rollbacks", "exchange", "split-head"}

// facts are what must be alike on all ranks: they take the same steps without telling each other more.
func (t *trainer) facts() []fact {
	var settings []string
	for _, f := range t.config.Fields() {
		if !f.Free || slices.Contains(inStep, f.Name) {
			settings = append(settings, f.Name+": "+f.Value)
		}
	}
	digest, _ := json.Marshal(t.faces.digest)
	return []fact{
		{What: "settings", Is: fmt.Sprint(settings), Cure: team.SameCommand},
		{What: "images or identities", Is: fmt.Sprintf("%x", sha256.Sum256(digest)), Cure: "all ranks need the same data"},
		team.Kernels(kernel.Variant()),
		t.weights(),
	}
}

// meetBatch brings together the labels of a batch, of which each rank has loaded a part, or could not. It returns context.Canceled if any rank
// is to stop, which it is where mayStop is set and ctx is done.
func (t *trainer) meetBatch(ctx context.Context, labels []int, err error, mayStop bool) ([]int, error) {
	r := t.ranks
	if !r.several() {
		return labels, err
	}
	mine := word{Labels: labels, Bad: r.takeBad()}
	if mayStop && ctx.Err() != nil {
		mine.Stop, err = true, nil
	}
	words, err := r.meet(fmt.Sprintf("step %d", t.Step+1), mine, err)
	if err != nil {
		return nil, err
	}
	var all []int
	for _, w := range words {
		if w.Stop {
			return nil, context.Canceled
		}
		all = append(all, w.Labels...)
		for _, b := range w.Bad {
			t.bad.add(b.Path, errors.New(b.Why))
		}
	}
	return all, nil
}

// meetFault returns where what is not finite begins, of all parts of a batch where it began first, and the images of the whole batch.
func (t *trainer) meetFault(where string, at int, paths []string) (string, []string, error) {
	if !t.ranks.several() {
		return where, paths, nil
	}
	words, err := t.ranks.meet("a fault", word{Fault: where, FaultAt: at, Paths: paths}, nil)
	if err != nil {
		return "", nil, err
	}
	var all []string
	first := 0
	for i, w := range words {
		all = append(all, w.Paths...)
		if w.FaultAt < words[first].FaultAt {
			first = i
		}
	}
	where = words[first].Fault
	if slices.ContainsFunc(words, func(w word) bool { return w.Fault != where }) {
		where = fmt.Sprintf("%s, on rank %d", where, first)
	}
	return where, all, nil
}
