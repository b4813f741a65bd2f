package losses

import (
	"math"
	"testing"
)

func TestCircle(t *testing.T) {
	h := Circle{Scale: 256, Margin: 0.25, Detached: true}
	for cos := -0.99; cos < 1; cos += 0.01 {
		// |∂z/∂cos| is s times the weight.
		_, d, _ := h.Target(cos, 1)
		_, dn, _ := h.Other(cos, 1)
		if !near(d, 256*(1.25-cos), 1e-12) || !near(dn, 256*max(0, cos+0.25), 1e-12) {
			t.Errorf("slopes %v and %v at cos = %v", d, dn, cos)
		}
	}
	// The boundary is the circle cos² θ_j + (1 - cos θ_y)² = 2m².
	for a := 0.0; a < math.Pi; a += 0.1 {
		y, j := 1-math.Sqrt2*0.25*math.Sin(a), math.Sqrt2*0.25*math.Cos(a)
		if j < -0.25 {
			continue // α_j is 0 there
		}
		zy, _, _ := h.Target(y, 1)
		zj, _, _ := h.Other(j, 1)
		if !near(zy, zj, 1e-9) {
			t.Errorf("logits %v and %v at (%v, %v) on the boundary", zy, zj, y, j)
		}
	}
}
