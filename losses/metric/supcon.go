package metric

import "github.com/faceverify/fv/losses/spec"

func init() {
	described.Add(spec.Loss{
		Name: "supcon", Title: "supervised contrastive loss",
		Equation: "mean over i of -1/|P(i)| sum over p in P(i) of log(e^(s_ip/τ) / sum over a ≠ i of e^(s_ia/τ)),  s = cosine",
		Paper:    "Supervised Contrastive Learning, Khosla et al. 2020, eq. 2 (arXiv:2004.11362)",
		Notes:    "The sum over the batch is a mean over anchors that have a positive. The authors' code multiplies by τ/0.07; this does not.",
		Params:   []spec.Param{{Name: "temperature", Default: 0.1, Doc: "τ, which the cosines are divided by"}},
	})
}

// SupCon is the softmax over all other images of a batch, with each image of the same identity for the
// right answer: the mean over anchors i that have positives P(i) of
//
//	-1/|P(i)| sum over p of log(e^(s_ip/τ) / sum over a ≠ i of e^(s_ia/τ))
//
// of cosines s (Khosla et al. 2020, eq. 2, L_out).
type SupCon struct {
	Temperature float64 // τ > 0; 0.1 by default
}

// Name returns "supcon".
func (SupCon) Name() string { return "supcon" }

// Unit returns true: embeddings are normalised.
func (SupCon) Unit() bool { return true }

// Validate implements Loss.
func (l SupCon) Validate() error { return positive("supcon", "temperature", l.Temperature) }

// Of implements Loss.
func (l SupCon) Of(p *Products) float64 {
	var sum float64
	count := 0
	v := make([]float64, 0, p.N)
	for i := range p.N {
		var own float64 // sum over positives of s_ip/τ
		positives := 0
		v = v[:0]
		for j := range p.N {
			if j != i {
				v = append(v, p.Dot(i, j)/l.Temperature)
			}
			if p.Same(i, j) {
				own += p.Dot(i, j) / l.Temperature
				positives++
			}
		}
		if positives == 0 {
			continue
		}
		count++
		sum += logSumExp(v, 0) - own/float64(positives)
		at := 0
		for j := range p.N {
			if j == i {
				continue
			}
			g := v[at]
			if p.Same(i, j) {
				g -= 1 / float64(positives)
			}
			p.AddDot(i, j, g/l.Temperature)
			at++
		}
	}
	return p.Mean(sum, count)
}
