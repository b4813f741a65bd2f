package losses

import (
	"math"
	"strings"
	"testing"
)

func TestRegistry(t *testing.T) {
	want := "adaface amsoftmax arcface arcface-easy arcface-fallback asoftmax circle combined cosface curricularface " +
		"elasticface-arc elasticface-cos lsoftmax magface modified normface softmax sphereface sphereface-r-v1 " +
		"sphereface-r-v2 sphereface2 subcenter-arcface"
	if got := strings.Join(Names(), " "); got != want {
		t.Errorf("heads %s, want %s", got, want)
	}
	for _, name := range Names() {
		if h := makeHead(t, name, Options{}); h.Name() != name {
			t.Errorf("head %s is called %s", name, h.Name())
		}
		s, _ := Describe(name)
		for _, p := range s.Params {
			if !strings.Contains(s.String(), p.Name) || p.Doc == "" {
				t.Errorf("%s: %s is not described", name, p.Name)
			}
		}
	}
	for given, want := range map[string]string{"coco": "normface", "CosFace": "cosface"} {
		if h := makeHead(t, given, Options{}); h.Name() != want {
			t.Errorf("%s is %s", given, h.Name())
		}
	}
	for _, c := range []struct {
		head string
		o    Options
		want string // in the error
	}{
		{"arcfase", Options{}, "there are adaface, amsoftmax, arcface"},
		{"arcface", Options{Params: map[string]float64{"lambda-min": 1}}, "it has scale, margin"},
		{"softmax", Options{Params: map[string]float64{"scale": 1}}, "it has none"},
		{"arcface", Options{Params: map[string]float64{"margin": 4}}, "margin is 4, want 0 to 3.14"},
		{"arcface", Options{Params: map[string]float64{"scale": 0}}, "want a number above 0"},
		{"cosface", Options{Params: map[string]float64{"margin": math.NaN()}}, "margin is NaN"},
		{"amsoftmax", Options{Params: map[string]float64{"margin": -1}}, "amsoftmax: margin is -1"},
		{"asoftmax", Options{Params: map[string]float64{"margin": 2.5}}, "want a whole number"},
		{"asoftmax", Options{Params: map[string]float64{"lambda-min": -1}}, "lambda-min is -1"},
		{"sphereface", Options{Params: map[string]float64{"margin": 0.5}}, "want 1 to 100"},
		{"sphereface", Options{MarginGradient: "none"}, `neither "exact" nor "detached"`},
	} {
		if _, err := New(c.head, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: error %v, want %q in it", c.head, c.o, err, c.want)
		}
	}
}

func TestFeatureNorm(t *testing.T) {
	for _, name := range Names() {
		s, _ := Describe(name)
		if s.FeatureNorm == "" {
			if _, err := New(name, Options{FeatureNorm: Kept}); err == nil || !strings.Contains(err.Error(), "no choice of feature norm") {
				t.Errorf("%s: error %v", name, err)
			}
			continue
		}
		kept, scaled := makeHead(t, name, Options{FeatureNorm: Kept}), makeHead(t, name, Options{FeatureNorm: Scaled})
		scale := scaled.Geometry().Scale
		if kept.Geometry().Scale != 0 || scale == 0 {
			t.Errorf("%s: scales %v and %v", name, kept.Geometry().Scale, scale)
		}
		for _, cos := range []float64{-0.9, 0.3, 0.95} {
			begin(kept)
			begin(scaled)
			a, da, dn := sampleOf(kept, cos, scale).Target(cos, scale)
			b, db, zero := sampleOf(scaled, cos, 123).Target(cos, 123)
			if a != b || da != db || !near(dn*scale, a, 1e-12) || zero != 0 {
				t.Errorf("%s: %v, %v, %v with ‖x‖ = s; %v, %v, %v scaled", name, a, da, dn, b, db, zero)
			}
		}
		if _, err := New(name, Options{FeatureNorm: Kept, Params: map[string]float64{"scale": 3}}); err == nil || !strings.Contains(err.Error(), "scale") {
			t.Errorf("%s: a scale and embeddings that keep their length: error %v", name, err)
		}
	}
}
