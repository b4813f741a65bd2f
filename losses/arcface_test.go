package losses

import (
	"math"
	"testing"
)

// Where targets are not continuous, they are so as the documentation says.
func TestArcFacePast(t *testing.T) {
	at := func(p Past, theta float64) float64 {
		z, _, _ := ArcFace{Scale: 1, Margin: 0.5, Past: p}.Target(math.Cos(theta), 1)
		return z
	}
	const e = 1e-6
	edge := math.Pi - 0.5
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"clamp before π", at(Clamp, edge-e), -1},
		{"clamp past π", at(Clamp, edge+0.3), -1},
		{"fallback before π", at(Fallback, edge-e), -1},
		{"fallback past π", at(Fallback, edge+e), math.Cos(edge) - 0.5*math.Sin(0.5)},
		{"easy before 90°", at(Easy, math.Pi/2-e), -math.Sin(0.5)},
		{"easy past 90°", at(Easy, math.Pi/2+e), 0},
	} {
		if !near(c.got, c.want, 2e-6) {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
}
