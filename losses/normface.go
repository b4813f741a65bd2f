package losses

func init() {
	register(Spec{
		Name:   "normface",
		Title:  "NormFace",
		Target: "s cos θ_y",
		Other:  "s cos θ_j",
		Paper:  "NormFace, Wang et al. 2017, eq. 4 (arXiv:1704.06369)",
		Notes:  "Coco, Liu et al. 2017 (arXiv:1710.00870), is the same head; --head coco is understood.",
		Params: []Param{{"scale", 30, "s, the length that embeddings are given"}},

		FeatureNorm: Scaled,
		build:       func(v map[string]float64, _ Options) Head { return NormFace{Scale: v["scale"]} },
	})
}

// NormFace is the softmax over scaled cosines,
//
//	z_j = s cos θ_j
//
// (Wang et al. 2017): no margin, but embeddings are trained as they are compared.
type NormFace struct {
	Scale float64 // s; 30 by default; 0 keeps ‖x‖ in its place
}

// Name returns "normface".
func (NormFace) Name() string { return "normface" }

// Validate implements Head.
func (h NormFace) Validate() error { return length("normface", h.Scale) }

// Geometry implements Head.
func (h NormFace) Geometry() Geometry { return Geometry{UnitWeights: true, Scale: h.Scale} }

// Target returns s cos θ.
func (h NormFace) Target(cos, norm float64) (logit, dCos, dNorm float64) {
	return lengthen(h.Scale, norm, cos, 1)
}

// Other returns the same.
func (h NormFace) Other(cos, norm float64) (logit, dCos, dNorm float64) {
	return lengthen(h.Scale, norm, cos, 1)
}
