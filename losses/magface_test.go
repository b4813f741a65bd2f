package losses

import (
	"math"
	"testing"

	"github.com/faceverify/fv/internal/gradcheck"
)

func TestMagFace(t *testing.T) {
	h := makeHead(t, "magface", Options{}).(MagFace)
	for _, c := range []struct{ norm, margin float64 }{{1, 0.45}, {10, 0.45}, {60, 0.625}, {110, 0.8}, {1e6, 0.8}} {
		if m, _ := h.margin(c.norm); !near(m, c.margin, 1e-12) {
			t.Errorf("margin %v of length %v, want %v", m, c.norm, c.margin)
		}
	}
	for _, norm := range []float64{1e-6, 5, 11, 60, 109, 111, 1e6} {
		v, d := h.Penalty(norm)
		want := gradcheck.Derivative(func(x float64) float64 { v, _ := h.Penalty(x); return v }, norm, 1e-4*norm)
		if !near(d, want, 1e-8) || math.IsNaN(v) {
			t.Errorf("penalty %v of length %v: derivative %v, numerically %v", v, norm, d, want)
		}
	}
	if v, _ := h.Penalty(60); !near(v, 35*(60.0/12100+1.0/60), 1e-12) {
		t.Errorf("penalty %v of length 60", v)
	}
}
