package eval

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// slowAUC counts every genuine-impostor combination.
func slowAUC(scores []float64, same []bool) float64 {
	var won, all float64
	for i, g := range scores {
		for j, s := range scores {
			if same[i] && !same[j] {
				all++
				switch {
				case g > s:
					won++
				case g == s:
					won += 0.5
				}
			}
		}
	}
	return won / all
}

// slowRates counts what a threshold accepts.
func slowRates(scores []float64, same []bool, t float64) (fmr, fnmr float64) {
	var fa, fr, g, im float64
	for i, s := range scores {
		switch {
		case same[i]:
			g++
			if s < t {
				fr++
			}
		default:
			im++
			if s >= t {
				fa++
			}
		}
	}
	return fa / im, fr / g
}

// slowEER tries every score, and refusing everything, from the top.
func slowEER(scores []float64, same []bool) float64 {
	best, at := math.Inf(1), 0.0
	t := math.Inf(1)
	for {
		fmr, fnmr := slowRates(scores, same, t)
		if d := math.Abs(fmr - fnmr); d < best-1e-12 {
			best, at = d, (fmr+fnmr)/2
		}
		next := math.Inf(-1)
		for _, s := range scores {
			if s < t && s > next {
				next = s
			}
		}
		if math.IsInf(next, -1) {
			return at
		}
		t = next
	}
}

// drawScores draws labelled scores with many ties and at least one pair of each kind.
func drawScores(t *rapid.T) ([]float64, []bool) {
	n := rapid.IntRange(0, 60).Draw(t, "n")
	grid := rapid.Float64Range(1, 50).Draw(t, "grid")
	scores, same := make([]float64, n+2), make([]bool, n+2)
	for i := range scores {
		scores[i] = math.Round(rapid.Float64Range(-1, 1).Draw(t, "score")*grid) / grid
		same[i] = rapid.Bool().Draw(t, "same")
	}
	same[0], same[1] = true, false
	return scores, same
}

func TestROCAgainstCounting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores, same := drawScores(t)
		roc, err := NewROC(scores, same)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := roc.AUC(), slowAUC(scores, same); math.Abs(got-want) > 1e-14 {
			t.Errorf("AUC %v, counted %v", got, want)
		}
		if got, want := roc.EER().Value, slowEER(scores, same); math.Abs(got-want) > 1e-12 {
			t.Errorf("EER %v, counted %v", got, want)
		}
		seen := map[float64]bool{}
		for _, p := range roc.Points {
			if seen[p.Threshold] {
				t.Errorf("threshold %v twice", p.Threshold)
			}
			seen[p.Threshold] = true
			fmr, fnmr := slowRates(scores, same, p.Threshold)
			if roc.FAR(p) != fmr || math.Abs(1-roc.TAR(p)-fnmr) > 1e-15 {
				t.Errorf("at %v: FAR %v TAR %v, counted %v %v", p.Threshold, roc.FAR(p), roc.TAR(p), fmr, 1-fnmr)
			}
		}
		if last := roc.Points[len(roc.Points)-1]; last.TrueAccepts != roc.Genuine || last.FalseAccepts != roc.Impostors {
			t.Errorf("the last point accepts %d of %d and %d of %d", last.TrueAccepts, roc.Genuine, last.FalseAccepts, roc.Impostors)
		}
	})
}

func TestAtFARKeepsItsPromise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores, same := drawScores(t)
		target := rapid.Float64Range(1e-4, 0.999).Draw(t, "target")
		roc, err := NewROC(scores, same)
		if err != nil {
			t.Fatal(err)
		}
		p := roc.AtFAR(target)
		fmr, fnmr := slowRates(scores, same, p.Threshold.Score)
		if fmr > target || fmr != p.FAR.Value || math.Abs(1-fnmr-p.TAR.Value) > 1e-15 {
			t.Errorf("threshold %v for FAR <= %v: measured %v (said %v), TAR %v (said %v)", p.Threshold.Score, target, fmr, p.FAR.Value, 1-fnmr, p.TAR.Value)
		}
		if p.Resolved != (target*float64(roc.Impostors) >= 1) && math.Abs(target*float64(roc.Impostors)-1) > 1e-9 {
			t.Errorf("FAR %v with %d impostors: resolved = %v", target, roc.Impostors, p.Resolved)
		}
		for _, s := range scores { // no lower threshold would do
			if s < p.Threshold.Score {
				if lower, _ := slowRates(scores, same, s); lower <= target {
					t.Errorf("threshold %v also keeps FAR %v <= %v, %v was chosen", s, lower, target, p.Threshold.Score)
				}
			}
		}
	})
}

// A monotone map changes no rank, and swapping labels mirrors the area.
func TestAUCInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores, same := drawScores(t)
		mapped, swapped := make([]float64, len(scores)), make([]bool, len(scores))
		for i, s := range scores {
			mapped[i], swapped[i] = 3*s+100, !same[i]
		}
		a, _ := NewROC(scores, same)
		b, _ := NewROC(mapped, same)
		c, _ := NewROC(scores, swapped)
		if a.AUC() != b.AUC() {
			t.Errorf("AUC %v, after a monotone map %v", a.AUC(), b.AUC())
		}
		if math.Abs(a.AUC()+c.AUC()-1) > 1e-15 {
			t.Errorf("AUC %v, with swapped labels %v", a.AUC(), c.AUC())
		}
	})
}

func TestROCRefuses(t *testing.T) {
	for _, c := range []struct {
		scores []float64
		same   []bool
		want   string
	}{
		{[]float64{1, math.NaN()}, []bool{true, false}, "score 2 of 2 is NaN"},
		{[]float64{math.Inf(-1), 0}, []bool{true, false}, "score 1 of 2 is -Inf"},
		{[]float64{1, 2}, []bool{true, true}, "2 genuine and 0 impostor"},
		{[]float64{1}, []bool{false}, "0 genuine and 1 impostor"},
		{nil, nil, "0 genuine and 0 impostor"},
	} {
		if _, err := NewROC(c.scores, c.same); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q", c.scores, err, c.want)
		}
	}
}

func TestIdenticalScores(t *testing.T) {
	roc, err := NewROC([]float64{0.5, 0.5, 0.5}, []bool{true, false, false})
	if err != nil {
		t.Fatal(err)
	}
	if roc.AUC() != 0.5 || len(roc.Points) != 2 || roc.EER().Value != 0.5 {
		t.Errorf("AUC %v, EER %v, %d points", roc.AUC(), roc.EER().Value, len(roc.Points))
	}
	p := roc.AtFAR(0.5)
	if !math.IsInf(p.Threshold.Score, 1) || p.TAR.Count != 0 {
		t.Errorf("FAR <= 0.5 of two equal impostors: %+v", p)
	}
}

func TestDPrime(t *testing.T) {
	// Means 3 and 0, variances 2/3 and 2: d' = 3/sqrt(4/3).
	got := DPrime([]float64{2, 3, 4, -1, -1, 2}, []bool{true, true, true, false, false, false})
	if want := 3 / math.Sqrt(4.0/3); math.Abs(got-want) > 1e-14 {
		t.Errorf("d' = %v, want %v", got, want)
	}
}
