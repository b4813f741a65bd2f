package losses

import "math"

func init() {
	register(Spec{
		Name:   "arcface",
		Title:  "ArcFace",
		Target: "s cos(min(θ_y + m, π))",
		Other:  "s cos θ_j",
		Paper:  "ArcFace, Deng et al. 2019, eq. 3 (arXiv:1801.07698)",
		Notes:  "Past θ + m = π the logit stays at -s and has no gradient; public code differs there.",
		Params: []Param{
			{"scale", 64, "s, the length that embeddings are given"},
			{"margin", 0.5, "m in radians, added to the angle"},
		},
		HasMargin: true,
		build: func(v map[string]float64, detached bool) Head {
			return ArcFace{Scale: v["scale"], Margin: v["margin"], Detached: detached}
		},
	})
}

// ArcFace adds a margin to the target's angle,
//
//	z_y = s cos(min(θ_y + m, π)),  z_j = s cos θ_j
//
// (Deng et al. 2019, eq. 3).
type ArcFace struct {
	Scale    float64 // s > 0; 64 by default
	Margin   float64 // m in radians, from 0 to π; 0.5 by default
	Detached bool    // the margin gradient; false by default
}

// Name returns "arcface".
func (ArcFace) Name() string { return "arcface" }

// Validate implements Head.
func (h ArcFace) Validate() error {
	if err := positive("arcface", "scale", h.Scale); err != nil {
		return err
	}
	return within("arcface", "margin", h.Margin, 0, math.Pi)
}

// Geometry implements Head.
func (h ArcFace) Geometry() Geometry { return Geometry{UnitWeights: true, Scale: h.Scale} }

// Target implements Head.
func (h ArcFace) Target(cos, _ float64) (logit, dCos, dNorm float64) {
	theta, inner := angle(cos)
	logit = h.Scale * math.Cos(min(theta+h.Margin, math.Pi))
	if h.Detached {
		return logit, h.Scale, 0
	}
	// d cos(θ+m)/d cos θ = sin(θ+m)/sin θ
	return logit, h.Scale * math.Sin(min(inner+h.Margin, math.Pi)) / math.Sin(inner), 0
}

// Other returns s cos θ.
func (h ArcFace) Other(cos, _ float64) (logit, dCos, dNorm float64) { return scaled(h.Scale, cos) }
