package eval

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Point is one threshold of a ROC: accepting score >= Threshold accepts
// TrueAccepts genuine and FalseAccepts impostor pairs.
type Point struct {
	Threshold                 float64
	TrueAccepts, FalseAccepts int
}

// ROC is the exact receiver operating characteristic of a set of scores: one point
// for each distinct score, from the highest to the lowest, after a first point at
// +Inf that accepts nothing. Pairs with equal scores enter together.
type ROC struct {
	Genuine, Impostors int
	Points             []Point
}

// NewROC sorts the scores and counts. It is an error if a score is NaN or infinite
// (which one is named), or if there are no genuine or no impostor pairs. It panics
// if the lengths differ.
func NewROC(scores []float64, same []bool) (*ROC, error) {
	if len(scores) != len(same) {
		panic(fmt.Sprintf("eval: %d scores, %d labels", len(scores), len(same)))
	}
	roc := &ROC{}
	for i, s := range scores {
		if math.IsNaN(s) || math.IsInf(s, 0) {
			return nil, fmt.Errorf("score %d of %d is %v: scores must be finite", i+1, len(scores), s)
		}
		if same[i] {
			roc.Genuine++
		}
	}
	roc.Impostors = len(scores) - roc.Genuine
	if roc.Genuine == 0 || roc.Impostors == 0 {
		return nil, fmt.Errorf("%d genuine and %d impostor pairs: at least one of each is needed", roc.Genuine, roc.Impostors)
	}
	at := Point{Threshold: math.Inf(1)}
	for k, i := range descending(scores) {
		if k == 0 || scores[i] != at.Threshold {
			roc.Points = append(roc.Points, at)
			at.Threshold = scores[i]
		}
		if same[i] {
			at.TrueAccepts++
		} else {
			at.FalseAccepts++
		}
	}
	roc.Points = append(roc.Points, at)
	return roc, nil
}

// descending returns the indices of the scores, the highest first.
func descending(scores []float64) []int {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(scores[j], scores[i]) })
	return order
}

// FAR returns the share of impostor pairs that p accepts (FMR).
func (r *ROC) FAR(p Point) float64 { return float64(p.FalseAccepts) / float64(r.Impostors) }

// TAR returns the share of genuine pairs that p accepts (1 - FNMR).
func (r *ROC) TAR(p Point) float64 { return float64(p.TrueAccepts) / float64(r.Genuine) }

// AUC returns the area under the curve by the trapezoidal rule, which is the
// Mann-Whitney statistic
//
//	P(genuine > impostor) + P(genuine = impostor)/2
//
// over all genuine and impostor pairs. Counts are summed as integers, so the value
// is the exact one, rounded once.
func (r *ROC) AUC() float64 {
	var twice wide // 2 * number of (genuine, impostor) combinations won, ties one
	for i := 1; i < len(r.Points); i++ {
		p, q := r.Points[i-1], r.Points[i]
		twice = twice.plus(product(q.FalseAccepts-p.FalseAccepts, p.TrueAccepts+q.TrueAccepts))
	}
	return twice.share(product(2*r.Genuine, r.Impostors))
}

// AUCError returns half the share of (genuine, impostor) combinations that have equal
// scores. Where points stand for bins of scores instead of single ones, the AUC
// of the scores themselves lies within AUC ± AUCError: in no bin can their order
// matter by more.
func (r *ROC) AUCError() float64 {
	var ties wide
	for i := 1; i < len(r.Points); i++ {
		p, q := r.Points[i-1], r.Points[i]
		ties = ties.plus(product(q.FalseAccepts-p.FalseAccepts, q.TrueAccepts-p.TrueAccepts))
	}
	return ties.share(product(2*r.Genuine, r.Impostors))
}

// EER is an equal error rate and where it was found.
type EER struct {
	Value     float64 // (FMR+FNMR)/2
	FMR, FNMR float64
	Point     Point
}

// EER returns (FMR+FNMR)/2 at the threshold where |FMR-FNMR| is smallest, the
// higher threshold of two that are equal in this.
func (r *ROC) EER() EER {
	var best Point
	smallest := wide{math.MaxUint64, math.MaxUint64}
	for _, p := range r.Points {
		// |FMR-FNMR| times genuine times impostors, so that ties are exact.
		d := product(p.FalseAccepts, r.Genuine).distance(product(r.Genuine-p.TrueAccepts, r.Impostors))
		if d.less(smallest) {
			smallest, best = d, p
		}
	}
	e := EER{FMR: r.FAR(best), FNMR: float64(r.Genuine-best.TrueAccepts) / float64(r.Genuine), Point: best}
	e.Value = (e.FMR + e.FNMR) / 2
	return e
}

// constant reports whether all scores are equal.
func (r *ROC) constant() bool { return len(r.Points) == 2 }

// Best returns the point of highest accuracy over all pairs, and that accuracy; of
// equal ones the highest threshold.
func (r *ROC) Best() (Point, float64) {
	var best Point
	most := -1
	for _, p := range r.Points {
		if right := p.TrueAccepts + r.Impostors - p.FalseAccepts; right > most {
			most, best = right, p
		}
	}
	return best, float64(most) / float64(r.Genuine+r.Impostors)
}

// DPrime returns d' = |μg-μi| / sqrt((σg²+σi²)/2), how far apart the genuine and the
// impostor scores lie in units of their spread; variances are the samples' own
// (divided by n). It is +Inf, or NaN when the means are equal too, if neither varies.
func DPrime(scores []float64, same []bool) float64 {
	var n, mean, m2 [2]float64 // Welford's recurrence for each kind
	for i, s := range scores {
		k := kind(same[i])
		n[k]++
		d := s - mean[k]
		mean[k] += d / n[k]
		m2[k] += d * (s - mean[k])
	}
	return math.Abs(mean[1]-mean[0]) / math.Sqrt((m2[0]/n[0]+m2[1]/n[1])/2)
}
