package plain

import (
	"fmt"
	"math"

	"github.com/faceverify/fv/losses/spec"
)

func init() {
	for _, d := range []spec.Loss{
		{Name: "l1", Title: "absolute error", Equation: "|x - t|", Paper: "least absolute deviations"},
		{Name: "l2", Title: "half the squared error", Equation: "(x - t)²/2", Paper: "least squares"},
		{Name: "mse", Title: "squared error", Equation: "(x - t)²", Paper: "least squares"},
		{Name: "huber", Title: "Huber's loss", Equation: "r²/2 for |r| <= δ, δ (|r| - δ/2) beyond,  r = x - t",
			Paper: "Robust Estimation of a Location Parameter, Huber 1964", Params: []spec.Param{{Name: "delta", Default: 1, Doc: "δ: L2 nearer to the target, L1 farther away"}}},
	} {
		described.Add(d)
	}
}

// L1 is the absolute error, |r| with r = x - t. Its derivative is 0 at 0.
type L1 struct{}

// Name returns "l1".
func (L1) Name() string { return "l1" }

// Validate returns nil: there is nothing to set.
func (L1) Validate() error { return nil }

// At implements Elementwise.
func (L1) At(x, t float64) (value, dx float64) {
	r := x - t
	return math.Abs(r), sign(r)
}

// L2 is half the squared error, r²/2 with r = x - t.
type L2 struct{}

// Name returns "l2".
func (L2) Name() string { return "l2" }

// Validate returns nil: there is nothing to set.
func (L2) Validate() error { return nil }

// At implements Elementwise.
func (L2) At(x, t float64) (value, dx float64) {
	r := x - t
	return r * r / 2, r
}

// MSE is the squared error, r² with r = x - t.
type MSE struct{}

// Name returns "mse".
func (MSE) Name() string { return "mse" }

// Validate returns nil: there is nothing to set.
func (MSE) Validate() error { return nil }

// At implements Elementwise.
func (MSE) At(x, t float64) (value, dx float64) {
	r := x - t
	return r * r, 2 * r
}

// Huber is L2 near the target and L1 far from it, with one slope where they meet:
//
//	r²/2           for |r| <= δ
//	δ (|r| - δ/2)  beyond,  r = x - t
//
// (Huber 1964).
type Huber struct {
	Delta float64 // δ > 0; 1 by custom
}

// Name returns "huber".
func (Huber) Name() string { return "huber" }

// Validate implements Elementwise.
func (h Huber) Validate() error {
	if !(h.Delta > 0) || math.IsInf(h.Delta, 0) {
		return fmt.Errorf("plain: huber: delta is %v, want a number above 0", h.Delta)
	}
	return nil
}

// At implements Elementwise.
func (h Huber) At(x, t float64) (value, dx float64) {
	r := x - t
	if math.Abs(r) <= h.Delta {
		return r * r / 2, r
	}
	return h.Delta * (math.Abs(r) - h.Delta/2), h.Delta * sign(r)
}

// sign returns -1, 0 or 1, and NaN of NaN.
func sign(r float64) float64 {
	if r == 0 || math.IsNaN(r) {
		return r
	}
	return math.Copysign(1, r)
}
