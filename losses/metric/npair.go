package metric

import "github.com/faceverify/fv/losses/spec"

func init() {
	described.Add(spec.Loss{
		Name: "n-pair", Title: "N-pair loss",
		Equation: "mean over identities i of log(1 + sum over j ≠ i of e^(a_i·p_j - a_i·p_i)) + w (‖a_i‖² + ‖p_i‖²)",
		Paper:    "Improved Deep Metric Learning with Multi-class N-pair Loss Objective, Sohn 2016",
		Notes:    "Embeddings are not normalised. Anchor and positive are the first two images of each identity in the batch; others do not count.",
		Params:   []spec.Param{{Name: "l2", Default: 0, Doc: "w, which keeps embeddings short"}},
	})
}

// NPair takes an anchor a_i and a positive p_i of each identity, and the other identities' positives for
// negatives: the mean of
//
//	log(1 + sum over j ≠ i of e^(a_i·p_j - a_i·p_i)) + w (‖a_i‖² + ‖p_i‖²)
//
// (Sohn 2016). Embeddings keep their length. Anchor and positive are the first two of an identity in the
// batch; identities with one image do not count.
type NPair struct {
	L2 float64 // w, not negative; 0 by default
}

// Name returns "n-pair".
func (NPair) Name() string { return "n-pair" }

// Unit returns false: embeddings keep their length.
func (NPair) Unit() bool { return false }

// Validate implements Loss.
func (l NPair) Validate() error { return within("n-pair", "l2", l.L2, 0, 1e6) }

// Of implements Loss.
func (l NPair) Of(p *Products) float64 {
	var anchors, positives []int
	first := map[int]int{}
	paired := map[int]bool{}
	for i, y := range p.Labels {
		if a, ok := first[y]; !ok {
			first[y] = i
		} else if !paired[y] {
			paired[y] = true
			anchors, positives = append(anchors, a), append(positives, i)
		}
	}
	var sum float64
	others := make([]float64, 0, len(anchors))
	for i, a := range anchors {
		others = others[:0]
		for j, q := range positives {
			if j != i {
				others = append(others, p.Dot(a, q)-p.Dot(a, positives[i]))
			}
		}
		sum += logSumExp(others, 1) + l.L2*(p.Dot(a, a)+p.Dot(positives[i], positives[i]))
		at := 0
		for j, q := range positives {
			if j != i {
				p.AddDot(a, q, others[at])
				p.AddDot(a, positives[i], -others[at])
				at++
			}
		}
		p.AddDot(a, a, l.L2)
		p.AddDot(positives[i], positives[i], l.L2)
	}
	return p.Mean(sum, len(anchors))
}
