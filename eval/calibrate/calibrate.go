// Package calibrate turns scores into log-likelihood ratios and says how good they are.
//
// The log-likelihood ratio (LLR, natural logarithm) of a score is how much more probable it is from one
// person than from two. Unlike a score it can be combined with a prior: posterior log odds = LLR
// + prior log odds. The cost of log-likelihood ratios is, in bits,
//
//	Cllr = 1/2 [ mean over genuine log2(1 + e^-LLR) + mean over impostor log2(1 + e^LLR) ]
//
// 0 is perfect, 1 is what LLR = 0 for all costs. minCllr is the Cllr after the best monotone
// transformation of these very scores: what discrimination alone costs. The difference is the cost of
// calibration.
// N. Brümmer and J. du Preez, Application-independent evaluation of speaker detection, Computer Speech
// and Language 20 (2006).
package calibrate

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Scores are genuine and impostor scores, told apart.
type Scores struct{ Genuine, Impostor []float64 }

// Split tells scores apart. It is an error if one is not finite or a kind is missing. It panics
// if the lengths differ.
func Split(scores []float64, same []bool) (Scores, error) {
	if len(scores) != len(same) {
		panic(fmt.Sprintf("calibrate: %d scores, %d labels", len(scores), len(same)))
	}
	var s Scores
	for i, x := range scores {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return s, fmt.Errorf("score %d of %d is %v: scores must be finite", i+1, len(scores), x)
		}
		if same[i] {
			s.Genuine = append(s.Genuine, x)
		} else {
			s.Impostor = append(s.Impostor, x)
		}
	}
	if len(s.Genuine) == 0 || len(s.Impostor) == 0 {
		return s, fmt.Errorf("%d genuine and %d impostor pairs: at least one of each is needed", len(s.Genuine), len(s.Impostor))
	}
	return s, nil
}

// Calibration maps a score to its LLR.
type Calibration interface{ LLR(score float64) float64 }

// Cllr returns the cost in bits of the LLRs that c gives the scores.
func Cllr(c Calibration, s Scores) float64 {
	mean := func(scores []float64, sign float64) float64 {
		var sum float64
		for _, x := range scores {
			sum += softplus(sign * c.LLR(x))
		}
		return sum / float64(len(scores)) / math.Ln2
	}
	return (mean(s.Genuine, -1) + mean(s.Impostor, 1)) / 2
}

// softplus returns ln(1 + e^x).
func softplus(x float64) float64 {
	if x > 0 {
		return x + math.Log1p(math.Exp(-x))
	}
	return math.Log1p(math.Exp(x))
}

// MinCllr returns the Cllr of the scores' own PAV calibration.
func MinCllr(s Scores) float64 { return Cllr(NewPAV(s), s) }

// Linear is LLR = Slope*score + Offset.
type Linear struct {
	Slope  float64 `json:"slope"`
	Offset float64 `json:"offset"`
}

// LLR returns Slope*score + Offset.
func (l Linear) LLR(score float64) float64 { return l.Slope*score + l.Offset }

// ErrSeparated is that no impostor scores as high as any genuine pair: every slope
// is then better than all smaller ones.
var ErrSeparated = errors.New("no impostor pair scores as high as a genuine one, or none as low: logistic regression has no solution; more pairs are needed")

