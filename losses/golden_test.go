package losses

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/faceverify/fv/internal/gradcheck"
	"github.com/faceverify/fv/internal/kernel"
)

// Losses and gradients of all heads as PyTorch has them: see scripts/golden/heads.py.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/heads.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		N, Classes, Dim int
		Labels          []int
		X, W, Bias      []float32
		Cases           []struct {
			Head     string
			Gradient MarginGradient
			It       int // the step, counted from 1, of a head that depends on it
			Loss     float64
			Target   []float64
			Dx       []float64
			Dw       []float64
			Dbias    []float64
		}
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	pool := kernel.NewPool(1)
	seen := map[string]bool{}
	for _, c := range golden.Cases {
		seen[c.Head] = true
		h := makeHead(t, c.Head, Options{MarginGradient: c.Gradient})
		if s, ok := h.(Stateful); ok {
			if err := s.SetState(map[string][]float32{"iteration": {float32(c.It - 1)}}); err != nil {
				t.Fatal(err)
			}
		}
		p := &problem{n: golden.N, classes: golden.Classes, dim: golden.Dim, labels: golden.Labels, x: golden.X, w: golden.W, bias: golden.Bias}
		p.run(t, h, pool)
		if !near(p.loss, c.Loss, 1e-6) {
			t.Errorf("%s, %s, step %d: loss %v, PyTorch %v", c.Head, c.Gradient, c.It, p.loss, c.Loss)
		}
		for i, y := range p.labels {
			cos, norm := cosine(h, p.x[i*p.dim:][:p.dim], p.w[y*p.dim:][:p.dim])
			z, _, _ := h.Target(cos, norm)
			if h.Geometry().Bias == ClassBias {
				z += float64(p.bias[y])
			}
			if !near(z, c.Target[i], 1e-8) {
				t.Errorf("%s, step %d: target logit %v at cos = %v, PyTorch %v", c.Head, c.It, z, cos, c.Target[i])
			}
		}
		for _, g := range []struct {
			name string
			got  []float32
			want []float64
		}{{"embedding", p.dx, c.Dx}, {"weight", p.dw, c.Dw}, {"bias", p.dbias[:len(c.Dbias)], c.Dbias}} {
			// float32's 6e-8, times a scale of 64 in the exponent.
			if d := gradcheck.Distance(g.got, g.want); d > 5e-6 {
				t.Errorf("%s, %s, step %d: gradient of %s is off by %.2g of its size", c.Head, c.Gradient, c.It, g.name, d)
			}
		}
	}
	for _, name := range Names() {
		if !seen[name] {
			t.Errorf("there are no golden values of %s", name)
		}
	}
}

// cosine returns the arguments of the head's functions for one embedding and one weight.
func cosine(h Head, x, w []float32) (cos, norm float64) {
	var xx, ww, xw float64
	for k := range x {
		a, b := float64(x[k]), float64(w[k])
		xx, ww, xw = xx+a*a, ww+b*b, xw+a*b
	}
	norm = math.Sqrt(xx)
	if !h.Geometry().UnitWeights {
		norm *= math.Sqrt(ww)
	}
	return xw / math.Sqrt(xx*ww), norm
}
