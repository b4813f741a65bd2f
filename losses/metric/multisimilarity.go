package metric

import (
	"errors"
	"math"

	"github.com/faceverify/fv/losses/spec"
)

func init() {
	described.Add(spec.Loss{
		Name: "multi-similarity", Title: "multi-similarity loss",
		Equation: "mean over i of 1/α log(1 + sum over p of e^(-α (s_ip - λ))) + 1/β log(1 + sum over n of e^(β (s_in - λ))),  s = cosine",
		Paper:    "Multi-Similarity Loss, Wang et al. 2019 (arXiv:1904.06627)",
		Notes:    "α, β and λ as in the authors' code; the paper says λ = 1. epsilon 0 takes all pairs, as pytorch-metric-learning does without its miner; the paper mines with 0.1.",
		Params: []spec.Param{{Name: "alpha", Default: 2, Doc: "α, how much the least similar positive counts above others"},
			{Name: "beta", Default: 50, Doc: "β, the same of the most similar negative"},
			{Name: "lambda", Default: 0.5, Doc: "λ, the cosine that separates"},
			{Name: "epsilon", Default: 0.1, Doc: "ε: pairs that are easier than the hardest of the other kind by more do not count; 0: all do"}},
	})
}

// MultiSimilarity weighs each pair by its own cosine s and by those of its anchor's other pairs: the mean over
// anchors i of
//
//	1/α log(1 + sum over p of e^(-α (s_ip - λ))) + 1/β log(1 + sum over n of e^(β (s_in - λ)))
//
// (Wang et al. 2019). With Epsilon = ε above 0, a negative counts if s_in > min s_ip - ε, and a positive
// if s_ip < max s_in + ε.
type MultiSimilarity struct {
	Alpha   float64 // α > 0; 2 by default
	Beta    float64 // β > 0; 50 by default
	Lambda  float64 // λ, from -1 to 1; 0.5 by default
	Epsilon float64 // from 0 to 2; 0.1 by default
}

// Name returns "multi-similarity".
func (MultiSimilarity) Name() string { return "multi-similarity" }

// Unit returns true: embeddings are normalised.
func (MultiSimilarity) Unit() bool { return true }

// Validate implements Loss.
func (l MultiSimilarity) Validate() error {
	return errors.Join(positive(l.Name(), "alpha", l.Alpha), positive(l.Name(), "beta", l.Beta),
		within(l.Name(), "lambda", l.Lambda, -1, 1), within(l.Name(), "epsilon", l.Epsilon, 0, 2))
}

// Of implements Loss.
func (l MultiSimilarity) Of(p *Products) float64 {
	var sum float64
	for i := range p.N {
		least, most := math.Inf(1), math.Inf(-1)
		for j := range p.N {
			if s := p.Dot(i, j); p.Same(i, j) {
				least = min(least, s)
			} else if p.Different(i, j) {
				most = max(most, s)
			}
		}
		sum += l.side(p, i, -l.Alpha, func(j int) bool {
			return p.Same(i, j) && (l.Epsilon == 0 || p.Dot(i, j) < most+l.Epsilon)
		})
		sum += l.side(p, i, l.Beta, func(j int) bool {
			return p.Different(i, j) && (l.Epsilon == 0 || p.Dot(i, j) > least-l.Epsilon)
		})
	}
	return p.Mean(sum, p.N)
}

// side returns 1/|a| log(1 + sum of e^(a (s_ij - λ))) over the j that count, and adds its derivatives.
func (l MultiSimilarity) side(p *Products, i int, a float64, counts func(j int) bool) float64 {
	var which []int
	var v []float64
	for j := range p.N {
		if counts(j) {
			which, v = append(which, j), append(v, a*(p.Dot(i, j)-l.Lambda))
		}
	}
	value := logSumExp(v, 1) / math.Abs(a)
	for k, j := range which {
		p.AddDot(i, j, math.Copysign(v[k], a))
	}
	return value
}
