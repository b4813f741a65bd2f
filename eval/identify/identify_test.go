package identify

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/faceverify/fv/eval/matrix"
)

// images returns n embeddings of few distinct values, so that ties occur, of identities from first on.
func images(t *rapid.T, label string, n, first, ids, dim int) *matrix.Matrix {
	m := &matrix.Matrix{Path: label, Dim: dim}
	for i := range n {
		row := rapid.SliceOfN(rapid.SampledFrom([]float32{-1, 0, 1, 2}), dim, dim).Draw(t, label)
		row[0] = 3 // never zero, nor do means cancel out
		m.Data = append(m.Data, row...)
		m.Names = append(m.Names, fmt.Sprint(label, i))
		m.Identities = append(m.Identities, fmt.Sprint("id", first+rapid.IntRange(0, ids-1).Draw(t, "id")))
	}
	return m
}

// reference searches as plainly as can be.
func reference(gallery, probes, unknown *matrix.Matrix, policy string) (mated, top []float64, ranks []int) {
	templates := map[string][]float64{}
	for i, id := range gallery.Identities {
		if templates[id] != nil && policy == One {
			continue
		}
		if templates[id] == nil {
			templates[id] = make([]float64, gallery.Dim)
		}
		for j, x := range gallery.Row(i) {
			templates[id][j] += float64(x) / length(gallery.Row(i))
		}
	}
	score := func(row []float32, template []float64) float64 {
		var ab, bb float64
		for j, x := range row {
			ab += float64(x) * template[j]
			bb += template[j] * template[j]
		}
		return ab / length(row) / math.Sqrt(bb)
	}
	for _, m := range []*matrix.Matrix{probes, unknown} {
		for i, id := range m.Identities {
			best, rank := math.Inf(-1), 0
			for _, t := range templates {
				s := score(m.Row(i), t)
				best = math.Max(best, s)
				// Scores that float32 cannot tell apart are ties.
				if own := templates[id]; own != nil && s >= score(m.Row(i), own)-1e-6 {
					rank++
				}
			}
			if templates[id] == nil {
				top = append(top, best)
				continue
			}
			mated, ranks = append(mated, score(m.Row(i), templates[id])), append(ranks, rank)
		}
	}
	return mated, top, ranks
}

func TestAgainstReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dim := rapid.IntRange(1, 6).Draw(t, "dim")
		gallery := images(t, "gallery", rapid.IntRange(1, 20).Draw(t, "n"), 0, 6, dim)
		probes := images(t, "probe", rapid.IntRange(1, 20).Draw(t, "n"), 3, 6, dim)
		unknown := images(t, "unknown", rapid.IntRange(1, 10).Draw(t, "n"), 20, 3, dim)
		policy := rapid.SampledFrom([]string{One, Mean}).Draw(t, "policy")
		rank := rapid.IntRange(1, 3).Draw(t, "rank")
		got, err := Measure(context.Background(), gallery, probes, unknown, Options{Enrol: policy, Rank: rank, FPIRs: []float64{0.3, 0.6}, Threads: 2})
		mated, top, ranks := reference(gallery, probes, unknown, policy)
		if len(mated) == 0 {
			if err == nil || !strings.Contains(err.Error(), "none of the") {
				t.Fatalf("no mated probe: %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if got.Mated != len(mated) || got.NonMated != len(top) {
			t.Fatalf("%d mated and %d non-mated probes, want %d and %d", got.Mated, got.NonMated, len(mated), len(top))
		}
		for _, c := range got.CMC {
			within := 0
			for _, r := range ranks {
				if r <= c.Rank {
					within++
				}
			}
			// A tie that float32 breaks either way may help the system, never hurt it.
			if c.Rate.Count < within {
				t.Fatalf("rank %d: %d, want at least %d", c.Rank, c.Rate.Count, within)
			}
		}
		for _, p := range got.Points {
			if !p.Resolved {
				continue
			}
			low, high, found := 0, 0, 0
			for _, s := range top {
				if s >= p.Threshold.Score+1e-6 {
					low++
				}
				if s >= p.Threshold.Score-1e-6 {
					high++
				}
			}
			for i, s := range mated {
				if s >= p.Threshold.Score+1e-6 && ranks[i] <= rank {
					found++
				}
			}
			if p.FPIR.Count < low || p.FPIR.Count > high || p.DIR.Count < found || p.DIR.Count+p.FNIR.Count != got.Mated {
				t.Fatalf("FPIR <= %g at %v: %d false positives (want %d to %d), %d identified (want at least %d)", p.Target, p.Threshold.Score, p.FPIR.Count, low, high, p.DIR.Count, found)
			}
			if p.FPIR.Value > p.Target {
				t.Fatalf("FPIR %v is over %v", p.FPIR.Value, p.Target)
			}
		}
	})
}

