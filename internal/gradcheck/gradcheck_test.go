package gradcheck

import (
	"math"
	"testing"
)

func TestDerivative(t *testing.T) {
	if d := Derivative(math.Sin, 0.7, 1e-3); math.Abs(d-math.Cos(0.7)) > 1e-12 {
		t.Errorf("sin'(0.7) = %v, want %v", d, math.Cos(0.7))
	}
	if r, l := OneSided(math.Abs, 0, 1e-3), OneSided(math.Abs, 0, -1e-3); math.Abs(r-1) > 1e-12 || math.Abs(l+1) > 1e-12 {
		t.Errorf("|x|' at 0 is %v to the right and %v to the left, want 1 and -1", r, l)
	}
}

func TestGradient(t *testing.T) {
	x := []float64{1, -2, 3}
	g := Gradient(func() float64 { return x[0]*x[1] + x[2]*x[2]*x[2] }, x, 1e-3)
	if d := Distance(g, []float64{-2, 1, 27}); d > 1e-9 {
		t.Errorf("gradient %v", g)
	}
	if x[0] != 1 || x[1] != -2 || x[2] != 3 {
		t.Errorf("x was left at %v", x)
	}
}

func TestDistance(t *testing.T) {
	if d := Distance([]float32{1, float32(math.NaN())}, []float64{1, 1}); !math.IsInf(d, 1) {
		t.Errorf("NaN is at distance %v", d)
	}
	if d := Distance([]float32{1, 2.5}, []float64{1, 2}); d != 0.25 {
		t.Errorf("distance %v, want 0.25", d)
	}
	if d := Distance([]float32{0}, []float64{0}); d != 0 {
		t.Errorf("distance of zeros %v", d)
	}
}
