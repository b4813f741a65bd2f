package metric

import (
	"math"

	"github.com/faceverify/fv/losses/spec"
)

func init() {
	described.Add(spec.Loss{
		Name: "angular", Title: "angular loss",
		Equation: "mean over pairs (a, p) of log(1 + sum over n of e^f),  f = 4 tan²α (x_a + x_p)·x_n - 2 (1 + tan²α) x_a·x_p",
		Paper:    "Deep Metric Learning with Angular Loss, Wang et al. 2017 (arXiv:1708.01682)",
		Notes:    "Embeddings are normalised. As in pytorch-metric-learning, every pair of one identity is taken in both orders and all other identities are negatives; the paper takes one pair of each identity. That library leaves the negatives as long as they are.",
		Params:   []spec.Param{{Name: "alpha", Default: math.Pi / 4, Doc: "α in radians, the largest angle at the negative"}},
	})
}

// Angular bounds the angle at the negative of the triangle of anchor, positive and negative: the mean over
// ordered pairs (a, p) of one identity of
//
//	log(1 + sum over n of e^f),  f = 4 tan²α (x_a + x_p)·x_n - 2 (1 + tan²α) x_a·x_p
//
// over all n of other identities, of normalised embeddings (Wang et al. 2017).
type Angular struct {
	Alpha float64 // α in radians, above 0 and below π/2; π/4 by default
}

// Name returns "angular".
func (Angular) Name() string { return "angular" }

// Unit returns true: embeddings are normalised.
func (Angular) Unit() bool { return true }

// Validate implements Loss.
func (l Angular) Validate() error { return within("angular", "alpha", l.Alpha, 1e-3, math.Pi/2-1e-3) }

// Of implements Loss.
func (l Angular) Of(p *Products) float64 {
	tan := math.Tan(l.Alpha)
	both, pair := 4*tan*tan, 2*(1+tan*tan)
	var sum float64
	count := 0
	f := make([]float64, 0, p.N)
	for a := range p.N {
		for i := range p.N {
			if !p.Same(a, i) {
				continue
			}
			f = f[:0]
			for n := range p.N {
				if p.Different(a, n) {
					f = append(f, both*(p.Dot(a, n)+p.Dot(i, n))-pair*p.Dot(a, i))
				}
			}
			sum += logSumExp(f, 1)
			count++
			at := 0
			for n := range p.N {
				if p.Different(a, n) {
					p.AddDot(a, n, both*f[at])
					p.AddDot(i, n, both*f[at])
					p.AddDot(a, i, -pair*f[at])
					at++
				}
			}
		}
	}
	return p.Mean(sum, count)
}
