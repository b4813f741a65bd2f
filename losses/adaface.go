package losses

import "math"

// Constants of AdaFace (Kim et al. 2022) that its code sets and its paper leaves open.
const (
	adaMean      = 20   // the running mean of ‖x‖ at the start
	adaDeviation = 100  // the running deviation at the start
	adaLeast     = 1e-3 // least and largest ‖x‖ that count
	adaMost      = 100
	adaEpsilon   = 1e-3 // added to the deviation; and angles keep that far from 0 and π
)

func init() {
	register(Spec{
		Name:   "adaface",
		Title:  "AdaFace",
		Target: "s (cos(θ_y - m ẑ) - m - m ẑ),  ẑ = clip(h (‖x‖ - μ)/σ, -1, 1)",
		Other:  "s cos θ_j",
		Paper:  "AdaFace, Kim et al. 2022, section 3.3 (arXiv:2204.00964)",
		Notes:  "As in the authors' code, μ and σ include the present batch and start at 20 and 100, and the angle is clipped; cosines, unlike there, are not. ẑ is taken for a constant: no gradient passes through ‖x‖.",
		Params: []Param{
			{"scale", 64, "s, the length that embeddings are given"},
			{"margin", 0.4, "m, in radians where it is added to the angle"},
			{"h", 0.333, "how much of the lengths' range changes the margin"},
			{"t-alpha", 0.01, "share of a batch in the running mean and deviation of ‖x‖"},
		},
		HasMargin: true,
		Plain:     map[string]float64{"margin": 0},
		build: func(v map[string]float64, o Options) Head {
			return NewAdaFace(v["scale"], v["margin"], v["h"], v["t-alpha"], o.detached())
		},
	})
}

// AdaFace makes the margin depend on the quality of the image, which it reads off the length of
// its embedding:
//
//	z_y = s (cos(θ_y - m ẑ) - m - m ẑ),  z_j = s cos θ_j
//	ẑ = clip(h (‖x‖ - μ)/σ, -1, 1)
//
// (Kim et al. 2022, section 3.3), where μ and σ are running means of the mean and the standard deviation
// of ‖x‖ in a batch. It is ArcFace with a negative margin at ẑ = 1, CosFace at 0 and ArcFace at -1. A batch
// of one has no deviation and leaves σ as it is.
type AdaFace struct {
	Scale    float64 // s > 0; 64 by default
	Margin   float64 // m from 0 to π/2; 0.4 by default
	H        float64 // from 0 to 100; 0.333 by default
	Alpha    float64 // weight of a batch in the running means, 0 to 1; 0.01 by default
	Detached bool    // the margin gradient; false by default

	memory // mean, deviation
}

// NewAdaFace returns the head with its memory at the start.
func NewAdaFace(scale, margin, h, alpha float64, detached bool) *AdaFace {
	return &AdaFace{scale, margin, h, alpha, detached, newMemory(map[string]float32{"mean": adaMean, "deviation": adaDeviation})}
}

// Name returns "adaface".
func (*AdaFace) Name() string { return "adaface" }

// Validate implements Head.
func (h *AdaFace) Validate() error {
	if err := positive("adaface", "scale", h.Scale); err != nil {
		return err
	}
	if err := within("adaface", "margin", h.Margin, 0, math.Pi/2); err != nil {
		return err
	}
	if err := within("adaface", "h", h.H, 0, 100); err != nil {
		return err
	}
	return within("adaface", "t-alpha", h.Alpha, 0, 1)
}

// Geometry implements Head.
func (h *AdaFace) Geometry() Geometry { return Geometry{UnitWeights: true, Scale: h.Scale} }

// Batch implements Batched: it moves the mean and the deviation on and measures each length by them.
func (h *AdaFace) Batch(_, norm []float64) []Sample {
	n := float64(len(norm))
	var mean, square float64
	for _, r := range norm {
		mean += adaLength(r) / n
	}
	for _, r := range norm {
		square += (adaLength(r) - mean) * (adaLength(r) - mean)
	}
	h.move("mean", mean, h.Alpha)
	if n > 1 {
		h.move("deviation", math.Sqrt(square/(n-1)), h.Alpha)
	}
	samples := make([]Sample, len(norm))
	for i, r := range norm {
		samples[i] = adaSample{h, h.quality(r)}
	}
	return samples
}

func adaLength(norm float64) float64 { return min(max(norm, adaLeast), adaMost) }

// quality returns ẑ.
func (h *AdaFace) quality(norm float64) float64 {
	z := h.H * (adaLength(norm) - h.get("mean")) / (h.get("deviation") + adaEpsilon)
	return min(max(z, -1), 1)
}

// Target implements Head, with ẑ by the present mean and deviation and for a constant.
func (h *AdaFace) Target(cos, norm float64) (logit, dCos, dNorm float64) {
	return adaSample{h, h.quality(norm)}.Target(cos, norm)
}

// Other returns s cos θ.
func (h *AdaFace) Other(cos, norm float64) (logit, dCos, dNorm float64) {
	return lengthen(h.Scale, norm, cos, 1)
}

// adaSample is a sample of the quality z.
type adaSample struct {
	*AdaFace
	z float64
}

func (h adaSample) Target(cos, norm float64) (logit, dCos, dNorm float64) {
	theta, inner := angle(cos)
	gAngle, gAdd := -h.Margin*h.z, h.Margin+h.Margin*h.z
	clipped := func(t float64) float64 { return min(max(t, adaEpsilon), math.Pi-adaEpsilon) }
	f := math.Cos(clipped(theta+gAngle)) - gAdd
	df := 0.0
	if t := inner + gAngle; t == clipped(t) {
		df = math.Sin(t) / math.Sin(inner)
	}
	if h.Detached {
		df = 1
	}
	return lengthen(h.Scale, norm, f, df)
}
