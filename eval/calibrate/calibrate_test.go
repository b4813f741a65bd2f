package calibrate

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// golden is written by scripts/golden/eval.py.
type golden struct {
	Genuine  []float64 `json:"genuine"`
	Impostor []float64 `json:"impostor"`
	Slope    float64   `json:"slope"`
	Offset   float64   `json:"offset"`
	Cllr     float64   `json:"cllr"`
	MinCllr  float64   `json:"min_cllr"`
	PAV      []float64 `json:"pav_posterior"` // of the genuine, then the impostor scores
}

func readGolden(t *testing.T) *golden {
	t.Helper()
	text, err := os.ReadFile("testdata/calibrate.json")
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{}
	if err := json.Unmarshal(text, g); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestAgainstPython(t *testing.T) {
	g := readGolden(t)
	s := Scores{g.Genuine, g.Impostor}
	l, err := NewLinear(s)
	if err != nil {
		t.Fatal(err)
	}
	// scipy stops where the gradient is 1e-12 or so; the parameters are then as near as this.
	if math.Abs(l.Slope-g.Slope) > 1e-7*g.Slope || math.Abs(l.Offset-g.Offset) > 1e-7 {
		t.Errorf("LLR = %v s + %v, scipy %v and %v", l.Slope, l.Offset, g.Slope, g.Offset)
	}
	if got := Cllr(l, s); math.Abs(got-g.Cllr) > 1e-12 {
		t.Errorf("Cllr %v, scipy %v", got, g.Cllr)
	}
	if got := MinCllr(s); math.Abs(got-g.MinCllr) > 1e-12 {
		t.Errorf("minCllr %v, by scikit-learn's isotonic regression %v", got, g.MinCllr)
	}
	pav := NewPAV(s)
	prior := math.Log(float64(len(g.Genuine)) / float64(len(g.Impostor)))
	for i, x := range slices.Concat(g.Genuine, g.Impostor) {
		if p := 1 / (1 + math.Exp(-pav.LLR(x)-prior)); math.Abs(p-g.PAV[i]) > 1e-12 {
			t.Fatalf("score %v: posterior %v, scikit-learn %v", x, p, g.PAV[i])
		}
	}
}

func drawScores(t *rapid.T) Scores {
	value := rapid.Map(rapid.IntRange(-6, 6), func(i int) float64 { return float64(i) / 3 })
	return Scores{rapid.SliceOfN(value, 1, 30).Draw(t, "genuine"), rapid.SliceOfN(value, 1, 30).Draw(t, "impostor")}
}

// The steps of a PAV ascend, and no monotone calibration costs less: neither the logistic one nor
// any other that is drawn.
func TestPAVIsBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScores(t)
		pav := NewPAV(s)
		for i := 1; i < len(pav.Steps); i++ {
			if pav.Steps[i].LLR <= pav.Steps[i-1].LLR || pav.Steps[i].From <= pav.Steps[i-1].From {
				t.Fatalf("steps %+v", pav.Steps)
			}
		}
		least := Cllr(pav, s)
		if least > 1+1e-12 {
			t.Fatalf("minCllr %v: LLR = 0 costs 1", least)
		}
		other := Linear{rapid.Float64Range(0, 20).Draw(t, "slope"), rapid.Float64Range(-20, 20).Draw(t, "offset")}
		if cost := Cllr(other, s); cost < least-1e-12 {
			t.Fatalf("%+v costs %v, PAV %v", other, cost, least)
		}
		if l, err := NewLinear(s); err == nil && l.Slope >= 0 && Cllr(l, s) < least-1e-12 {
			t.Fatalf("%+v costs %v, PAV %v", l, Cllr(l, s), least)
		}
	})
}

// Logistic regression is at a minimum: no small step makes it cheaper. Scores on another
// scale give the same LLRs.
func TestLinearIsBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScores(t)
		l, err := NewLinear(s)
		if errors.Is(err, ErrSeparated) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		cost := Cllr(l, s)
		if cost > 1+1e-12 {
			t.Fatalf("Cllr %v: LLR = 0 costs 1", cost)
		}
		for _, d := range []Linear{{1e-3, 0}, {-1e-3, 0}, {0, 1e-3}, {0, -1e-3}, {1e-3, -1e-3}} {
			if near := Cllr(Linear{l.Slope + d.Slope, l.Offset + d.Offset}, s); near < cost-1e-13 {
				t.Fatalf("%+v costs %v, a step of %+v less: %v", l, cost, d, near)
			}
		}
		scaled := Scores{slices.Clone(s.Genuine), slices.Clone(s.Impostor)}
		for _, x := range [][]float64{scaled.Genuine, scaled.Impostor} {
			for i := range x {
				x[i] = 1000*x[i] + 5e4
			}
		}
		m, err := NewLinear(scaled)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range s.Genuine {
			if a, b := l.LLR(x), m.LLR(scaled.Genuine[i]); math.Abs(a-b) > 1e-5*(1+math.Abs(a)) {
				t.Fatalf("LLR %v, of scaled scores %v", a, b)
			}
		}
	})
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		scores []float64
		same   []bool
		want   string
	}{
		{[]float64{1, math.NaN()}, []bool{true, false}, "score 2 of 2 is NaN"},
		{[]float64{math.Inf(1), 1}, []bool{true, false}, "score 1 of 2 is +Inf"},
		{[]float64{1, 2}, []bool{true, true}, "2 genuine and 0 impostor pairs"},
	} {
		if _, err := Split(c.scores, c.same); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want one with %q", c.scores, err, c.want)
		}
	}
	if _, err := NewLinear(Scores{[]float64{2, 3}, []float64{1}}); !errors.Is(err, ErrSeparated) {
		t.Errorf("separated scores: %v", err)
	}
	// One value for all: LLR = 0, at any cost of 1.
	same := Scores{[]float64{1, 1}, []float64{1}}
	if got := MinCllr(same); got != 1 {
		t.Errorf("equal scores: minCllr %v", got)
	}
}
