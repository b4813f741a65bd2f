package losses

func init() {
	register(Spec{
		Name:   "softmax",
		Title:  "softmax cross-entropy",
		Target: "W_y·x + b_y",
		Other:  "W_j·x + b_j",
		Paper:  "the usual classifier; nothing is normalised",
		build:  func(map[string]float64, Options) Head { return Softmax{} },
	})
}

// Softmax is the usual linear classifier,
//
//	z_j = W_j·x + b_j
//
// the only head with a bias and with weights of free length.
type Softmax struct{}

// Name returns "softmax".
func (Softmax) Name() string { return "softmax" }

// Validate returns nil: there is nothing to set.
func (Softmax) Validate() error { return nil }

// Geometry implements Head.
func (Softmax) Geometry() Geometry { return Geometry{Bias: ClassBias} }

// Target returns norm cos θ, where norm = ‖W_y‖‖x‖; the bias is added to it.
func (Softmax) Target(cos, norm float64) (logit, dCos, dNorm float64) {
	return lengthen(0, norm, cos, 1)
}

// Other returns the same.
func (Softmax) Other(cos, norm float64) (logit, dCos, dNorm float64) {
	return lengthen(0, norm, cos, 1)
}
