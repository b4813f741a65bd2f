package compare

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/faceverify/fv/eval"
)

// The p-value is that of the binomial distribution summed exactly.
func TestMcNemar(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 200).Draw(t, "pairs")
		a, b := make([]bool, n), make([]bool, n)
		onlyA, onlyB := 0, 0
		for i := range n {
			a[i], b[i] = rapid.Bool().Draw(t, "a"), rapid.Bool().Draw(t, "b")
			if a[i] && !b[i] {
				onlyA++
			}
			if b[i] && !a[i] {
				onlyB++
			}
		}
		m := NewMcNemar(a, b)
		tail, all := new(big.Int), onlyA+onlyB
		for k := range min(onlyA, onlyB) + 1 {
			tail.Add(tail, new(big.Int).Binomial(int64(all), int64(k)))
		}
		want, _ := new(big.Rat).SetFrac(tail.Lsh(tail, 1), new(big.Int).Lsh(big.NewInt(1), uint(all))).Float64()
		if m.OnlyA != onlyA || m.OnlyB != onlyB || math.Abs(m.P-math.Min(1, want)) > 1e-12 {
			t.Fatalf("%+v, want %d, %d and %v", m, onlyA, onlyB, want)
		}
	})
}

// The golden file is written by scripts/golden/eval.py.
func TestMcNemarAgainstSciPy(t *testing.T) {
	text, err := os.ReadFile("testdata/mcnemar.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Cases []McNemar `json:"cases"`
	}
	if err := json.Unmarshal(text, &golden); err != nil || len(golden.Cases) == 0 {
		t.Fatalf("%d cases, %v", len(golden.Cases), err)
	}
	for _, want := range golden.Cases {
		a := append(slices.Repeat([]bool{true}, want.OnlyA), make([]bool, want.OnlyB)...)
		b := append(make([]bool, want.OnlyA), slices.Repeat([]bool{true}, want.OnlyB)...)
		if got := NewMcNemar(a, b); math.Abs(got.P-want.P) > 1e-12 {
			t.Errorf("%+v, scipy %v", got, want.P)
		}
	}
}

// systems returns three systems on pairs of n people: one, a better one, and the first again.
func systems(t *testing.T, n int) (*eval.Pairs, [3]System) {
	r := rand.New(rand.NewPCG(4, 4))
	pairs := &eval.Pairs{Name: "pairs", Folds: 1}
	var out [3]System
	for i := range 20 * n {
		a, b := i%n, i%n
		if i%2 == 1 {
			b = (a + 1 + r.IntN(n-1)) % n
		}
		pairs.Pairs = append(pairs.Pairs, eval.Pair{A: fmt.Sprintf("p%d/a%d", a, i), B: fmt.Sprintf("p%d/b%d", b, i), Same: a == b})
		noise := r.NormFloat64()
		mean := 0.0
		if a == b {
			mean = 1
		}
		for k, spread := range []float64{1, 0.6, 1} {
			out[k].Scores = append(out[k].Scores, mean+spread*noise)
		}
	}
	for k, name := range []string{"first", "better", "again"} {
		roc, err := eval.NewROC(out[k].Scores, pairs.Same())
		if err != nil {
			t.Fatal(err)
		}
		out[k].Name, out[k].ROC = name, roc
	}
	return pairs, out
}

// A better system is told from a worse one, in the right direction; a system from itself is not.
func TestNew(t *testing.T) {
	pairs, s := systems(t, 40)
	o := Options{FARs: []float64{0.1, 1e-9}, Bootstrap: 200, Seed: 1}
	c := New(s[0], s[1], pairs, o)
	if len(c.Differences) != 3 || c.Replicates != 200 {
		t.Fatalf("%+v", c)
	}
	for i, d := range c.Differences {
		rises := i != 1 // the EER falls
		if d.A != []float64{s[0].ROC.AUC(), s[0].ROC.EER().Value, s[0].ROC.AtFAR(0.1).TAR.Value}[i] {
			t.Errorf("%s of the first: %v", d.Quantity, d.A)
		}
		if (d.B > d.A) != rises || (d.Interval.Low > 0) != rises || (d.Interval.High < 0) == rises || *d.P > 0.01 {
			t.Errorf("%+v, interval %+v, p %v: want a clear gain", d, *d.Interval, *d.P)
		}
		if i > 0 && (d.McNemar == nil || d.McNemar.P > 1e-3 || d.McNemar.OnlyB <= d.McNemar.OnlyA) {
			t.Errorf("%s: McNemar %+v", d.Quantity, d.McNemar)
		}
	}
	for _, d := range New(s[0], s[2], pairs, o).Differences {
		if d.A != d.B || *d.Interval != (eval.Range{}) || *d.P != 1 || d.McNemar != nil && d.McNemar.P != 1 {
			t.Errorf("a system differs from itself: %+v", d)
		}
	}
	// Without identities there is no bootstrap, and nothing is said in its place.
	few, s2 := systems(t, 3)
	if c := New(s2[0], s2[1], few, o); c.Differences[0].Interval != nil || c.Differences[0].P != nil || c.Replicates != 0 || c.NoIntervals == "" {
		t.Errorf("3 people: %+v, interval %v", c, c.Differences[0].Interval)
	}
	for i := range pairs.Pairs {
		pairs.Pairs[i].A, pairs.Pairs[i].B = "", ""
	}
	if d := New(s[0], s[1], pairs, o).Differences[0]; d.Interval != nil || d.P != nil {
		t.Errorf("no identities: %+v", d)
	}
}

// A p-value is never 0: with no replicate on the other side it is that of one in n + 1, twice.
func TestBootstrapP(t *testing.T) {
	for _, c := range []struct {
		differences []float64
		p           float64
		least       bool
	}{
		{[]float64{1, 2, 3, math.NaN()}, 2 * 1 / 4.0, true},
		{[]float64{1, -2, 3, 4, 5, 6, 7}, 2 * 2 / 8.0, false},
		{[]float64{1, -1}, 1, false},
		{[]float64{0, 0, 0}, 1, false},
	} {
		if p, least := bootstrapP(c.differences); p != c.p || least != c.least {
			t.Errorf("%v: %v, least %v; want %v, %v", c.differences, p, least, c.p, c.least)
		}
	}
}
