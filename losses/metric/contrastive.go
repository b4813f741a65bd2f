package metric

import (
	"math"

	"github.com/faceverify/fv/losses/spec"
)

func init() {
	described.Add(spec.Loss{
		Name: "contrastive", Title: "contrastive loss",
		Equation: "mean over pairs of d²/2 for one identity, max(0, m - d)²/2 for two,  d = ‖x_i - x_j‖",
		Paper:    "Dimensionality Reduction by Learning an Invariant Mapping, Hadsell et al. 2006, eq. 4",
		Notes:    "Embeddings are normalised, so d is 0 to 2. pytorch-metric-learning takes d - 0 and max(0, m - d) without squares.",
		Params:   []spec.Param{{Name: "margin", Default: 1, Doc: "m, the distance from which on two identities do not count"}},
	})
}

// Contrastive pulls images of one identity together and pushes others apart up to a margin: the mean over
// all pairs of
//
//	d²/2              of one identity
//	max(0, m - d)²/2  of two,  d = ‖x_i - x_j‖ of normalised embeddings
//
// (Hadsell et al. 2006, eq. 4).
type Contrastive struct {
	Margin float64 // m, above 0 and at most 2; 1 by default
}

// Name returns "contrastive".
func (Contrastive) Name() string { return "contrastive" }

// Unit returns true: embeddings are normalised.
func (Contrastive) Unit() bool { return true }

// Validate implements Loss.
func (l Contrastive) Validate() error {
	if err := positive("contrastive", "margin", l.Margin); err != nil {
		return err
	}
	return within("contrastive", "margin", l.Margin, 0, 2)
}

// Of implements Loss.
func (l Contrastive) Of(p *Products) float64 {
	var sum float64
	for i := range p.N {
		for j := range i {
			square := p.Squared(i, j)
			if p.Same(i, j) {
				sum += square / 2
				p.AddSquared(i, j, 0.5)
				continue
			}
			d := math.Sqrt(square)
			short := max(0, l.Margin-d)
			sum += short * short / 2
			if d > 0 { // embeddings at the same place have no direction to part in
				p.AddSquared(i, j, -short/(2*d))
			}
		}
	}
	return p.Mean(sum, p.N*(p.N-1)/2)
}
