package identify

import (
	"cmp"
	"math"
	"slices"

	"github.com/faceverify/fv/eval"
)

// count works out the rates.
func (r *Result) count(searches []Search, o Options) {
	atRank := make([]int, r.Gallery+1)
	for _, s := range searches {
		if s.Rank == 0 {
			r.NonMated++
			continue
		}
		r.Mated++
		atRank[s.Rank]++
	}
	if r.Mated == 0 {
		return
	}
	within := make([]int, r.Gallery+1)
	r.Ranks = make([]float64, r.Gallery)
	for k := 1; k <= r.Gallery; k++ {
		within[k] = within[k-1] + atRank[k]
		r.Ranks[k-1] = float64(within[k]) / float64(r.Mated)
	}
	for _, k := range o.Ranks {
		if k <= r.Gallery {
			r.CMC = append(r.CMC, RankRate{k, eval.NewRate(within[k], r.Mated)})
		}
	}
	r.Curve = curve(searches, o.Rank)
	for _, target := range o.FPIRs {
		p := Point{Target: target, Resolved: r.NonMated > 0 && target >= 1/float64(r.NonMated)}
		if p.Resolved {
			at := r.Curve.AtFAR(target)
			fnir := eval.NewRate(at.TAR.Total-at.TAR.Count, at.TAR.Total)
			if r.Normalise != NoNorm {
				at.Threshold = eval.ScoreThreshold(at.Threshold.Score)
			}
			p.Threshold, p.FPIR, p.DIR, p.FNIR = &at.Threshold, &at.FAR, &at.TAR, &fnir
		}
		r.Points = append(r.Points, p)
	}
}

// curve returns detection and identification at rank r or better, in the place of true accepts, against
// false positive identifications, in the place of false accepts, at every threshold. A mated
// probe whose mate is not within the rank is identified at none.
func curve(searches []Search, rank int) *eval.ROC {
	type event struct {
		score float64
		mated bool
	}
	var events []event
	c := &eval.ROC{}
	for _, s := range searches {
		switch {
		case s.Rank == 0:
			c.Impostors++
			events = append(events, event{s.Top, false})
		case s.Rank <= rank:
			events = append(events, event{s.Mate, true})
			fallthrough
		default:
			c.Genuine++
		}
	}
	slices.SortFunc(events, func(a, b event) int { return cmp.Compare(b.score, a.score) })
	at := eval.Point{Threshold: math.Inf(1)}
	for k, e := range events {
		if k == 0 || e.score != at.Threshold {
			c.Points = append(c.Points, at)
			at.Threshold = e.score
		}
		if e.mated {
			at.TrueAccepts++
		} else {
			at.FalseAccepts++
		}
	}
	c.Points = append(c.Points, at)
	return c
}
