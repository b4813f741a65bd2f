package pipeline

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestMeanCosine(t *testing.T) {
	const n, d = 7, 5
	r := rand.New(rand.NewPCG(1, 1))
	x := make([]float32, n*d)
	for i := range x {
		x[i] = float32(r.NormFloat64() + 0.5)
	}
	want := 0.0
	for i := range n {
		for j := range n {
			var ab, aa, bb float64
			for k := range d {
				a, b := float64(x[i*d+k]), float64(x[j*d+k])
				ab, aa, bb = ab+a*b, aa+a*a, bb+b*b
			}
			if i != j {
				want += ab / math.Sqrt(aa*bb) / (n * (n - 1))
			}
		}
	}
	if got := meanCosine(x, n); math.Abs(got-want) > 1e-12 {
		t.Errorf("mean cosine %v, want %v", got, want)
	}
	clear(x[:d])
	if got := meanCosine(x, n); got != 1 {
		t.Errorf("mean cosine %v with an embedding of zeros, want 1", got)
	}
	for i := range x {
		x[i] = float32(i%d+1) * float32(i/d+1)
	}
	if got := meanCosine(x, n); got < collapseCosine {
		t.Errorf("mean cosine %v of parallel embeddings is below %v", got, collapseCosine)
	}
}

func TestMonitor(t *testing.T) {
	var m monitor
	for step := 1; step < 1000; step++ {
		cosine := 1.0
		if step%collapseSteps == 0 {
			cosine = 0.99
		}
		if err := m.step(step, cosine); err != nil {
			t.Fatalf("a streak of %d steps: %v", collapseSteps-1, err)
		}
	}
	if m = (monitor{}); m.suspicious() {
		t.Error("suspicious at the start")
	}
	var err error
	for step := 7; step < 7+collapseSteps; step++ {
		if err != nil {
			t.Fatalf("stopped early: %v", err)
		}
		err = m.step(step, 1)
	}
	if !errors.Is(err, ErrCollapsed) || !strings.Contains(err.Error(), "step 106:") || !strings.Contains(err.Error(), "since step 7") {
		t.Errorf("error %v, want a collapse that names the steps", err)
	}
	if err := m.validated(collapseSteps, &Validation{Accuracy: 0.5, AUC: 0.5}, false); !errors.Is(err, ErrCollapsed) || !strings.Contains(err.Error(), "exactly 0.5") {
		t.Errorf("error %v of a validation like guessing", err)
	}
	if err := m.validated(collapseSteps, &Validation{Accuracy: 0.5, AUC: 0.51}, false); err != nil {
		t.Errorf("error %v of a poor validation", err)
	}
	if err := m.validated(collapseSteps, &Validation{Accuracy: 0.6, AUC: 0.6}, true); !errors.Is(err, ErrCollapsed) {
		t.Errorf("error %v of embeddings that are alike", err)
	}
	if err := m.validated(8, &Validation{Accuracy: 0.5, AUC: 0.5}, true); err != nil {
		t.Errorf("error %v of running statistics that have not settled", err)
	}
}
