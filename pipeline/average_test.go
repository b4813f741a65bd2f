package pipeline

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/faceverify/fv/embed"
)

// The average is what its definition makes of each step's weights, and the model is made of it.
func TestAverage(t *testing.T) {
	const decay, steps = 0.4, 6 // d_t reaches it at step 6
	data := drawFaces(t, 5)
	for _, sampled := range []string{"1", "0.8"} {
		c := tiny(t, data, "ema=0.4", "backbone=sfnet4-bn", "checkpoint-every=1", "max-steps=1", "sample-classes="+sampled)
		train(t, c, Events{})
		var mean [2][]float64 // weights, statistics
		for step := 1; step <= steps; step++ {
			if step > 1 {
				if _, err := Resume(t.Context(), c.Out, []Field{{Name: "max-steps", Value: string(rune('0' + step))}}, Events{}); err != nil {
					t.Fatal(err)
				}
			}
			last, err := readCheckpoint(filepath.Join(c.Out, checkpointsDir, checkpointName(step)))
			if err != nil {
				t.Fatal(err)
			}
			before, err := readCheckpoint(filepath.Join(c.Out, checkpointsDir, checkpointName(step-1)))
			if err != nil {
				t.Fatal(err)
			}
			d := min(decay, float64(step)/float64(step+9))
			for k, w := range [][]float32{last.Weights, last.Buffers} {
				got := [][]float32{last.Average["weights"], last.Average["buffers"]}[k]
				if mean[k] == nil {
					mean[k] = make([]float64, len(got))
					for i := range mean[k] {
						mean[k][i] = float64([][]float32{before.Weights, before.Buffers}[k][i])
					}
				}
				if len(got) == 0 || sampled == "1" && len(got) != len(w) {
					t.Fatalf("an average of %d of %d numbers", len(got), len(w))
				}
				for i, v := range got {
					mean[k][i] = d*mean[k][i] + (1-d)*float64(w[i])
					if math.Abs(float64(v)-mean[k][i]) > 1e-6*(1+math.Abs(mean[k][i])) {
						t.Fatalf("step %d: average %d of %d is %v, want %v", step, i, k, v, mean[k][i])
					}
				}
			}
			m, err := embed.Load(filepath.Join(c.Out, ModelFile))
			if err != nil {
				t.Fatal(err)
			}
			all := last.Average["weights"]
			if sampled != "1" {
				all = last.Weights
			}
			head, n := m.HeadParams["weight"].Data, len(m.Theta)
			if len(head) == 0 || !equalBits(m.Theta, last.Average["weights"][:n]) || !equalBits(m.Buffers, last.Average["buffers"]) || !equalBits(head, all[n:][:len(head)]) {
				t.Fatalf("step %d: the model is not made of the average", step)
			}
		}
	}
}

func equalBits(a, b []float32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return true
}