// NewLinear fits Slope and Offset by logistic regression: it minimises Cllr, in which genuine and impostor
// pairs weigh the same however many there are, by Newton's method.
func NewLinear(s Scores) (Linear, error) {
	if slices.Min(s.Genuine) >= slices.Max(s.Impostor) || slices.Max(s.Genuine) <= slices.Min(s.Impostor) {
		return Linear{}, ErrSeparated
	}
	// Scores are centred and scaled so that the two unknowns are of one size.
	low := math.Min(slices.Min(s.Genuine), slices.Min(s.Impostor))
	high := math.Max(slices.Max(s.Genuine), slices.Max(s.Impostor))
	centre, scale := low+(high-low)/2, (high-low)/2
	unscaled := func(w, b float64) Linear { return Linear{w / scale, b - w*centre/scale} }
	var w, b float64
	cost := Cllr(unscaled(w, b), s)
	for range 100 {
		// Gradient and Hessian of Cllr·ln 2.
		var gw, gb, hww, hwb, hbb float64
		for _, side := range []struct {
			scores []float64
			target float64
		}{{s.Genuine, 1}, {s.Impostor, 0}} {
			weight := 0.5 / float64(len(side.scores))
			for _, x := range side.scores {
				z := (x - centre) / scale
				p := 1 / (1 + math.Exp(-(w*z + b)))
				d, h := weight*(p-side.target), weight*p*(1-p)
				gw, gb = gw+d*z, gb+d
				hww, hwb, hbb = hww+h*z*z, hwb+h*z, hbb+h
			}
		}
		det := hww*hbb - hwb*hwb
		if !(det > 0) {
			return Linear{}, ErrSeparated
		}
		dw, db := (hbb*gw-hwb*gb)/det, (hww*gb-hwb*gw)/det
		step := 1.0
		for ; step > 1e-12; step /= 2 {
			if next := Cllr(unscaled(w-step*dw, b-step*db), s); next <= cost {
				cost = next
				break
			}
		}
		if step <= 1e-12 {
			break // no step helps: the minimum, to rounding
		}
		w, b = w-step*dw, b-step*db
		if math.Abs(dw)+math.Abs(db) < 1e-13*(1+math.Abs(w)+math.Abs(b)) {
			break
		}
	}
	return unscaled(w, b), nil
}

// PAV is the best monotone calibration of the scores that it is made of, found by pooling adjacent
// violators: a step function. Below and above all steps that hold both kinds the LLR is -Inf or
// +Inf; of other scores it is that of the nearest score below, or the lowest step.
type PAV struct {
	Steps []Step // ascending
}

// Step says that scores from From on, up to the next step, have one LLR.
type Step struct {
	From              float64
	Genuine, Impostor int // pairs on the step
	LLR               float64
}

// NewPAV pools the scores. Equal scores are never parted.
func NewPAV(s Scores) *PAV {
	type scored struct {
		score   float64
		genuine bool
	}
	all := make([]scored, 0, len(s.Genuine)+len(s.Impostor))
	for _, x := range s.Genuine {
		all = append(all, scored{x, true})
	}
	for _, x := range s.Impostor {
		all = append(all, scored{x, false})
	}
	slices.SortFunc(all, func(a, b scored) int { return cmp.Compare(a.score, b.score) })
	p := &PAV{}
	for i := 0; i < len(all); {
		step := Step{From: all[i].score}
		for ; i < len(all) && all[i].score == step.From; i++ {
			if all[i].genuine {
				step.Genuine++
			} else {
				step.Impostor++
			}
		}
		// A step whose share of genuine pairs is no larger than the one's before is pooled with it.
		for n := len(p.Steps); n > 0; n = len(p.Steps) {
			last := p.Steps[n-1]
			if last.Genuine*(step.Genuine+step.Impostor) < step.Genuine*(last.Genuine+last.Impostor) {
				break
			}
			step = Step{last.From, last.Genuine + step.Genuine, last.Impostor + step.Impostor, 0}
			p.Steps = p.Steps[:n-1]
		}
		p.Steps = append(p.Steps, step)
	}
	prior := math.Log(float64(len(s.Genuine)) / float64(len(s.Impostor)))
	for i := range p.Steps {
		step := &p.Steps[i]
		step.LLR = math.Log(float64(step.Genuine)/float64(step.Impostor)) - prior
	}
	return p
}

// LLR returns the LLR of the step that the score is on.
func (p *PAV) LLR(score float64) float64 {
	i, found := slices.BinarySearchFunc(p.Steps, score, func(s Step, x float64) int { return cmp.Compare(s.From, x) })
	if !found {
		i = max(0, i-1)
	}
	return p.Steps[i].LLR
}
