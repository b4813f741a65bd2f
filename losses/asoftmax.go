package losses

import "slices"

func init() {
	register(Spec{
		Name:   "asoftmax",
		Title:  "A-Softmax, SphereFace as published",
		Target: "‖x‖ (ψ(θ_y) + λ cos θ_y)/(1 + λ),  ψ(θ) = (-1)^k cos(mθ) - 2k",
		Other:  "‖x‖ cos θ_j",
		Paper:  "SphereFace, Liu et al. 2017, eq. 7 (arXiv:1704.08063)",
		Notes:  "Embeddings keep their length, and λ falls over the run, as in the authors' code; the gradient is the true one, not that code's rescaled one.",
		Params: slices.Concat([]Param{
			{"scale", 30, "s, in place of ‖x‖ where embeddings are scaled"},
			{"margin", 4, "m, a whole number: the factor of the angle"},
		}, annealingParams(Annealing{Base: 1000, Gamma: 0.12, Power: 1, Min: 5})),
		HasMargin:   true,
		Plain:       map[string]float64{"margin": 1},
		FeatureNorm: Kept,
		build: func(v map[string]float64, o Options) Head {
			return &ASoftmax{Scale: v["scale"], Margin: v["margin"], Annealing: newAnnealing(v), Detached: o.detached()}
		},
	})
}

// ASoftmax is the head of the SphereFace paper,
//
//	z_y = ‖x‖ (ψ(θ_y) + λ cos θ_y)/(1 + λ),  z_j = ‖x‖ cos θ_j
//
// with ψ(θ) = (-1)^k cos(mθ) - 2k on [kπ/m, (k+1)π/m] (Liu et al. 2017, eq. 7) and λ as
// Annealing says.
type ASoftmax struct {
	Scale     float64 // s in place of ‖x‖; 0, which keeps ‖x‖, by default
	Margin    float64 // m, a whole number >= 1; 4 by default
	Annealing         // 1000, 0.12, 1 and 5 by default
	Detached  bool    // the margin gradient; false by default
}

// Name returns "asoftmax".
func (*ASoftmax) Name() string { return "asoftmax" }

// Validate implements Head.
func (h *ASoftmax) Validate() error {
	if err := length("asoftmax", h.Scale); err != nil {
		return err
	}
	if err := whole("asoftmax", "margin", h.Margin, 1, 100); err != nil {
		return err
	}
	return h.Annealing.validate("asoftmax")
}

// Geometry implements Head.
func (h *ASoftmax) Geometry() Geometry { return Geometry{UnitWeights: true, Scale: h.Scale} }

// Target implements Head.
func (h *ASoftmax) Target(cos, norm float64) (logit, dCos, dNorm float64) {
	ψ, dψ := psi(cos, h.Margin)
	f, df := h.mix(cos, ψ, dψ)
	if h.Detached {
		df = 1
	}
	return lengthen(h.Scale, norm, f, df)
}

// Other returns ‖x‖ cos θ.
func (h *ASoftmax) Other(cos, norm float64) (logit, dCos, dNorm float64) {
	return lengthen(h.Scale, norm, cos, 1)
}
