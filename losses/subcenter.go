package losses

func init() {
	register(Spec{
		Name:   "subcenter-arcface",
		Title:  "Sub-center ArcFace",
		Target: "s cos(min(θ_y + m, π)),  cos θ_j = largest of the K cosines to class j",
		Other:  "s cos θ_j",
		Paper:  "Sub-center ArcFace, Deng et al. 2020, section 3 (ECCV 2020)",
		Notes:  "A class has K rows of weights, and only the nearest one gets a gradient. Past π as arcface.",
		Params: []Param{
			{"scale", 64, "s, the length that embeddings are given"},
			{"margin", 0.5, "m in radians, added to the angle"},
			{"centers", 3, "K, weights for each class"},
		},
		HasMargin: true,
		Plain:     map[string]float64{"margin": 0},
		build: func(v map[string]float64, o Options) Head {
			return SubCenterArcFace{ArcFace{Scale: v["scale"], Margin: v["margin"], Detached: o.detached()}, v["centers"]}
		},
	})
}

// SubCenterArcFace is ArcFace with K weights for each class, of which the nearest one counts,
//
//	cos θ_j = max over k of cos θ_jk,  z_y = s cos(θ_y + m),  z_j = s cos θ_j
//
// (Deng et al. 2020, section 3): images that are labelled wrongly gather around weights of their own.
type SubCenterArcFace struct {
	ArcFace
	Centers float64 // K, a whole number from 1 to 64; 3 by default
}

// Name returns "subcenter-arcface".
func (SubCenterArcFace) Name() string { return "subcenter-arcface" }

// Validate implements Head.
func (h SubCenterArcFace) Validate() error {
	if err := positive("subcenter-arcface", "scale", h.Scale); err != nil {
		return err
	}
	if err := h.ArcFace.Validate(); err != nil {
		return err
	}
	return whole("subcenter-arcface", "centers", h.Centers, 1, 64)
}

// Geometry implements Head.
func (h SubCenterArcFace) Geometry() Geometry {
	return Geometry{UnitWeights: true, Scale: h.Scale, Centers: int(h.Centers)}
}
