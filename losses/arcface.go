package losses

import "math"

// Past says what ArcFace's target is where θ + m would be past π, from where on its cosine
// rises again.
type Past int

const (
	// Clamp leaves the target at cos π, without a gradient.
	Clamp Past = iota
	// Fallback takes cos θ - m sin m, as most public code does. The target falls by a jump
	// there, and goes on falling.
	Fallback
	// Easy has a margin only where cos θ > 0, and cos θ elsewhere: the target rises by a jump
	// at 90°.
	Easy
)

func init() {
	for _, v := range []struct {
		name, title, target, notes string
		past                       Past
	}{
		{"arcface", "ArcFace", "s cos(min(θ_y + m, π))",
			"Past θ + m = π the logit stays at -s and has no gradient; public code differs there, see arcface-fallback.", Clamp},
		{"arcface-fallback", "ArcFace as in most public code", "s cos(θ_y + m) up to θ_y + m = π, s (cos θ_y - m sin m) from there on",
			"As in InsightFace's code; the paper does not say what happens past π.", Fallback},
		{"arcface-easy", "ArcFace with the easy margin", "s cos(θ_y + m) where cos θ_y > 0, s cos θ_y elsewhere",
			"The easy_margin of InsightFace's code; the paper does not have it.", Easy},
	} {
		register(Spec{
			Name:   v.name,
			Title:  v.title,
			Target: v.target,
			Other:  "s cos θ_j",
			Paper:  "ArcFace, Deng et al. 2019, eq. 3 (arXiv:1801.07698)",
			Notes:  v.notes,
			Params: []Param{
				{"scale", 64, "s, the length that embeddings are given"},
				{"margin", 0.5, "m in radians, added to the angle"},
			},
			HasMargin:   true,
			Plain:       map[string]float64{"margin": 0},
			FeatureNorm: Scaled,
			build: func(p map[string]float64, o Options) Head {
				return ArcFace{Scale: p["scale"], Margin: p["margin"], Past: v.past, Detached: o.detached()}
			},
		})
	}
}

// ArcFace adds a margin to the target's angle,
//
//	z_y = s cos(θ_y + m),  z_j = s cos θ_j
//
// (Deng et al. 2019, eq. 3). Past says what happens where θ_y + m > π.
type ArcFace struct {
	Scale    float64 // s; 64 by default; 0 keeps ‖x‖ in its place
	Margin   float64 // m in radians, from 0 to π, with Easy to π/2; 0.5 by default
	Past     Past    // Clamp by default
	Detached bool    // the margin gradient; false by default
}

// Name returns "arcface", and with another Past "arcface-fallback" or "arcface-easy".
func (h ArcFace) Name() string {
	return [...]string{"arcface", "arcface-fallback", "arcface-easy"}[h.Past]
}

// Validate implements Head.
func (h ArcFace) Validate() error {
	if err := length(h.Name(), h.Scale); err != nil {
		return err
	}
	most := math.Pi
	if h.Past == Easy {
		most = math.Pi / 2
	}
	return within(h.Name(), "margin", h.Margin, 0, most)
}

// Geometry implements Head.
func (h ArcFace) Geometry() Geometry { return Geometry{UnitWeights: true, Scale: h.Scale} }

// Target implements Head.
func (h ArcFace) Target(cos, norm float64) (logit, dCos, dNorm float64) {
	f, df, _ := addAngle(cos, h.Margin, h.Past)
	if h.Detached {
		df = 1
	}
	return lengthen(h.Scale, norm, f, df)
}

// Other returns s cos θ.
func (h ArcFace) Other(cos, norm float64) (logit, dCos, dNorm float64) {
	return lengthen(h.Scale, norm, cos, 1)
}

// addAngle returns cos(θ + m), or what is taken in its place, and the derivatives with respect to
// cos θ and m.
func addAngle(cos, m float64, past Past) (f, dCos, dM float64) {
	theta, inner := angle(cos)
	switch {
	case past == Easy && cos <= 0:
		return cos, 1, 0
	case past == Clamp && theta+m > math.Pi:
		return -1, 0, 0
	case past == Fallback && theta+m > math.Pi:
		sin, c := math.Sincos(m)
		return cos - m*sin, 1, -sin - m*c
	}
	// d cos(θ+m)/d cos θ = sin(θ+m)/sin θ
	return math.Cos(theta + m), math.Sin(min(inner+m, math.Pi)) / math.Sin(inner), -math.Sin(theta + m)
}
