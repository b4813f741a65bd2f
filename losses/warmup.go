package losses

import (
	"fmt"
	"strings"
)

// WithWarmup returns the head of New whose margin grows over the first steps of a run, linearly from none (see Spec.Plain) before the
// first of them to its value after the last one: in step i = 1, 2 ... it is
//
//	plain + min(1, (i-1)/steps) (margin - plain)
//
// The step is the one that Begin was given. Beside what the head itself is, the result is Stateful, Batched and Penalised. It is an error if the head
// has no margin that could grow.
func WithWarmup(name string, o Options, steps int) (Head, error) {
	full, err := New(name, o)
	if err != nil {
		return nil, err
	}
	s, err := Describe(name)
	if err != nil {
		return nil, err
	}
	if s.Plain == nil {
		return nil, fmt.Errorf("losses: head %s has no margin that could grow; these have: %s", name, strings.Join(growing(), ", "))
	}
	if o, err = s.Resolve(o); err != nil {
		return nil, err
	}
	w := &warmup{Head: full, spec: s, options: o, steps: steps, share: 1}
	w.grow(1)
	return w, nil
}

// growing returns the names of the heads with a margin that can grow.
func growing() []string {
	var names []string
	for _, name := range Names() {
		if registry[name].Plain != nil {
			names = append(names, name)
		}
	}
	return names
}

// warmup is the head as it is in the present step.
type warmup struct {
	Head
	spec    Spec
	options Options // of the full margin
	steps   int
	share   float64 // of the margin that Head has
}

// grow makes the head that of a step, with the memory that it has. A margin on its way need not be one that
// Validate lets pass, such as a whole number.
func (w *warmup) grow(step int) {
	share := 1.0
	if w.steps > 0 {
		share = min(1, float64(max(step, 1)-1)/float64(w.steps))
	}
	if share == w.share {
		return
	}
	params := map[string]float64{}
	for name, v := range w.options.Params {
		params[name] = v
		if plain, ok := w.spec.Plain[name]; ok {
			params[name] = plain + share*(v-plain)
		}
	}
	state := w.State()
	w.Head, w.share = w.spec.build(params, w.options), share
	if err := w.SetState(state); err != nil {
		panic(err) // it is the state of a head of this very kind
	}
}

// Begin implements Stateful.
func (w *warmup) Begin(step int) {
	w.grow(step)
	if s, ok := w.Head.(Stateful); ok {
		s.Begin(step)
	}
}

// Commit implements Stateful.
func (w *warmup) Commit() {
	if s, ok := w.Head.(Stateful); ok {
		s.Commit()
	}
}

// State returns the head's own: how far the margin has grown follows from the step.
func (w *warmup) State() map[string][]float32 {
	if s, ok := w.Head.(Stateful); ok {
		return s.State()
	}
	return nil
}

// SetState implements Stateful.
func (w *warmup) SetState(state map[string][]float32) error {
	if s, ok := w.Head.(Stateful); ok {
		return s.SetState(state)
	}
	if len(state) > 0 {
		return fmt.Errorf("losses: state %v of head %s, which has none", state, w.Name())
	}
	return nil
}

// Batch implements Batched.
func (w *warmup) Batch(cos, norm []float64) []Sample {
	if b, ok := w.Head.(Batched); ok {
		return b.Batch(cos, norm)
	}
	samples := make([]Sample, len(cos))
	for i := range samples {
		samples[i] = w.Head
	}
	return samples
}

// Penalty implements Penalised.
func (w *warmup) Penalty(norm float64) (value, dNorm float64) {
	if p, ok := w.Head.(Penalised); ok {
		return p.Penalty(norm)
	}
	return 0, 0
}

// StartBias implements Biased.
func (w *warmup) StartBias(classes int) float64 {
	if b, ok := w.Head.(Biased); ok {
		return b.StartBias(classes)
	}
	return 0
}
