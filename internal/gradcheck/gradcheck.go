// Package gradcheck works out derivatives numerically, for tests to compare
// analytical ones with. Functions are in float64: in float32, rounding
// leaves three digits at best.
package gradcheck

import "math"

// Derivative returns f'(x) from the four points x ± h, x ± h/2: the central
// differences of both steps, extrapolated to h = 0. The error is O(h^4) where f
// is smooth within h of x; h = 1e-3 of the scale on which f changes is a good choice.
func Derivative(f func(float64) float64, x, h float64) float64 {
	d := func(h float64) float64 { return (f(x+h) - f(x-h)) / (2 * h) }
	return (4*d(h/2) - d(h)) / 3
}

// OneSided returns the derivative of f at x to the right if h > 0 and to the left if
// h < 0, for kinks and ends of the domain. The error is O(h²).
func OneSided(f func(float64) float64, x, h float64) float64 {
	return (4*f(x+h) - 3*f(x) - f(x+2*h)) / (2 * h)
}

// Gradient returns the derivatives of f with respect to every element of x by
// Derivative. x is changed in the course of it and restored.
func Gradient(f func() float64, x []float64, h float64) []float64 {
	g := make([]float64, len(x))
	for i, at := range x {
		g[i] = Derivative(func(v float64) float64 { x[i] = v; return f() }, at, h)
		x[i] = at
	}
	return g
}

// Distance returns the largest |got - want| over the largest |want|, and infinity
// where got has what is not a number or the lengths differ: an error relative to the
// size of the whole, so that elements near 0 do not decide.
func Distance[T float32 | float64](got []T, want []float64) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	var diff, size float64
	for i, w := range want {
		d := math.Abs(float64(got[i]) - w)
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		diff, size = max(diff, d), max(size, math.Abs(w))
	}
	if diff == 0 {
		return 0
	}
	return diff / size
}
