package losses

import "slices"

func init() {
	register(Spec{
		Name:   "lsoftmax",
		Title:  "L-Softmax, the large-margin softmax",
		Target: "‖W_y‖‖x‖ (ψ(θ_y) + λ cos θ_y)/(1 + λ),  ψ(θ) = (-1)^k cos(mθ) - 2k",
		Other:  "‖W_j‖‖x‖ cos θ_j",
		Paper:  "Large-Margin Softmax, Liu et al. 2016, eq. 4 to 6 (arXiv:1612.02295)",
		Notes:  "Nothing is normalised and there is no bias. λ falls over the run, as in the authors' code; the gradient is the true one.",
		Params: slices.Concat([]Param{
			{"margin", 4, "m, a whole number: the factor of the angle"},
		}, annealingParams(Annealing{Base: 1000, Gamma: 2.5e-5, Power: 35, Min: 0})),
		HasMargin: true,
		Plain:     map[string]float64{"margin": 1},
		build: func(v map[string]float64, o Options) Head {
			return &LSoftmax{Margin: v["margin"], Annealing: newAnnealing(v), Detached: o.detached()}
		},
	})
}

// LSoftmax is the softmax with a margin on the angle and nothing normalised,
//
//	z_y = ‖W_y‖‖x‖ (ψ(θ_y) + λ cos θ_y)/(1 + λ),  z_j = ‖W_j‖‖x‖ cos θ_j
//
// with ψ(θ) = (-1)^k cos(mθ) - 2k on [kπ/m, (k+1)π/m] (Liu et al. 2016, eq. 4 to 6) and λ as
// Annealing says.
type LSoftmax struct {
	Margin    float64 // m, a whole number >= 1; 4 by default
	Annealing         // 1000, 2.5e-5, 35 and 0 by default
	Detached  bool    // the margin gradient; false by default
}

// Name returns "lsoftmax".
func (*LSoftmax) Name() string { return "lsoftmax" }

// Validate implements Head.
func (h *LSoftmax) Validate() error {
	if err := whole("lsoftmax", "margin", h.Margin, 1, 100); err != nil {
		return err
	}
	return h.Annealing.validate("lsoftmax")
}

// Geometry implements Head.
func (*LSoftmax) Geometry() Geometry { return Geometry{} }

// Target implements Head; norm is ‖W_y‖‖x‖.
func (h *LSoftmax) Target(cos, norm float64) (logit, dCos, dNorm float64) {
	ψ, dψ := psi(cos, h.Margin)
	f, df := h.mix(cos, ψ, dψ)
	if h.Detached {
		df = 1
	}
	return lengthen(0, norm, f, df)
}

// Other returns norm cos θ, where norm = ‖W_j‖‖x‖.
func (*LSoftmax) Other(cos, norm float64) (logit, dCos, dNorm float64) {
	return lengthen(0, norm, cos, 1)
}
