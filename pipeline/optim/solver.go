package optim

import (
	"errors"
	"fmt"
	"math"

	"gorgonia.org/gorgonia"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/offheap"
)

// ErrNotFinite is what a step with a gradient that holds NaN or infinity returns. Nothing has
// changed then.
var ErrNotFinite = errors.New("the gradient is not finite")

// clipSlack is what PyTorch adds to the norm that it divides by.
const clipSlack = 1e-6

// Solver is an optimiser over the ranges of an Arena. It implements gorgonia.Solver.
type Solver struct {
	// Sum, if not nil, replaces numbers by their sums over the processes that train together. Step calls it once, with the squares of the
	// gradient's ranges that are Apart.
	Sum func(x []float64)

	settings Settings
	size     int
	ranges   []Range
	pool     *kernel.Pool
	rate     float64
	norm     float64
	steps    int
	frozen   int         // weights below are left alone
	moments  [][]float32 // of SGD the velocity, of AdamW the means of gradients and squares
}

// momentNames are what the moments are called in checkpoints.
var momentNames = map[string][]string{SGD: {"velocity"}, AdamW: {"mean", "square"}}

// MomentNames returns the names of the moments of an optimiser: the keys of Solver.State.
func MomentNames(optimizer string) []string { return momentNames[optimizer] }

// NewSolver returns a solver for arenas of size numbers; its moments take memory from the operating
// system until Close. It panics if a range lies outside, or if the settings are not valid.
func NewSolver(s Settings, ranges []Range, size int, pool *kernel.Pool) (*Solver, error) {
	if err := s.Validate(); err != nil {
		panic("optim: " + err.Error())
	}
	o := &Solver{settings: s, size: size, pool: pool}
	o.SetRanges(ranges)
	for range momentNames[s.Name] {
		m, err := offheap.Floats(size)
		if err != nil {
			o.Close()
			return nil, fmt.Errorf("no memory for the optimiser's state: %w", err)
		}
		o.moments = append(o.moments, m)
	}
	return o, nil
}

// SetRanges replaces the ranges that the next steps work on. It panics if one lies outside of the arena.
func (o *Solver) SetRanges(ranges []Range) {
	for _, r := range ranges {
		if r.Offset < 0 || r.Len < 0 || r.Offset+r.Len > o.size {
			panic(fmt.Sprintf("optim: range %+v of an arena of %d", r, o.size))
		}
	}
	o.ranges = Merge(ranges)
}

// Close gives the memory back. The solver, and what State returned, must not be used afterwards.
func (o *Solver) Close() {
	for _, m := range o.moments {
		offheap.FreeFloats(m)
	}
	o.moments = nil
}

// SetRate sets the learning rate of the next steps.
func (o *Solver) SetRate(lr float64) { o.rate = lr }

// Norm returns the Euclidean norm of the last step's gradient before it was clipped, over all
// ranges that are not frozen.
func (o *Solver) Norm() float64 { return o.norm }

// Steps returns the number of steps taken.
func (o *Solver) Steps() int { return o.steps }

// Freeze makes the next steps leave the weights below an offset alone, and their gradients out of the norm. 0 frees all.
func (o *Solver) Freeze(below int) { o.frozen = below }

// free returns the ranges that steps change.
func (o *Solver) free(yield func(Range) bool) {
	for _, r := range o.ranges {
		if cut := min(max(0, o.frozen-r.Offset), r.Len); cut > 0 {
			r.Offset, r.Len = r.Offset+cut, r.Len-cut
		}
		if !r.Frozen && r.Len > 0 && !yield(r) {
			return
		}
	}
}

// Step implements gorgonia.Solver for a model that is one Arena. A gradient that is not finite
// is refused with ErrNotFinite.
func (o *Solver) Step(model []gorgonia.ValueGrad) error {
	if len(model) != 1 {
		return fmt.Errorf("optim: a model of %d parts, want one Arena", len(model))
	}
	a, ok := model[0].(*Arena)
	if !ok {
		return fmt.Errorf("optim: a model of type %T, want *Arena", model[0])
	}
	if len(a.Weights) != len(o.moments[0]) {
		return fmt.Errorf("optim: an arena of %d weights, want %d", len(a.Weights), len(o.moments[0]))
	}
	o.norm = math.Sqrt(o.squares(a))
	if math.IsNaN(o.norm) || math.IsInf(o.norm, 0) {
		return ErrNotFinite
	}
	scale := 1.0
	if c := o.settings.Clip; c > 0 {
		scale = min(1, c/(o.norm+clipSlack))
	}
	o.steps++
	for r := range o.free {
		o.update(a, r, scale)
	}
	return nil
}

// squares returns the sum of the squares of the gradient.
func (o *Solver) squares(a *Arena) float64 {
	own, apart := 0.0, []float64{0}
	for r := range o.free {
		sum := kernel.SumSquares(o.pool, a.Gradients[r.Offset:r.Offset+r.Len])
		if r.Apart {
			apart[0] += sum
		} else {
			own += sum
		}
	}
	if o.Sum != nil {
		o.Sum(apart)
	}
	return own + apart[0]
}

func (o *Solver) update(a *Arena, r Range, scale float64) {
	cut := func(x []float32) []float32 { return x[r.Offset : r.Offset+r.Len] }
	w, g := cut(a.Weights), cut(a.Gradients)
	s := o.settings
	lr, decay := o.rate*r.Rate, s.Decay*r.Decay
	if s.Name == AdamW {
		kernel.AdamWStep(o.pool, w, g, cut(o.moments[0]), cut(o.moments[1]), lr, s.Beta1, s.Beta2, s.Epsilon, decay, scale, o.steps)
		return
	}
	kernel.SGDStep(o.pool, w, g, cut(o.moments[0]), float32(lr), float32(s.Momentum), float32(decay), float32(scale), s.Nesterov)
}

// State returns the moments by name. They are the solver's own memory, not a copy.
func (o *Solver) State() map[string][]float32 {
	state := map[string][]float32{}
	for i, name := range momentNames[o.settings.Name] {
		state[name] = o.moments[i]
	}
	return state
}

// SetState restores the moments that State returned and the number of steps. It returns an error, and changes nothing, if
// there are others or of another length.
func (o *Solver) SetState(state map[string][]float32, steps int) error {
	names := momentNames[o.settings.Name]
	if len(state) != len(names) || steps < 0 {
		return fmt.Errorf("optim: state of %d moments after %d steps, %s has %d", len(state), steps, o.settings.Name, len(names))
	}
	for i, name := range names {
		if len(state[name]) != len(o.moments[i]) {
			return fmt.Errorf("optim: state %q has %d numbers, want %d", name, len(state[name]), len(o.moments[i]))
		}
	}
	for i, name := range names {
		copy(o.moments[i], state[name])
	}
	o.steps = steps
	return nil
}
