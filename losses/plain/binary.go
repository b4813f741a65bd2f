package plain

import (
	"errors"
	"fmt"
	"math"

	"github.com/faceverify/fv/losses/spec"
)

func init() {
	for _, d := range []spec.Loss{
		{Name: "bce", Title: "binary cross-entropy", Equation: "-(t ln p + (1 - t) ln(1 - p))", Paper: "maximum likelihood of a Bernoulli variable",
			Notes: "Of probabilities p. A logarithm counts as -100 at least, as in PyTorch."},
		{Name: "multi-label", Title: "sigmoid and binary cross-entropy for each class", Equation: "-(t ln σ(z) + (1 - t) ln(1 - σ(z)))",
			Paper: "maximum likelihood of independent Bernoulli variables", Notes: "Of logits z; targets like 1 0 1."},
		{Name: "focal", Title: "binary focal loss", Equation: "-α_t (1 - p_t)^γ ln p_t,  p_t = σ(z) where t = 1, 1 - σ(z) where t = 0",
			Paper: "Focal Loss, Lin et al. 2017, eq. 5 (arXiv:1708.02002)", Notes: "Of logits z. α = 0 leaves the classes unweighted (eq. 4); γ = 0 is then the cross-entropy.",
			Params: []spec.Param{{Name: "gamma", Default: 2, Doc: "γ: how much less samples count that are right"}, {Name: "alpha", Default: 0.25, Doc: "α_t of t = 1; 1 - α of t = 0"}}},
	} {
		described.Add(d)
	}
}

// BCE is the binary cross-entropy of a probability p in [0,1] against a target t in [0,1],
//
//	-(t ln p + (1-t) ln(1-p))
//
// Its logarithms count as -100 at least, and its derivative (p-t)/(p(1-p)) has a denominator of at least
// 1e-12, as in PyTorch.
type BCE struct{}

// Name returns "bce".
func (BCE) Name() string { return "bce" }

// Validate returns nil: there is nothing to set.
func (BCE) Validate() error { return nil }

// At implements Elementwise.
func (BCE) At(p, t float64) (value, dp float64) {
	value = -(t*max(math.Log(p), -100) + (1-t)*max(math.Log1p(-p), -100))
	return value, (p - t) / max(p*(1-p), 1e-12)
}

// MultiLabel is the binary cross-entropy of a sigmoid, for each class by itself,
//
//	-(t ln σ(z) + (1-t) ln(1-σ(z))) = max(z, 0) - z t + ln(1 + e^-|z|)
//
// of a logit z against a target t in [0,1]. Its derivative is σ(z) - t.
type MultiLabel struct{}

// Name returns "multi-label".
func (MultiLabel) Name() string { return "multi-label" }

// Validate returns nil: there is nothing to set.
func (MultiLabel) Validate() error { return nil }

// At implements Elementwise.
func (MultiLabel) At(z, t float64) (value, dz float64) {
	return max(z, 0) - z*t + math.Log1p(math.Exp(-math.Abs(z))), sigmoid(z) - t
}

// Focal is the cross-entropy with less weight on samples that are right,
//
//	-α_t (1 - p_t)^γ ln p_t
//
// (Lin et al. 2017, eq. 5) of a logit z against a target of 0 or 1: p_t = σ(z) and α_t = α where t = 1, and
// 1 - σ(z) and 1 - α where t = 0. Targets from 1/2 on count as 1.
type Focal struct {
	Gamma float64 // γ >= 0; 2 in the paper
	Alpha float64 // from 0 to 1; 0.25 in the paper; 0 weighs both targets with 1 (eq. 4)
}

// Name returns "focal".
func (Focal) Name() string { return "focal" }

// Validate implements Elementwise.
func (f Focal) Validate() error {
	err := atLeast("focal", "gamma", f.Gamma, 0)
	if !(f.Alpha >= 0 && f.Alpha <= 1) {
		err = errors.Join(err, fmt.Errorf("plain: focal: alpha is %v, want 0 to 1", f.Alpha))
	}
	return err
}

// At implements Elementwise.
func (f Focal) At(z, t float64) (value, dz float64) {
	toward, weight := 1.0, f.Alpha
	if t < 0.5 {
		toward, weight = -1, 1-f.Alpha
	}
	if f.Alpha == 0 {
		weight = 1
	}
	s := toward * z
	log := -(max(-s, 0) + math.Log1p(math.Exp(-math.Abs(s)))) // ln p_t
	value, d := focus(f.Gamma, sigmoid(s), sigmoid(-s), log)
	return weight * value, weight * toward * d
}

// focus returns -(1-p)^γ ln p and its derivative with respect to the logit of p, of which dp/dz =
// p(1-p). q = 1-p and log = ln p are exact where p is near 1 or 0.
//
//	d/dz = q^γ (γ p ln p - q)
func focus(gamma, p, q, log float64) (value, dz float64) {
	w := math.Pow(q, gamma)
	return -w * log, w * (gamma*p*log - q)
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }
