package losses

func init() {
	register(Spec{
		Name:   "sphereface",
		Title:  "SphereFace with normalised embeddings",
		Target: "s ψ(θ_y),  ψ(θ) = (-1)^k cos(mθ) - 2k",
		Other:  "s cos θ_j",
		Paper:  "SphereFace Revived, Liu et al. 2022 (arXiv:2109.05565), after SphereFace, eq. 7",
		Notes:  "As in OpenSphere: any real m, no annealing, and a margin gradient that is detached unless asked for otherwise.",
		Params: []Param{
			{"scale", 30, "s, the length that embeddings are given"},
			{"margin", 1.7, "m, the factor of the angle"},
		},
		HasMargin:   true,
		Plain:       map[string]float64{"margin": 1},
		Detached:    true,
		FeatureNorm: Scaled,
		build: func(v map[string]float64, o Options) Head {
			return SphereFace{Scale: v["scale"], Margin: v["margin"], Detached: o.detached()}
		},
	})
}

// SphereFace multiplies the target's angle, with normalised embeddings,
//
//	z_y = s ψ(θ_y),  z_j = s cos θ_j
//
// with ψ(θ) = (-1)^k cos(mθ) - 2k on [kπ/m, (k+1)π/m] for any real m >= 1.
type SphereFace struct {
	Scale    float64 // s; 30 by default; 0 keeps ‖x‖ in its place
	Margin   float64 // m >= 1; 1.7 by default
	Detached bool    // the margin gradient; New sets it by default
}

// Name returns "sphereface".
func (SphereFace) Name() string { return "sphereface" }

// Validate implements Head.
func (h SphereFace) Validate() error {
	if err := length("sphereface", h.Scale); err != nil {
		return err
	}
	return within("sphereface", "margin", h.Margin, 1, 100)
}

// Geometry implements Head.
func (h SphereFace) Geometry() Geometry { return Geometry{UnitWeights: true, Scale: h.Scale} }

// Target implements Head.
func (h SphereFace) Target(cos, norm float64) (logit, dCos, dNorm float64) {
	ψ, dψ := psi(cos, h.Margin)
	if h.Detached {
		dψ = 1
	}
	return lengthen(h.Scale, norm, ψ, dψ)
}

// Other returns s cos θ.
func (h SphereFace) Other(cos, norm float64) (logit, dCos, dNorm float64) {
	return lengthen(h.Scale, norm, cos, 1)
}
