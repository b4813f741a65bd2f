package losses

import "math"

func init() {
	register(Spec{
		Name:   "combined",
		Title:  "combined margin",
		Target: "s (cos(min(m1 θ_y + m2, π)) - m3)",
		Other:  "s cos θ_j",
		Paper:  "ArcFace, Deng et al. 2019, eq. 4 (arXiv:1801.07698)",
		Notes:  "Past m1 θ + m2 = π the logit stays at -s (1 + m3) and has no gradient; InsightFace's code lets the cosine rise again.",
		Params: []Param{
			{"scale", 64, "s, the length that embeddings are given"},
			{"m1", 1, "factor of the angle, as in SphereFace"},
			{"m2", 0.3, "added to the angle, in radians, as in ArcFace"},
			{"m3", 0.2, "taken off the cosine, as in CosFace"},
		},
		HasMargin:   true,
		Plain:       map[string]float64{"m1": 1, "m2": 0, "m3": 0},
		FeatureNorm: Scaled,
		build: func(v map[string]float64, o Options) Head {
			return Combined{Scale: v["scale"], M1: v["m1"], M2: v["m2"], M3: v["m3"], Detached: o.detached()}
		},
	})
}

// Combined has the margins of SphereFace, ArcFace and CosFace at once,
//
//	z_y = s (cos(min(m1 θ_y + m2, π)) - m3),  z_j = s cos θ_j
//
// (Deng et al. 2019, eq. 4).
type Combined struct {
	Scale    float64 // s; 64 by default; 0 keeps ‖x‖ in its place
	M1       float64 // from 0.1 to 100; 1 by default
	M2       float64 // in radians, from 0 to π; 0.3 by default
	M3       float64 // from 0 to 2; 0.2 by default
	Detached bool    // the margin gradient; false by default
}

// Name returns "combined".
func (Combined) Name() string { return "combined" }

// Validate implements Head.
func (h Combined) Validate() error {
	if err := length("combined", h.Scale); err != nil {
		return err
	}
	if err := within("combined", "m1", h.M1, 0.1, 100); err != nil {
		return err
	}
	if err := within("combined", "m2", h.M2, 0, math.Pi); err != nil {
		return err
	}
	return within("combined", "m3", h.M3, 0, 2)
}

// Geometry implements Head.
func (h Combined) Geometry() Geometry { return Geometry{UnitWeights: true, Scale: h.Scale} }

// Target implements Head.
func (h Combined) Target(cos, norm float64) (logit, dCos, dNorm float64) {
	theta, inner := angle(cos)
	f := math.Cos(min(h.M1*theta+h.M2, math.Pi)) - h.M3
	// d cos(m1 θ + m2)/d cos θ = m1 sin(m1 θ + m2)/sin θ
	df := h.M1 * math.Sin(min(h.M1*inner+h.M2, math.Pi)) / math.Sin(inner)
	if h.Detached {
		df = 1
	}
	return lengthen(h.Scale, norm, f, df)
}

// Other returns s cos θ.
func (h Combined) Other(cos, norm float64) (logit, dCos, dNorm float64) {
	return lengthen(h.Scale, norm, cos, 1)
}
