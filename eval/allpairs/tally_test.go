package allpairs

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
)

func encode(t *testing.T, r *Result) []byte {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Parts that are counted apart, and added up in any order, are all pairs counted by one: the same numbers and the same hardest pairs, of which many
// have equal scores here.
func TestTallyParts(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	m, probes := people(r, 700, 20, 3, 0.5), people(r, 300, 30, 3, 0.5)
	for i := range 200 { // copies: pairs of equal scores, of which some are left out
		copy(m.Row(3*i), m.Row(0))
	}
	o := Options{Hardest: 50, Threads: 2}
	for _, other := range []bool{false, true} {
		b := m
		if other {
			b = probes
		}
		whole, err := Cross(t.Context(), m, b, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, parts := range []int{3, 8} { // the latter are more than there are tasks
			tallies := make([]*Tally, parts)
			for i := range tallies {
				if tallies[i], err = NewTally(m, b, o); err != nil {
					t.Fatal(err)
				}
				done, of := 0, 0
				if err := tallies[i].Count(t.Context(), i, parts, func(d, n int) { done, of = d, n }); err != nil {
					t.Fatal(err)
				}
				if done != of {
					t.Errorf("part %d of %d: %d of %d pairs scored", i, parts, done, of)
				}
			}
			sum := tallies[parts/2]
			for i := parts - 1; i >= 0; i-- {
				if tallies[i] == sum {
					continue
				}
				genuine, impostor := tallies[i].Counts()
				g, p := sum.Counts()
				for k := range g {
					g[k] += genuine[k]
					p[k] += impostor[k]
				}
				sum.Offer(tallies[i].Hardest())
			}
			got, err := sum.Result()
			if err != nil {
				t.Fatal(err)
			}
			got.Seconds, got.GFLOPS = whole.Seconds, whole.GFLOPS
			for what, same := range map[string]bool{
				"numbers":        bytes.Equal(encode(t, got), encode(t, whole)),
				"curve":          slices.Equal(got.ROC.Points, whole.ROC.Points),
				"genuine pairs":  slices.Equal(got.HardestGenuine, whole.HardestGenuine),
				"impostor pairs": slices.Equal(got.HardestImpostor, whole.HardestImpostor),
			} {
				if !same {
					t.Errorf("%d parts, of two matrices %v: other %s", parts, other, what)
				}
			}
		}
	}
}
