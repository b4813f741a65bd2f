package losses

import (
	"fmt"
	"math"
)

func init() {
	register(Spec{
		Name:   "sphereface2",
		Title:  "SphereFace2-C, a binary classifier for each class",
		Target: "r (g(cos θ_y) - m) + b,  g(c) = 2((c + 1)/2)^t - 1",
		Other:  "r (g(cos θ_j) + m) + b",
		Loss:   "(w/r) (α log(1 + e^-z_y) + (1 - α) sum over j ≠ y of log(1 + e^z_j))",
		Paper:  "SphereFace2, Wen et al. 2022, section 3 (arXiv:2108.01513)",
		Notes:  "The only loss that is no softmax; b is one parameter, shared by all classes. As in OpenSphere, the gradient takes g and m for constants, that is z for r cos θ + const, unless asked for otherwise.",
		Params: []Param{
			{"scale", 40, "r, the length that embeddings are given"},
			{"margin", 0.4, "m, taken off the own cosine and added to the others"},
			{"alpha", 0.7, "α, the weight of the own class against all others"},
			{"t", 3, "how strongly g spreads large cosines"},
			{"loss-weight", 50, "w: the loss is multiplied by w/r"},
		},
		HasMargin: true,
		Plain:     map[string]float64{"margin": 0},
		Detached:  true,
		build: func(v map[string]float64, o Options) Head {
			return SphereFace2{Scale: v["scale"], Margin: v["margin"], Alpha: v["alpha"], T: v["t"],
				Weight: v["loss-weight"], Detached: o.detached()}
		},
	})
}

// SphereFace2 asks of each class by itself whether a sample is of it,
//
//	z_y = r (g(cos θ_y) - m) + b,  z_j = r (g(cos θ_j) + m) + b,  g(c) = 2((c + 1)/2)^t - 1
//	L = (w/r) (α log(1 + e^-z_y) + (1 - α) sum over j ≠ y of log(1 + e^z_j))
//
// (Wen et al. 2022, section 3, with the margin on the cosine: variant C). b is one parameter for all
// classes and starts at StartBias.
type SphereFace2 struct {
	Scale    float64 // r > 0; 40 by default
	Margin   float64 // m from 0 to 2; 0.4 by default
	Alpha    float64 // α, above 0 and below 1; 0.7 by default
	T        float64 // t from 1 to 100; 3 by default
	Weight   float64 // w > 0; 50 by default
	Detached bool    // takes z for r cos θ + const; New sets it by default
}

// Name returns "sphereface2".
func (SphereFace2) Name() string { return "sphereface2" }

// Validate implements Head.
func (h SphereFace2) Validate() error {
	if err := positive("sphereface2", "scale", h.Scale); err != nil {
		return err
	}
	if err := positive("sphereface2", "loss-weight", h.Weight); err != nil {
		return err
	}
	if !(h.Alpha > 0 && h.Alpha < 1) {
		return fmt.Errorf("losses: sphereface2: alpha is %v, want above 0 and below 1", h.Alpha)
	}
	if err := within("sphereface2", "t", h.T, 1, 100); err != nil {
		return err
	}
	return within("sphereface2", "margin", h.Margin, 0, 2)
}

// Geometry implements Head.
func (h SphereFace2) Geometry() Geometry {
	return Geometry{UnitWeights: true, Scale: h.Scale, Curved: true, Bias: SharedBias, Binary: h.Alpha, LossScale: h.Weight / h.Scale}
}

// Target implements Head; b is added to it.
func (h SphereFace2) Target(cos, _ float64) (logit, dCos, dNorm float64) {
	return h.logit(cos, -h.Margin)
}

// Other implements Head; b is added to it.
func (h SphereFace2) Other(cos, _ float64) (logit, dCos, dNorm float64) {
	return h.logit(cos, h.Margin)
}

// logit returns r (g(cos) + m).
func (h SphereFace2) logit(cos, m float64) (logit, dCos, dNorm float64) {
	half := min(max((cos+1)/2, 0), 1)
	logit = h.Scale * (2*math.Pow(half, h.T) - 1 + m)
	if h.Detached {
		return logit, h.Scale, 0
	}
	return logit, h.Scale * h.T * math.Pow(half, h.T-1), 0
}

// StartBias returns the b under which samples at right angles to all weights have the smallest
// loss: with a_y and a_i the logits there without b and u = α/((1-α)(C-1)), the
// solution of α/(1 + e^(a_y+b)) = (1-α)(C-1)/(1 + e^-(a_i+b)).
func (h SphereFace2) StartBias(classes int) float64 {
	ay, _, _ := h.Target(0, 1)
	ai, _, _ := h.Other(0, 1)
	if classes < 2 {
		return -ay
	}
	u := h.Alpha / ((1 - h.Alpha) * float64(classes-1))
	e := 4 * u * math.Exp(ay-ai)
	root := math.Sqrt((1-u)*(1-u) + e)
	sum := 1 - u + root
	if u > 1 {
		sum = e / (u - 1 + root) // the same; the other way loses all its digits for few classes
	}
	return math.Log(2*u) - ai - math.Log(sum)
}
