package plain

import (
	"encoding/json"
	"os"
	"testing"
)

// Losses and gradients as PyTorch has them: see scripts/golden/plain.py.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/plain.json")
	must(t, err)
	var golden struct {
		Labels                 []int
		Weights, X, P, T, Soft []float64
		Cases                  []struct {
			Loss, Inputs, Target string
			Settings             map[string]float64
			Value                float64
			Dx                   []float64
		}
	}
	must(t, json.Unmarshal(data, &golden))
	tensors := map[string][]float64{"x": golden.X, "p": golden.P, "t": golden.T, "soft": golden.Soft}
	seen := map[string]bool{}
	for _, c := range golden.Cases {
		seen[c.Loss] = true
		s := c.Settings
		var weights []float64
		if s["weighted"] == 1 {
			weights = golden.Weights
		}
		x := tensors[c.Inputs]
		dx := make([]float64, len(x))
		var value float64
		if l := map[string]Elementwise{"l1": L1{}, "l2": L2{}, "mse": MSE{}, "huber": Huber{s["delta"]}, "bce": BCE{},
			"multi-label": MultiLabel{}, "focal": Focal{s["gamma"], s["alpha"]}}[c.Loss]; l != nil {
			value = Mean(l, dx, x, tensors[c.Target])
		} else {
			l := map[string]Classwise{"cross-entropy": CrossEntropy{s["smoothing"], weights}, "focal-softmax": FocalSoftmax{s["gamma"], weights}}[c.Loss]
			value, err = l.Batch(dx, x, golden.Labels)
			must(t, err)
		}
		if !near(value, c.Value, 1e-9) {
			t.Errorf("%s %v against %s: %v, PyTorch %v", c.Loss, s, c.Target, value, c.Value)
		}
		for i := range dx {
			// The file has 12 digits of the inputs.
			if !near(dx[i], c.Dx[i], 1e-9) {
				t.Errorf("%s %v against %s: gradient %v of element %d, PyTorch %v", c.Loss, s, c.Target, dx[i], i, c.Dx[i])
			}
		}
	}
	for _, s := range Specs() {
		if !seen[s.Name] {
			t.Errorf("there are no golden values of %s", s.Name)
		}
	}
}
