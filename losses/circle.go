package losses

func init() {
	register(Spec{
		Name:   "circle",
		Title:  "Circle loss on class weights",
		Target: "s α_y (cos θ_y - (1 - m)),  α_y = max(0, 1 + m - cos θ_y)",
		Other:  "s α_j (cos θ_j - m),  α_j = max(0, cos θ_j + m)",
		Paper:  "Circle Loss, Sun et al. 2020, section 3 (arXiv:2002.10857)",
		Notes:  "The weights α are taken for constants by default: this gives the gradient that the paper writes down. With the margin gradient exact they are differentiated.",
		Params: []Param{
			{"scale", 256, "s, the paper's γ"},
			{"margin", 0.25, "m, which sets both the optima and the boundaries"},
		},
		HasMargin: true,
		Detached:  true,
		build: func(v map[string]float64, o Options) Head {
			return Circle{Scale: v["scale"], Margin: v["margin"], Detached: o.detached()}
		},
	})
}

// Circle weighs each cosine by how far it is from its optimum, 1 + m for the own class and -m for the others,
//
//	z_y = s α_y (cos θ_y - (1 - m)),  α_y = max(0, 1 + m - cos θ_y)
//	z_j = s α_j (cos θ_j - m),        α_j = max(0, cos θ_j + m)
//
// (Sun et al. 2020, section 3), with the class weights for what a sample is compared with. The decision boundary is a circle about
// (cos θ_y, cos θ_j) = (1, 0).
type Circle struct {
	Scale    float64 // s > 0; 256 by default
	Margin   float64 // m from 0 to 1; 0.25 by default
	Detached bool    // takes α for constants; New sets it by default
}

// Name returns "circle".
func (Circle) Name() string { return "circle" }

// Validate implements Head.
func (h Circle) Validate() error {
	if err := positive("circle", "scale", h.Scale); err != nil {
		return err
	}
	return within("circle", "margin", h.Margin, 0, 1)
}

// Geometry implements Head.
func (h Circle) Geometry() Geometry {
	return Geometry{UnitWeights: true, Scale: h.Scale, Curved: true}
}

// Target implements Head.
func (h Circle) Target(cos, _ float64) (logit, dCos, dNorm float64) {
	return h.weighted(1+h.Margin-cos, -1, cos-(1-h.Margin))
}

// Other implements Head.
func (h Circle) Other(cos, _ float64) (logit, dCos, dNorm float64) {
	return h.weighted(cos+h.Margin, 1, cos-h.Margin)
}

// weighted returns s max(0, α) Δ of a weight with the given derivative and a Δ with derivative 1.
func (h Circle) weighted(α, dα, Δ float64) (logit, dCos, dNorm float64) {
	if α <= 0 {
		return 0, 0, 0
	}
	if h.Detached {
		dα = 0
	}
	return h.Scale * α * Δ, h.Scale * (α + dα*Δ), 0
}
