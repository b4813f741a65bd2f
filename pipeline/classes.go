package pipeline

import (
	"fmt"
	"math"
	"slices"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/offheap"
	"github.com/faceverify/fv/internal/random"
	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/pipeline/optim"
)

// classSample lets each step compare with some of the classes only: those of its batch and others drawn at random
// (Partial FC, An et al. 2021, arXiv:2010.05222). The parameters of all classes and their moments are kept here. Before a
// step those of its classes are copied into the arena that graph and optimiser work on, and after it
// back: so a class that has no part in a step has neither momentum nor decay in it.
//
// Where ranks share the classes all draw the same, and each has the parameters of its own.
type classSample struct {
	classes classRange // whose parameters are kept here
	seed    uint64
	pool    *kernel.Pool
	params  int // of the backbone, which come first in both arenas
	tables  []classTable

	weights []float32            // backbone and head of the rank's classes; the backbone's are up to date after all
	moments map[string][]float32 // of the same layout

	index  []int   // the step's classes, ascending
	place  []int32 // of each class in index, or -1
	labels []int
}

// classTable is where a parameter of the head lies among those of the rank's classes and among those of a step.
type classTable struct {
	full, step int
	row        int  // floats of a class
	shared     bool // one row for all classes
}

// sampleSize returns how many of the classes a step compares with.
func sampleSize(rate float64, classes, batch int) int {
	return min(classes, max(batch, int(math.Round(rate*float64(classes)))))
}

// newClassSample takes memory for the head h of classes, of all of which a step has size. The names are those
// of the optimiser's moments.
func newClassSample(h losses.Head, classes classRange, size, dim, params int, names []string, seed uint64, pool *kernel.Pool) (*classSample, error) {
	s := &classSample{classes: classes, seed: seed, pool: pool, params: params, moments: map[string][]float32{},
		index: make([]int, 0, size), place: make([]int32, classes.all)}
	for i := range s.place {
		s.place[i] = -1
	}
	full, step := params, params
	all, some := losses.ParamShapes(h, classes.count(), dim), losses.ParamShapes(h, s.most(), dim)
	for i := range all {
		t := classTable{full: full, step: step, row: all[i].Len() / all[i].Shape[0]}
		if !perClass(h, all[i]) {
			t.row, t.shared = all[i].Len(), true
		}
		s.tables = append(s.tables, t)
		full, step = full+all[i].Len(), step+some[i].Len()
	}
	var err error
	if s.weights, err = offheap.Floats(full); err != nil {
		return nil, fmt.Errorf("no memory for the weights of %d classes: %w", classes.count(), err)
	}
	for _, name := range names {
		if s.moments[name], err = offheap.Floats(full); err != nil {
			s.close()
			return nil, fmt.Errorf("no memory for the optimiser's state of %d classes: %w", classes.count(), err)
		}
	}
	return s, nil
}

func (s *classSample) close() {
	offheap.FreeFloats(s.weights)
	for _, m := range s.moments {
		offheap.FreeFloats(m)
	}
}

// choose draws the classes of a step: a function of seed, step and labels.
func (s *classSample) choose(step int, labels []int) {
	for _, c := range s.index {
		s.place[c] = -1
	}
	s.index = s.index[:0]
	add := func(c int) {
		if s.place[c] < 0 {
			s.place[c] = 0
			s.index = append(s.index, c)
		}
	}
	for _, c := range labels {
		add(c)
	}
	r := random.New(s.seed, random.Classes, step, 0)
	for len(s.index) < cap(s.index) {
		add(r.IntN(s.classes.all))
	}
	slices.Sort(s.index)
	for i, c := range s.index {
		s.place[c] = int32(i)
	}
}

// most returns how many of a step's classes the rank may have.
func (s *classSample) most() int { return min(s.classes.count(), cap(s.index)) }

// own returns which places of the step's classes are the rank's: from first up to end.
func (s *classSample) own() (first, end int) {
	first, _ = slices.BinarySearch(s.index, s.classes.first)
	end, _ = slices.BinarySearch(s.index, s.classes.end)
	return first, end
}

// begin fills the arena and the moments of a step with the parameters of its classes, and returns the labels as places among
// these, until the next begin.
func (s *classSample) begin(step int, labels []int, a *optim.Arena, moments map[string][]float32) []int {
	s.choose(step, labels)
	s.move(a, moments, func(full, step []float32) { copy(step, full) })
	s.labels = s.labels[:0]
	for _, c := range labels {
		s.labels = append(s.labels, int(s.place[c]))
	}
	return s.labels
}

// end takes what an accepted step has made of them.
func (s *classSample) end(a *optim.Arena, moments map[string][]float32) {
	s.move(a, moments, func(full, step []float32) { copy(full, step) })
}

// move calls f with the place of each of the step's rows among all and in the step's memory.
func (s *classSample) move(a *optim.Arena, moments map[string][]float32, f func(full, step []float32)) {
	const rows = 1024
	first, end := s.own()
	own := s.index[first:end]
	both := func(full, step []float32) {
		for _, t := range s.tables {
			if t.shared {
				f(full[t.full:][:t.row], step[t.step:][:t.row])
				continue
			}
			n := len(own)
			s.pool.Run((n+rows-1)/rows, func(chunk int) {
				for i := chunk * rows; i < min(n, (chunk+1)*rows); i++ {
					f(full[t.full+(own[i]-s.classes.first)*t.row:][:t.row], step[t.step+i*t.row:][:t.row])
				}
			})
		}
	}
	both(s.weights, a.Weights)
	for name, m := range moments {
		both(s.moments[name], m)
	}
}

// all returns weights and moments of the backbone and of the rank's classes, over the sample's own memory.
func (s *classSample) all(a *optim.Arena, moments map[string][]float32) (weights []float32, all map[string][]float32) {
	copy(s.weights, a.Weights[:s.params])
	for name, m := range moments {
		copy(s.moments[name], m[:s.params])
	}
	return s.weights, s.moments
}

// restored puts the backbone's part of all, which is that of a checkpoint, into the arena and the moments of a step.
func (s *classSample) restored(a *optim.Arena, moments map[string][]float32) {
	copy(a.Weights[:s.params], s.weights)
	for name, m := range moments {
		copy(m[:s.params], s.moments[name])
	}
}
