package identify

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/faceverify/fv/eval/matrix"
)

func encode(t *testing.T, r *Result) string {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// drawn returns an embedding of each of n people, the first of whom is number first.
func drawn(r *rand.Rand, path string, n, first int) *matrix.Matrix {
	m := &matrix.Matrix{Path: path, Dim: 3}
	for i := range n {
		m.Names = append(m.Names, fmt.Sprint(path, " ", i))
		m.Identities = append(m.Identities, fmt.Sprint(first+i))
		for range m.Dim {
			m.Data = append(m.Data, float32(r.NormFloat64()))
		}
	}
	return m
}

// What parts of the probes find, put together, is what one process finds.
func TestTrialParts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	gallery, probes, unknown := drawn(r, "gallery", 20000, 0), drawn(r, "probes", 500, 0), drawn(r, "unknown", 300, 30000) // 209 probes a tile
	cohort := drawn(r, "cohort", 20, 40000)
	for parts, o := range map[int]Options{2: {}, 7: {Normalise: SNorm, Cohort: cohort}} { // there are 5 tiles
		whole, err := Measure(t.Context(), gallery, probes, unknown, o)
		if err != nil {
			t.Fatal(err)
		}
		trials := make([]*Trial, parts)
		for i := range trials {
			if trials[i], err = NewTrial(gallery, probes, unknown, o); err != nil {
				t.Fatal(err)
			}
			done, of := 0, 0
			if err := trials[i].Search(t.Context(), i, parts, func(d, n int) { done, of = d, n }); err != nil {
				t.Fatal(err)
			}
			if found := trials[i].Found(i, parts); done != of || len(found) != of {
				t.Errorf("part %d of %d: %d found, %d of %d done", i, parts, len(found), done, of)
			}
		}
		for i := range trials[1:] {
			trials[0].Put(i+1, parts, trials[i+1].Found(i+1, parts))
		}
		got, err := trials[0].Result()
		if err != nil {
			t.Fatal(err)
		}
		if n := len(got.Curve.Points); n < 100 {
			t.Errorf("%d points compare too little", n)
		}
		if !slices.Equal(got.Curve.Points, whole.Curve.Points) || !slices.Equal(got.Ranks, whole.Ranks) || encode(t, got) != encode(t, whole) {
			t.Errorf("%d parts, normalised %q: another result", parts, o.Normalise)
		}
	}
}
