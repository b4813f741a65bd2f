package losses

func init() {
	register(Spec{
		Name:   "normface",
		Title:  "NormFace",
		Target: "s cos θ_y",
		Other:  "s cos θ_j",
		Paper:  "NormFace, Wang et al. 2017, eq. 4 (arXiv:1704.06369)",
		Params: []Param{{"scale", 30, "s, the length that embeddings are given"}},
		build:  func(v map[string]float64, _ bool) Head { return NormFace{Scale: v["scale"]} },
	})
}

// NormFace is the softmax over scaled cosines,
//
//	z_j = s cos θ_j
//
// (Wang et al. 2017): no margin, but embeddings are trained as they are compared.
type NormFace struct {
	Scale float64 // s > 0; 30 by default
}

// Name returns "normface".
func (NormFace) Name() string { return "normface" }

// Validate implements Head.
func (h NormFace) Validate() error { return positive("normface", "scale", h.Scale) }

// Geometry implements Head.
func (h NormFace) Geometry() Geometry { return Geometry{UnitWeights: true, Scale: h.Scale} }

// Target returns s cos θ.
func (h NormFace) Target(cos, _ float64) (logit, dCos, dNorm float64) { return scaled(h.Scale, cos) }

// Other returns the same.
func (h NormFace) Other(cos, _ float64) (logit, dCos, dNorm float64) { return scaled(h.Scale, cos) }
