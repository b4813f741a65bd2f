package pipeline

import (
	"math"
	"strings"
	"testing"
)

// At the least scale a sample that lies on its own class's weight, with all weights as far apart as C directions can be, at the
// cosine -1/(C-1), has the probability 0.9.
func TestLeastScale(t *testing.T) {
	for _, c := range []int{2, 5, 100, 10575, 85742} {
		s := leastScale(c)
		own, other := math.Exp(s), math.Exp(-s/float64(c-1))
		if p := own / (own + float64(c-1)*other); math.Abs(p-0.9) > 1e-12 {
			t.Errorf("%d classes: probability %v at s = %v", c, p, s)
		}
	}
}

func TestScale(t *testing.T) {
	var s Scale
	for _, text := range []string{"0", "-1", "NaN", "Inf", "big"} {
		if err := s.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), "above 0, or auto") {
			t.Errorf("%q: error %v", text, err)
		}
	}
	data := drawFaces(t, 5)
	for _, c := range []struct {
		scale, want string
		warns       bool
	}{{"auto", "2.9", false}, {"2", "2", true}, {"30", "30", false}} {
		var warned bool
		var got Start
		config := tiny(t, data, "scale="+c.scale, "max-steps=1")
		train(t, config, Events{
			Start:   func(s Start) { got = s },
			Warning: func(text string) { warned = warned || strings.Contains(text, "--scale") },
		})
		if text, _ := got.Config.Scale.MarshalText(); string(text) != c.want || warned != c.warns || math.Abs(got.LeastScale-0.8*math.Log(36)) > 1e-12 {
			t.Errorf("scale %s of 5 classes: %s, at least %v, warned: %v", c.scale, text, got.LeastScale, warned)
		}
		if _, err := Resume(t.Context(), config.Out, []Field{{Name: "max-steps", Value: "2"}}, Events{}); err != nil {
			t.Error(err)
		}
	}
}
