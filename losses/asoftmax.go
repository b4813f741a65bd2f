package losses

import (
	"fmt"
	"math"
)

func init() {
	register(Spec{
		Name:   "asoftmax",
		Title:  "A-Softmax, SphereFace as published",
		Target: "‖x‖ (ψ(θ_y) + λ cos θ_y)/(1 + λ),  ψ(θ) = (-1)^k cos(mθ) - 2k",
		Other:  "‖x‖ cos θ_j",
		Paper:  "SphereFace, Liu et al. 2017, eq. 7 (arXiv:1704.08063)",
		Notes:  "Embeddings keep their length, and λ falls over the run, as in the authors' code; the gradient is the true one, not that code's rescaled one.",
		Params: []Param{
			{"margin", 4, "m, a whole number: the factor of the angle"},
			{"lambda-base", 1000, "λ before it falls"},
			{"lambda-gamma", 0.12, "how fast λ falls: λ = max(min, base (1 + gamma it)^-power)"},
			{"lambda-power", 1, "the power of that"},
			{"lambda-min", 5, "λ in the end"},
		},
		HasMargin: true,
		build: func(v map[string]float64, detached bool) Head {
			return &ASoftmax{Margin: v["margin"], Base: v["lambda-base"], Gamma: v["lambda-gamma"],
				Power: v["lambda-power"], Min: v["lambda-min"], Detached: detached}
		},
	})
}

// ASoftmax is the head of the SphereFace paper,
//
//	z_y = ‖x‖ (ψ(θ_y) + λ cos θ_y)/(1 + λ),  z_j = ‖x‖ cos θ_j
//
// with ψ(θ) = (-1)^k cos(mθ) - 2k on [kπ/m, (k+1)π/m] (Liu et al. 2017, eq. 7).
// λ lets the margin in slowly: λ = max(Min, Base (1 + Gamma it)^-Power), where it is 1 in the
// first step. Only accepted steps count.
type ASoftmax struct {
	Margin   float64 // m, a whole number >= 1; 4 by default
	Base     float64 // 1000 by default
	Gamma    float64 // 0.12 by default
	Power    float64 // 1 by default
	Min      float64 // 5 by default
	Detached bool    // the margin gradient; false by default

	steps int // accepted ones
}

// Name returns "asoftmax".
func (*ASoftmax) Name() string { return "asoftmax" }

// Validate implements Head.
func (h *ASoftmax) Validate() error {
	if h.Margin != math.Trunc(h.Margin) || !(h.Margin >= 1 && h.Margin <= 100) {
		return fmt.Errorf("losses: asoftmax: margin is %v, want a whole number from 1 to 100", h.Margin)
	}
	for _, p := range []struct {
		name  string
		value float64
	}{{"lambda-base", h.Base}, {"lambda-gamma", h.Gamma}, {"lambda-power", h.Power}, {"lambda-min", h.Min}} {
		if err := within("asoftmax", p.name, p.value, 0, 1e9); err != nil {
			return err
		}
	}
	return nil
}

// Geometry implements Head.
func (*ASoftmax) Geometry() Geometry { return Geometry{UnitWeights: true} }

// Lambda returns the weight of the plain cosine in step it, counted from 1.
func (h *ASoftmax) Lambda(it int) float64 {
	return max(h.Min, h.Base*math.Pow(1+h.Gamma*float64(it), -h.Power))
}

// Target implements Head.
func (h *ASoftmax) Target(cos, norm float64) (logit, dCos, dNorm float64) {
	lambda := h.Lambda(h.steps + 1)
	ψ, dψ := psi(cos, h.Margin)
	f, df := (ψ+lambda*cos)/(1+lambda), (dψ+lambda)/(1+lambda)
	if h.Detached {
		df = 1
	}
	return norm * f, norm * df, f
}

// Other returns ‖x‖ cos θ.
func (*ASoftmax) Other(cos, norm float64) (logit, dCos, dNorm float64) { return lengthened(cos, norm) }

// Begin implements Stateful: λ depends on the number of accepted steps only.
func (*ASoftmax) Begin(int) {}

// Commit counts a step.
func (h *ASoftmax) Commit() { h.steps++ }

// State returns the number of accepted steps as "iteration" [1].
func (h *ASoftmax) State() map[string][]float32 {
	return map[string][]float32{"iteration": {float32(h.steps)}}
}

// SetState implements Stateful.
func (h *ASoftmax) SetState(s map[string][]float32) error {
	it := s["iteration"]
	if len(s) != 1 || len(it) != 1 || !(it[0] >= 0) || it[0] != float32(math.Trunc(float64(it[0]))) {
		return fmt.Errorf("losses: asoftmax: state %v is not {iteration: [whole number]}", s)
	}
	h.steps = int(it[0])
	return nil
}
