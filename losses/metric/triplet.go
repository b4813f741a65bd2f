package metric

import (
	"fmt"
	"math"

	"github.com/faceverify/fv/losses/spec"
)

func init() {
	described.Add(spec.Loss{
		Name: "triplet", Title: "triplet loss",
		Equation: "mean over triplets of max(0, d(a,p) - d(a,n) + m),  d = ‖x - x'‖²",
		Paper:    "FaceNet, Schroff et al. 2015, section 3 (arXiv:1503.03832); batch-hard: In Defense of the Triplet Loss, Hermans et al. 2017, eq. 5 (arXiv:1703.07737)",
		Notes:    "Embeddings are normalised. Mining: all triplets; hard, with d(a,n) <= d(a,p); semi-hard, with d(a,p) < d(a,n) < d(a,p) + m; or batch-hard, the farthest positive and the nearest negative of each anchor. The mean is over triplets within the margin, with batch-hard over anchors.",
		Params:   []spec.Param{{Name: "margin", Default: 0.2, Doc: "m, in squared distance"}},
	})
}

// Mining says which triplets of a batch count.
type Mining int

const (
	// All takes every triplet that is within the margin.
	All Mining = iota
	// Hard takes those whose negative is not farther away than the positive.
	Hard
	// SemiHard takes those whose negative is farther away, but within the margin (Schroff et al.
	// 2015, section 3.2).
	SemiHard
	// BatchHard takes the farthest positive and the nearest negative of each anchor (Hermans et al.
	// 2017, eq. 5). It wants batches of P identities with K images each.
	BatchHard
)

// String returns the name, such as "semi-hard".
func (m Mining) String() string {
	names := [...]string{"all", "hard", "semi-hard", "batch-hard"}
	if m < 0 || int(m) >= len(names) {
		return fmt.Sprintf("Mining(%d)", int(m))
	}
	return names[m]
}

// Triplet wants a positive nearer to the anchor than a negative by a margin,
//
//	max(0, d(a,p) - d(a,n) + m),  d(x, x') = ‖x - x'‖²
//
// of normalised embeddings (Schroff et al. 2015, section 3.1): the mean over the triplets that Mining takes and
// that are within the margin; with BatchHard the mean over all anchors that have a positive and a negative.
type Triplet struct {
	Margin float64 // m in squared distance, from 0 to 4; 0.2 by default
	Mining Mining  // All by default
}

// Name returns "triplet".
func (Triplet) Name() string { return "triplet" }

// Unit returns true: embeddings are normalised.
func (Triplet) Unit() bool { return true }

// Validate implements Loss.
func (l Triplet) Validate() error {
	if l.Mining < All || l.Mining > BatchHard {
		return fmt.Errorf("metric: triplet: there is no mining %v", l.Mining)
	}
	return within("triplet", "margin", l.Margin, 0, 4)
}

// Of implements Loss.
func (l Triplet) Of(p *Products) float64 {
	if l.Mining == BatchHard {
		return l.batchHard(p)
	}
	var sum float64
	count := 0
	for a := range p.N {
		for i := range p.N {
			if !p.Same(a, i) {
				continue
			}
			for j := range p.N {
				if p.Different(a, j) && l.takes(p.Squared(a, i), p.Squared(a, j)) {
					sum += l.add(p, a, i, j)
					count++
				}
			}
		}
	}
	return p.Mean(sum, count)
}

// takes reports whether a triplet with these squared distances counts.
func (l Triplet) takes(positive, negative float64) bool {
	switch l.Mining {
	case Hard:
		return negative <= positive
	case SemiHard:
		return positive < negative && negative < positive+l.Margin
	}
	return negative < positive+l.Margin
}

// add returns the loss of a triplet and adds its derivative. At the kink it has none.
func (l Triplet) add(p *Products, anchor, positive, negative int) float64 {
	v := p.Squared(anchor, positive) - p.Squared(anchor, negative) + l.Margin
	if v <= 0 {
		return 0
	}
	p.AddSquared(anchor, positive, 1)
	p.AddSquared(anchor, negative, -1)
	return v
}

func (l Triplet) batchHard(p *Products) float64 {
	var sum float64
	count := 0
	for a := range p.N {
		positive, negative := -1, -1
		far, near := math.Inf(-1), math.Inf(1)
		for i := range p.N {
			if d := p.Squared(a, i); p.Same(a, i) && d > far {
				far, positive = d, i
			} else if p.Different(a, i) && d < near {
				near, negative = d, i
			}
		}
		if positive >= 0 && negative >= 0 {
			sum += l.add(p, a, positive, negative)
			count++
		}
	}
	return p.Mean(sum, count)
}
