package losses

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/faceverify/fv/internal/gradcheck"
	"github.com/faceverify/fv/internal/kernel"
)

// Losses and gradients of all heads as PyTorch and pytorch-metric-learning have them: see
// scripts/golden/heads.py.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/heads.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		N, Classes, Dim int
		Labels          []int
		X, W, Bias      []float32
		WCenters        []float32 `json:"w_centers"`
		SharedBias      []float32 `json:"shared_bias"`
		StartBias       float64   `json:"start_bias"`
		Cases           []struct {
			Head     string
			By       string
			Gradient MarginGradient
			Norm     FeatureNorm
			Params   map[string]float64
			State    map[string][]float32 // before the step
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
		seen[c.Head+string(c.Gradient)] = true
		what := fmt.Sprintf("%s %s %s %v %v %s", c.Head, c.Gradient, c.Norm, c.Params, c.State, c.By)
		h := makeHead(t, c.Head, Options{Params: c.Params, MarginGradient: c.Gradient, FeatureNorm: c.Norm})
		if len(c.State) > 0 {
			if err := h.(Stateful).SetState(c.State); err != nil {
				t.Fatal(err)
			}
		}
		p := &problem{n: golden.N, classes: golden.Classes, dim: golden.Dim, labels: golden.Labels, x: golden.X, w: golden.W}
		if centers(h) > 1 {
			p.w = golden.WCenters
		}
		switch h.Geometry().Bias {
		case ClassBias:
			p.bias = golden.Bias
		case SharedBias:
			p.bias = golden.SharedBias
		}
		p.run(t, h, pool)
		if !near(p.loss, c.Loss, 1e-6) {
			t.Errorf("%s: loss %v, want %v", what, p.loss, c.Loss)
		}
		for i, want := range c.Target {
			z := oracleLogits(h, p, i, float64s(p.x), float64s(p.w), float64s(p.bias))[p.labels[i]]
			if !near(z, want, 1e-8) {
				t.Errorf("%s: target logit %v of sample %d, want %v", what, z, i, want)
			}
		}
		for _, g := range []struct {
			name string
			got  []float32
			want []float64
		}{{"embedding", p.dx, c.Dx}, {"weight", p.dw, c.Dw}, {"bias", p.dbias, c.Dbias}} {
			// float32's 6e-8, times a scale of 64 in the exponent; Circle's is 256.
			if d := gradcheck.Distance(g.got, g.want); d > 5e-6 {
				t.Errorf("%s: gradient of %s is off by %.2g of its size", what, g.name, d)
			}
		}
	}
	for _, name := range Names() {
		for _, gradient := range gradients(name) {
			if !seen[name+string(gradient)] {
				t.Errorf("there are no golden values of %s %s", name, gradient)
			}
		}
	}
	if b := makeHead(t, "sphereface2", Options{}).(Biased).StartBias(golden.Classes); !near(b, golden.StartBias, 1e-12) {
		t.Errorf("bias starts at %v, want %v", b, golden.StartBias)
	}
}
