package losses

import (
	"fmt"
	"math"
)

// Annealing lets a margin in slowly: the target's cosine f is mixed with the plain one,
//
//	(f + λ cos θ_y)/(1 + λ),  λ = max(Min, Base (1 + Gamma it)^-Power)
//
// where it is 1 in the first step. Only accepted steps count.
type Annealing struct {
	Base  float64 // λ before it falls
	Gamma float64
	Power float64
	Min   float64 // λ in the end

	steps int // accepted ones
}

// annealingParams returns the settings of heads that have an Annealing, with defaults.
func annealingParams(a Annealing) []Param {
	return []Param{
		{"lambda-base", a.Base, "λ before it falls"},
		{"lambda-gamma", a.Gamma, "how fast λ falls: λ = max(min, base (1 + gamma it)^-power)"},
		{"lambda-power", a.Power, "the power of that"},
		{"lambda-min", a.Min, "λ in the end"},
	}
}

func newAnnealing(v map[string]float64) Annealing {
	return Annealing{Base: v["lambda-base"], Gamma: v["lambda-gamma"], Power: v["lambda-power"], Min: v["lambda-min"]}
}

func (a *Annealing) validate(head string) error {
	for _, p := range []struct {
		name  string
		value float64
	}{{"lambda-base", a.Base}, {"lambda-gamma", a.Gamma}, {"lambda-power", a.Power}, {"lambda-min", a.Min}} {
		if err := within(head, p.name, p.value, 0, 1e9); err != nil {
			return err
		}
	}
	return nil
}

// Lambda returns the weight of the plain cosine in step it, counted from 1.
func (a *Annealing) Lambda(it int) float64 {
	return max(a.Min, a.Base*math.Pow(1+a.Gamma*float64(it), -a.Power))
}

// mix returns (f + λ cos)/(1 + λ) and its derivative with respect to cos, of f and its derivative.
func (a *Annealing) mix(cos, f, df float64) (value, dCos float64) {
	lambda := a.Lambda(a.steps + 1)
	return (f + lambda*cos) / (1 + lambda), (df + lambda) / (1 + lambda)
}

// Begin implements Stateful: λ depends on the number of accepted steps only.
func (*Annealing) Begin(int) {}

// Commit counts a step.
func (a *Annealing) Commit() { a.steps++ }

// State returns the number of accepted steps as "iteration" [1].
func (a *Annealing) State() map[string][]float32 {
	return map[string][]float32{"iteration": {float32(a.steps)}}
}

// SetState implements Stateful.
func (a *Annealing) SetState(s map[string][]float32) error {
	it := s["iteration"]
	if len(s) != 1 || len(it) != 1 || !(it[0] >= 0) || it[0] != float32(math.Trunc(float64(it[0]))) {
		return fmt.Errorf("losses: state %v is not {iteration: [whole number]}", s)
	}
	a.steps = int(it[0])
	return nil
}
