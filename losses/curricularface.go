package losses

import "math"

func init() {
	register(Spec{
		Name:   "curricularface",
		Title:  "CurricularFace",
		Target: "s cos(θ_y + m)",
		Other:  "s cos θ_j, and s cos θ_j (t + cos θ_j) where cos θ_j > cos(θ_y + m)",
		Paper:  "CurricularFace, Huang et al. 2020, section 3 (arXiv:2004.00288)",
		Notes:  "As in the authors' code: t includes the present batch, and past θ + m = π the target is s (cos θ - m sin m).",
		Params: []Param{
			{"scale", 64, "s, the length that embeddings are given"},
			{"margin", 0.5, "m in radians, added to the angle"},
			{"momentum", 0.99, "how much of t a batch leaves; the rest is the batch's mean cos θ_y"},
		},
		HasMargin: true,
		Plain:     map[string]float64{"margin": 0},
		build: func(v map[string]float64, o Options) Head {
			return NewCurricularFace(v["scale"], v["margin"], v["momentum"], o.detached())
		},
	})
}

// CurricularFace gives hard classes, those nearer to a sample than its own with its margin, a
// weight that grows over the training:
//
//	z_y = s cos(θ_y + m)
//	z_j = s cos θ_j                where cos θ_j <= cos(θ_y + m)
//	z_j = s cos θ_j (t + cos θ_j)  elsewhere
//
// (Huang et al. 2020, section 3), with t a running mean of cos θ_y that starts at 0. Which
// classes are hard, and t, are not differentiated.
type CurricularFace struct {
	Scale    float64 // s > 0; 64 by default
	Margin   float64 // m in radians, from 0 to π; 0.5 by default
	Momentum float64 // of t, from 0 to 1; 0.99 by default
	Detached bool    // the margin gradient; false by default

	memory // t
}

// NewCurricularFace returns the head with its memory at the start.
func NewCurricularFace(scale, margin, momentum float64, detached bool) *CurricularFace {
	return &CurricularFace{scale, margin, momentum, detached, newMemory(map[string]float32{"t": 0})}
}

// Name returns "curricularface".
func (*CurricularFace) Name() string { return "curricularface" }

// Validate implements Head.
func (h *CurricularFace) Validate() error {
	if err := positive("curricularface", "scale", h.Scale); err != nil {
		return err
	}
	if err := within("curricularface", "margin", h.Margin, 0, math.Pi); err != nil {
		return err
	}
	return within("curricularface", "momentum", h.Momentum, 0, 1)
}

// Geometry implements Head.
func (h *CurricularFace) Geometry() Geometry {
	return Geometry{UnitWeights: true, Scale: h.Scale, Curved: true}
}

// Batch implements Batched: it moves t on and finds from where on a class is hard for each sample.
func (h *CurricularFace) Batch(cos, _ []float64) []Sample {
	var mean float64
	for _, c := range cos {
		mean += c / float64(len(cos))
	}
	h.move("t", mean, 1-h.Momentum)
	t := h.get("t")
	samples := make([]Sample, len(cos))
	for i, c := range cos {
		theta, _ := angle(c)
		samples[i] = curricularSample{h, math.Cos(theta + h.Margin), t}
	}
	return samples
}

// Target returns s cos(θ + m).
func (h *CurricularFace) Target(cos, norm float64) (logit, dCos, dNorm float64) {
	f, df, _ := addAngle(cos, h.Margin, Fallback)
	if h.Detached {
		df = 1
	}
	return lengthen(h.Scale, norm, f, df)
}

// Other returns s cos θ, the logit of a class that is not hard.
func (h *CurricularFace) Other(cos, norm float64) (logit, dCos, dNorm float64) {
	return lengthen(h.Scale, norm, cos, 1)
}

// curricularSample is a sample for which classes are hard above the cosine hard.
type curricularSample struct {
	*CurricularFace
	hard, t float64
}

func (h curricularSample) Other(cos, norm float64) (logit, dCos, dNorm float64) {
	if cos <= h.hard {
		return h.CurricularFace.Other(cos, norm)
	}
	return lengthen(h.Scale, norm, cos*(h.t+cos), h.t+2*cos)
}
