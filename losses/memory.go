package losses

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// memory is the numbers that a head remembers from batch to batch, by name. They are float32, as
// checkpoints keep them: a run that is resumed goes on with the same bits.
type memory struct {
	accepted map[string]float32
	pending  map[string]float32 // with the step under way
}

func newMemory(start map[string]float32) memory { return memory{start, maps.Clone(start)} }

func (m *memory) get(name string) float64 { return float64(m.pending[name]) }

// move sets the number to (1-rate) times itself plus rate times v.
func (m *memory) move(name string, v, rate float64) {
	m.pending[name] = float32((1-rate)*m.get(name) + rate*v)
}

// Begin implements Stateful.
func (m *memory) Begin(int) { maps.Copy(m.pending, m.accepted) }

// Commit implements Stateful.
func (m *memory) Commit() { maps.Copy(m.accepted, m.pending) }

// State returns each of the head's numbers as a tensor [1].
func (m *memory) State() map[string][]float32 {
	s := map[string][]float32{}
	for name, v := range m.accepted {
		s[name] = []float32{v}
	}
	return s
}

// SetState implements Stateful.
func (m *memory) SetState(s map[string][]float32) error {
	ok := len(s) == len(m.accepted)
	for name := range m.accepted {
		v := s[name]
		ok = ok && len(v) == 1 && !math.IsNaN(float64(v[0])) && !math.IsInf(float64(v[0]), 0)
	}
	if !ok {
		return fmt.Errorf("losses: state %v is not one number for each of %v", s, slices.Sorted(maps.Keys(m.accepted)))
	}
	for name, v := range s {
		m.accepted[name], m.pending[name] = v[0], v[0]
	}
	return nil
}
