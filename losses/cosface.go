package losses

func init() {
	for _, v := range []struct {
		name, title, paper string
		scale              float64
	}{
		{"cosface", "CosFace", "CosFace, Wang et al. 2018, eq. 4 (arXiv:1801.09414)", 64},
		{"amsoftmax", "AM-Softmax", "Additive Margin Softmax, Wang et al. 2018, eq. 6 (arXiv:1801.05599)", 30},
	} {
		register(Spec{
			Name:   v.name,
			Title:  v.title,
			Target: "s (cos θ_y - m)",
			Other:  "s cos θ_j",
			Paper:  v.paper,
			Notes:  "CosFace and AM-Softmax are one head under two names, with different defaults.",
			Params: []Param{
				{"scale", v.scale, "s, the length that embeddings are given"},
				{"margin", 0.35, "m, taken off the cosine"},
			},
			HasMargin:   true,
			Plain:       map[string]float64{"margin": 0},
			FeatureNorm: Scaled,
			build: func(p map[string]float64, _ Options) Head {
				return CosFace{Scale: p["scale"], Margin: p["margin"], name: v.name}
			},
		})
	}
}

// CosFace takes a margin off the target's cosine,
//
//	z_y = s (cos θ_y - m),  z_j = s cos θ_j
//
// (Wang et al. 2018, eq. 4). AM-Softmax is the same head, with s = 30 in place of 64 by
// default. The margin is a constant, so detaching it changes nothing.
type CosFace struct {
	Scale  float64 // s; 64 by default; 0 keeps ‖x‖ in its place
	Margin float64 // m from 0 to 2; 0.35 by default

	name string // "amsoftmax" under that name
}

// Name returns "cosface", or "amsoftmax" for a head that was made under that name.
func (h CosFace) Name() string {
	if h.name == "" {
		return "cosface"
	}
	return h.name
}

// Validate implements Head.
func (h CosFace) Validate() error {
	if err := length(h.Name(), h.Scale); err != nil {
		return err
	}
	return within(h.Name(), "margin", h.Margin, 0, 2)
}

// Geometry implements Head.
func (h CosFace) Geometry() Geometry { return Geometry{UnitWeights: true, Scale: h.Scale} }

// Target returns s (cos θ - m).
func (h CosFace) Target(cos, norm float64) (logit, dCos, dNorm float64) {
	return lengthen(h.Scale, norm, cos-h.Margin, 1)
}

// Other returns s cos θ.
func (h CosFace) Other(cos, norm float64) (logit, dCos, dNorm float64) {
	return lengthen(h.Scale, norm, cos, 1)
}
