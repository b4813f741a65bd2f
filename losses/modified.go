package losses

func init() {
	register(Spec{
		Name:   "modified",
		Title:  "modified softmax",
		Target: "‖x‖ cos θ_y",
		Other:  "‖x‖ cos θ_j",
		Paper:  "SphereFace, Liu et al. 2017, eq. 4 (arXiv:1704.08063)",
		build:  func(map[string]float64, Options) Head { return Modified{} },
	})
}

// Modified is the softmax with unit weights and no bias,
//
//	z_j = ‖x‖ cos θ_j
//
// which decides by angle alone (Liu et al. 2017, eq. 4). It is A-Softmax with m = 1.
type Modified struct{}

// Name returns "modified".
func (Modified) Name() string { return "modified" }

// Validate returns nil: there is nothing to set.
func (Modified) Validate() error { return nil }

// Geometry implements Head.
func (Modified) Geometry() Geometry { return Geometry{UnitWeights: true} }

// Target returns ‖x‖ cos θ.
func (Modified) Target(cos, norm float64) (logit, dCos, dNorm float64) {
	return lengthen(0, norm, cos, 1)
}

// Other returns the same.
func (Modified) Other(cos, norm float64) (logit, dCos, dNorm float64) {
	return lengthen(0, norm, cos, 1)
}
