package eval

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Scores that are written are read with the same bits.
func TestScoresRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "n")
		pairs := &Pairs{Folds: 3}
		var scores []float64
		for range n {
			scores = append(scores, rapid.Float64().Draw(t, "score"))
			pairs.Pairs = append(pairs.Pairs, Pair{
				A: rapid.StringMatching(`[a-zé, "]{0,8}`).Draw(t, "a"), B: "x",
				Same: rapid.Bool().Draw(t, "same"), Fold: rapid.IntRange(0, 2).Draw(t, "fold"),
			})
		}
		var b bytes.Buffer
		if err := WriteScores(&b, scores, pairs); err != nil {
			t.Fatal(err)
		}
		got, read, err := ParseScores(&b, "s.csv")
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range scores {
			p := read.Pairs[i]
			p.Line = 0
			if math.Float64bits(got[i]) != math.Float64bits(s) || p != pairs.Pairs[i] {
				t.Errorf("line %d: %v %+v, want %v %+v", i, got[i], p, s, pairs.Pairs[i])
			}
		}
	})
}

func TestParseScores(t *testing.T) {
	text := "\ufeffScore,LABEL,extra\r\n0.5,1,x\r\n-1e-3,0,y\r\n"
	scores, pairs, err := ParseScores(strings.NewReader(text), "s.csv")
	if err != nil || len(scores) != 2 || scores[1] != -1e-3 || !pairs.Pairs[0].Same || pairs.Pairs[1].Same {
		t.Errorf("%v %+v %v", scores, pairs, err)
	}
	for _, c := range []struct{ text, want string }{
		{"", "s.csv: no header"},
		{"label,cosine\n", `s.csv:1: the header has no column "score"`},
		{"label,score\n1,0.5\n2,0.5\n", `s.csv:3: label "2": want 1`},
		{"label,score\n1,NaN\n", `s.csv:2: score "NaN": want a finite number`},
		{"label,score\n1,+Inf\n", `s.csv:2: score "+Inf": want a finite number`},
		{"label,score,fold\n1,0.5,0\n", `s.csv:2: fold "0": want a number from 1`},
		{"label,score\n1,0.5,7\n", "s.csv: record on line 2: wrong number of fields"},
	} {
		if _, _, err := ParseScores(strings.NewReader(c.text), "s.csv"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %q", c.text, err, c.want)
		}
	}
}

func FuzzParseScores(f *testing.F) {
	f.Add([]byte("label,score,a,b,fold\n1,0.5,x,y,1\n0,1e3,\"a,b\",,2\n"))
	f.Add([]byte("score,label\n1,1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		scores, pairs, err := ParseScores(bytes.NewReader(text), "s")
		if err == nil && len(scores) != len(pairs.Pairs) {
			t.Errorf("%d scores, %d pairs", len(scores), len(pairs.Pairs))
		}
	})
}

func TestParseCurve(t *testing.T) {
	// The corner points of a ROC, in both directions, with what files contain.
	for _, text := range []string{
		"0 0\n0.5\t0\r\n# note\n\n0.5,0.5\n1 0.5\n1 1\n",
		"1 1\n1 0.5\n0.5 0.5\nNaN 0.3\n0.2 nan\n0.5 0\n0 0\n",
	} {
		c, err := ParseCurve(strings.NewReader(text), "c")
		if err != nil {
			t.Fatal(err)
		}
		if len(c.FAR) != 5 || c.AUC() != 0.75 || c.EER() != 0.5 {
			t.Errorf("%q: %+v AUC %v EER %v", text, c, c.AUC(), c.EER())
		}
		if want := strings.Count(strings.ToLower(text), "nan"); c.Skipped != want {
			t.Errorf("%d skipped, want %d", c.Skipped, want)
		}
	}
	for _, c := range []struct{ text, want string }{
		{"0.5 0.5 0.5\n", "c:1: 3 fields"},
		{"0 0\n0.5 x\n", `c:2: "x": want a rate`},
		{"0 0\n1.5 1\n", `c:2: "1.5": want a rate`},
		{"1 1\n", "c: 1 points"},
		{"1 0\n0.5 0.5\n", "are the columns swapped?"},
	} {
		if _, err := ParseCurve(strings.NewReader(c.text), "c"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %q", c.text, err, c.want)
		}
	}
}

func FuzzParseCurve(f *testing.F) {
	f.Add([]byte("0 0\n1 1\n"))
	f.Add([]byte("1;1\nNaN 0\n0,0\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseCurve(bytes.NewReader(text), "c")
		if err != nil {
			return
		}
		if a := c.AUC(); !(a >= 0 && a <= 1+1e-9) {
			t.Errorf("AUC %v", a)
		}
	})
}

// The corners alone have the whole curve's area.
func TestCurveOfROC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores, same := drawScores(t)
		roc, err := NewROC(scores, same)
		if err != nil {
			t.Fatal(err)
		}
		if c := roc.Curve("x"); math.Abs(c.AUC()-roc.AUC()) > 1e-14 {
			t.Errorf("AUC %v of the corners, %v of the curve", c.AUC(), roc.AUC())
		}
	})
}

func TestAngles(t *testing.T) {
	degrees := func(d ...float64) (cosines []float64) {
		for _, x := range d {
			cosines = append(cosines, math.Cos(x*math.Pi/180))
		}
		return cosines
	}
	a := NewAngles(degrees(10.5, 10.6, 50.5, 90.5, 50.5, 90.5, 90.6, 179.9999999), []bool{true, true, true, true, false, false, false, false})
	if math.Abs(a.Overlap-0.5) > 1e-15 {
		t.Errorf("overlap %v, want 0.5: a quarter at 50° and one at 90°", a.Overlap)
	}
	if got := a.Positive.Mode * 180 / math.Pi; math.Abs(got-10.5) > 1e-12 {
		t.Errorf("positive mode %v°, want 10.5°", got)
	}
	if got, want := a.Positive.Mean*180/math.Pi, (10.5+10.6+50.5+90.5)/4; math.Abs(got-want) > 1e-12 {
		t.Errorf("positive mean %v°, want %v°", got, want)
	}
	for _, side := range []AngleSide{a.Positive, a.Negative} {
		var sum float64
		for _, f := range side.Histogram {
			sum += f
		}
		if math.Abs(sum-1) > 1e-15 || len(side.Histogram) != AngleBins {
			t.Errorf("a histogram of %d bins sums to %v", len(side.Histogram), sum)
		}
	}
	if a := NewAngles([]float64{-1, 1 + 1e-7}, []bool{false, true}); a.Negative.Histogram[AngleBins-1] != 1 || a.Positive.Histogram[0] != 1 {
		t.Error("cosines of -1 and of a rounding above 1 are not in the last and the first bin")
	}
}