// Four probes whose ranks and scores can be seen: the definitions by hand.
func TestByHand(t *testing.T) {
	gallery := &matrix.Matrix{Path: "gallery", Dim: 2, Data: []float32{1, 0, 0, 1}, Names: []string{"a", "b"}, Identities: []string{"Ada", "Bob"}}
	probes := &matrix.Matrix{Path: "probes", Dim: 2,
		Data:  []float32{4, 3, 3, 4, 0, 2, 1, 0},
		Names: []string{"p", "q", "r", "a"}, Identities: []string{"Ada", "Ada", "Bob", "Ada"}}
	unknown := &matrix.Matrix{Path: "unknown", Dim: 2, Data: []float32{24, 7, 1, 1}, Names: []string{"u", "v"}, Identities: []string{"Eve", "Eve"}}
	r, err := Measure(context.Background(), gallery, probes, unknown, Options{FPIRs: []float64{0.5, 0.1}})
	if err != nil {
		t.Fatal(err)
	}
	// p: Ada 0.8 at rank 1; q: Ada 0.6 at rank 2; r: Bob 1 at rank 1; a is enrolled itself. Strangers: 0.96, 0.707.
	if r.Excluded != 1 || r.Mated != 3 || r.NonMated != 2 || r.CMC[0].Rate.Count != 2 || r.CMC[1].Rate.Count != 3 {
		t.Errorf("%+v", r)
	}
	if p := r.Points[0]; !p.Resolved || p.FPIR.Count != 1 || p.DIR.Count != 2 || math.Abs(p.Threshold.Score-0.8) > 1e-6 {
		t.Errorf("FPIR <= 0.5: %+v", p)
	}
	if p := r.Points[1]; p.Resolved || p.DIR != nil {
		t.Errorf("2 non-mated probes are said to resolve FPIR 0.1: %+v", p)
	}
}

func TestMistakes(t *testing.T) {
	m := func(identity string, dim int) *matrix.Matrix {
		return &matrix.Matrix{Path: identity + ".npy", Dim: dim, Data: make([]float32, dim), Names: []string{"x" + identity}, Identities: []string{identity}}
	}
	ada := m("Ada", 2)
	ada.Data[0] = 1
	cancel := &matrix.Matrix{Path: "c.npy", Dim: 1, Data: []float32{1, -1}, Names: []string{"1", "2"}, Identities: []string{"Ada", "Ada"}}
	for _, c := range []struct {
		gallery, probes, unknown *matrix.Matrix
		o                        Options
		want                     string
	}{
		{ada, m("Bob", 2), nil, Options{}, "none of the 1 probes shows one of the 1 people enrolled"},
		{ada, ada, nil, Options{}, "all 1 probes are images of the gallery; name other images"},
		{ada, m("Ada", 3), nil, Options{}, "were they made by one model?"},
		{ada, ada, m("Ada", 2), Options{}, "is an unknown probe, but Ada is enrolled"},
		{m("", 2), ada, nil, Options{}, "has no identity"},
		{ada, m("", 2), nil, Options{}, "has no identity"},
		{cancel, ada, nil, Options{}, "their mean has no direction"},
		{ada, ada, nil, Options{Enrol: "best"}, `enrolment "best": want one or mean`},
		{ada, ada, nil, Options{FPIRs: []float64{1}}, "rate 1: want"},
		{ada, ada, nil, Options{Ranks: []int{0}}, "rank 0: want 1"},
	} {
		if _, err := Measure(context.Background(), c.gallery, c.probes, c.unknown, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}
