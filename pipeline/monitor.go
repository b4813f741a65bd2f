package pipeline

import (
	"errors"
	"fmt"
)

// A run has collapsed when the mean cosine of a batch's embeddings stays this near
// to 1 for so many steps: all faces look alike to the network, and its
// gradient no longer tells it otherwise.
const (
	collapseCosine = 1 - 1e-5
	collapseSteps  = 100
)

// ErrDiverged is in the chain of the error of a run that stopped because a loss or gradient
// was not finite; ErrCollapsed in that of one whose embeddings became all alike.
var (
	ErrDiverged  = errors.New("training has diverged")
	ErrCollapsed = errors.New("training has collapsed")
)

// meanCosine returns the mean cosine of all pairs of the n embeddings x [n,d], from the length
// of the sum of the unit vectors u:
//
//	(‖Σ u_i‖² - n) / (n (n-1))
//
// An embedding of length 0 makes it 1: it is like any other. n must be at least 2.
func meanCosine(x []float32, n int) float64 {
	d := len(x) / n
	sum := make([]float64, d)
	for i := range n {
		row := x[i*d : (i+1)*d]
		length := norm(row)
		if length == 0 {
			return 1
		}
		inv := 1 / length
		for k, v := range row {
			sum[k] += float64(v) * inv
		}
	}
	square := 0.0
	for _, v := range sum {
		square += v * v
	}
	m := float64(n)
	return (square - m) / (m * (m - 1))
}

// monitor watches for a collapse.
type monitor struct {
	since int // the first step of the present streak; 0: none
}

// suspicious reports whether the last step's embeddings were all alike.
func (m *monitor) suspicious() bool { return m.since > 0 }

// step takes the mean cosine of a step's batch. It returns an error that wraps ErrCollapsed when
// the embeddings have been alike for collapseSteps steps.
func (m *monitor) step(step int, cosine float64) error {
	if cosine < collapseCosine {
		m.since = 0
		return nil
	}
	if m.since == 0 {
		m.since = step
	}
	if step-m.since+1 < collapseSteps {
		return nil
	}
	return collapsed(step, fmt.Sprintf("all embeddings of a batch have been alike since step %d", m.since))
}

// validated takes the outcome of a validation. Before collapseSteps the running statistics of batch
// norms still remember their start, and embeddings may be alike that are not to a training batch.
func (m *monitor) validated(step int, v *Validation, alike bool) error {
	switch {
	case step < collapseSteps:
		return nil
	case alike:
		return collapsed(step, "the embeddings of all validation images are alike")
	case v.Accuracy == 0.5 && v.AUC == 0.5:
		return collapsed(step, "validation accuracy is exactly 0.5, that of guessing")
	}
	return nil
}

func collapsed(step int, what string) error {
	return fmt.Errorf("step %d: %w: %s", step, ErrCollapsed, what)
}
