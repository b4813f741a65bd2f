package losses

import "math"

func init() {
	for _, v := range []struct {
		name, title, target, other string
		scale, margin              float64
		v2                         bool
	}{
		{"sphereface-r-v1", "SphereFace-R, version 1", "s cos(min(m θ_y, π))", "s cos θ_j", 30, 1.5, false},
		{"sphereface-r-v2", "SphereFace-R, version 2", "s cos θ_y", "s cos(θ_j/m)", 60, 1.4, true},
	} {
		register(Spec{
			Name:   v.name,
			Title:  v.title,
			Target: v.target,
			Other:  v.other,
			Loss:   "(w/s) softmax cross-entropy",
			Paper:  "SphereFace Revived, Liu et al. 2022 (arXiv:2109.05565)",
			Notes:  "As in OpenSphere: the margin gradient is detached unless asked for otherwise, and the loss is scaled by w/s.",
			Params: []Param{
				{"scale", v.scale, "s, the length that embeddings are given"},
				{"margin", v.margin, "m, the factor of the angle"},
				{"loss-weight", 50, "w: the cross-entropy is multiplied by w/s"},
			},
			HasMargin: true,
			Plain:     map[string]float64{"margin": 1},
			Detached:  true,
			build: func(p map[string]float64, o Options) Head {
				return SphereFaceR{Scale: p["scale"], Margin: p["margin"], Weight: p["loss-weight"], V2: v.v2, Detached: o.detached()}
			},
		})
	}
}

// SphereFaceR multiplies angles without the pieces of SphereFace's ψ, in one of two ways,
//
//	version 1: z_y = s cos(min(m θ_y, π)),  z_j = s cos θ_j
//	version 2: z_y = s cos θ_y,             z_j = s cos(θ_j/m)
//
// (Liu et al. 2022): the first enlarges the target's angle, the second makes the others
// smaller. The cross-entropy is multiplied by Weight/s, as in OpenSphere.
type SphereFaceR struct {
	Scale    float64 // s > 0; 30 by default, 60 of version 2
	Margin   float64 // m >= 1; 1.5 by default, 1.4 of version 2
	Weight   float64 // of the loss; 50 by default
	V2       bool    // version 2
	Detached bool    // the margin gradient; New sets it by default
}

// Name returns "sphereface-r-v1" or "sphereface-r-v2".
func (h SphereFaceR) Name() string {
	if h.V2 {
		return "sphereface-r-v2"
	}
	return "sphereface-r-v1"
}

// Validate implements Head.
func (h SphereFaceR) Validate() error {
	if err := positive(h.Name(), "scale", h.Scale); err != nil {
		return err
	}
	if err := positive(h.Name(), "loss-weight", h.Weight); err != nil {
		return err
	}
	return within(h.Name(), "margin", h.Margin, 1, 100)
}

// Geometry implements Head.
func (h SphereFaceR) Geometry() Geometry {
	return Geometry{UnitWeights: true, Scale: h.Scale, Curved: h.V2, LossScale: h.Weight / h.Scale}
}

// Target implements Head.
func (h SphereFaceR) Target(cos, _ float64) (logit, dCos, dNorm float64) {
	if h.V2 {
		return h.Scale * cos, h.Scale, 0
	}
	return h.times(cos, h.Margin)
}

// Other implements Head.
func (h SphereFaceR) Other(cos, _ float64) (logit, dCos, dNorm float64) {
	if h.V2 {
		return h.times(cos, 1/h.Margin)
	}
	return h.Scale * cos, h.Scale, 0
}

// times returns s cos(min(a θ, π)).
func (h SphereFaceR) times(cos, a float64) (logit, dCos, dNorm float64) {
	theta, inner := angle(cos)
	logit = h.Scale * math.Cos(min(a*theta, math.Pi))
	if h.Detached {
		return logit, h.Scale, 0
	}
	// d cos(aθ)/d cos θ = a sin(aθ)/sin θ
	return logit, h.Scale * a * math.Sin(min(a*inner, math.Pi)) / math.Sin(inner), 0
}
