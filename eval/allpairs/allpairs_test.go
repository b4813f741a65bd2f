package allpairs

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/matrix"
)

// people returns n random embeddings of ids identities, as far apart as noise says.
func people(r *rand.Rand, n, ids, dim int, noise float64) *matrix.Matrix {
	m := &matrix.Matrix{Path: "people", Dim: dim}
	centres := make([]float64, ids*dim)
	for i := range centres {
		centres[i] = r.NormFloat64()
	}
	for i := range n {
		id := r.IntN(ids)
		for j := range dim {
			m.Data = append(m.Data, float32(centres[id*dim+j]+noise*r.NormFloat64()))
		}
		m.Names = append(m.Names, fmt.Sprint("image ", i))
		m.Identities = append(m.Identities, fmt.Sprint("person ", id))
	}
	return m
}

// reference is the measurement as plainly as can be: every pair in float64, then a sort.
func reference(m, probes *matrix.Matrix) (scores []float64, same []bool, pairs []Pair) {
	for i := range m.Len() {
		first := 0
		if m == probes {
			first = i + 1
		}
		for j := first; j < probes.Len(); j++ {
			scores = append(scores, eval.Cosine(m.Row(i), probes.Row(j)))
			same = append(same, m.Identities[i] == probes.Identities[j])
			pairs = append(pairs, Pair{i, j, scores[len(scores)-1]})
		}
	}
	return scores, same, pairs
}

// rounding is how far float32 sums of products of unit vectors may be from float64 ones:
// some dozen roundings of partial sums below 1, half an ulp of 2^-24 each.
const rounding = 3e-6

func compare(t interface{ Errorf(string, ...any) }, got *Result, m, probes *matrix.Matrix) {
	scores, same, pairs := reference(m, probes)
	roc, err := eval.NewROC(scores, same)
	if err != nil {
		t.Errorf("reference: %v", err)
		return
	}
	if got.Genuine != roc.Genuine || got.Impostor != roc.Impostors || got.Pairs != len(scores) {
		t.Errorf("%d genuine and %d impostor pairs, want %d and %d", got.Genuine, got.Impostor, roc.Genuine, roc.Impostors)
		return
	}
	// countNear returns how many scores reach the threshold if each may be off by rounding.
	countNear := func(wanted bool, threshold float64) (low, high int) {
		for i, s := range scores {
			if same[i] != wanted {
				continue
			}
			if s >= threshold+rounding {
				low++
			}
			if s >= threshold-rounding {
				high++
			}
		}
		return low, high
	}
	for _, p := range got.OperatingPoints {
		for _, side := range []struct {
			genuine bool
			rate    eval.Rate
		}{{false, p.FAR}, {true, p.TAR}} {
			if low, high := countNear(side.genuine, p.Threshold.Score); side.rate.Count < low || side.rate.Count > high {
				t.Errorf("FAR %g: %d pairs (genuine %v) reach %v, want %d to %d", p.Target, side.rate.Count, side.genuine, p.Threshold.Score, low, high)
			}
		}
		if float64(p.FAR.Count) > p.Target*float64(got.Impostor) {
			t.Errorf("FAR %g is not kept: %d of %d", p.Target, p.FAR.Count, got.Impostor)
		}
	}
	// The bounds hold for the float32 scores; rounding may move the AUC by the share of the
	// combinations that are as close as that.
	shift := aucShift(scores, same)
	if want := roc.AUC(); want < got.AUCLow-shift || want > got.AUCHigh+shift {
		t.Errorf("AUC %v, outside of [%v, %v] by more than %v", want, got.AUCLow, got.AUCHigh, shift)
	}
	for _, list := range []struct {
		genuine bool
		pairs   []Pair
	}{{true, got.HardestGenuine}, {false, got.HardestImpostor}} {
		var want []float64
		for i, p := range pairs {
			if same[i] == list.genuine {
				want = append(want, p.Score)
			}
		}
		slices.Sort(want)
		if !list.genuine {
			slices.Reverse(want)
		}
		for k, p := range list.pairs {
			if exact := eval.Cosine(m.Row(p.A), probes.Row(p.B)); math.Abs(exact-p.Score) > rounding || (m.Identities[p.A] == probes.Identities[p.B]) != list.genuine {
				t.Errorf("hardest pair %+v: its score is %v", p, exact)
			}
			if math.Abs(p.Score-want[k]) > rounding {
				t.Errorf("hardest pair %d has score %v, want %v", k, p.Score, want[k])
			}
		}
	}
}

// aucShift is the share of (genuine, impostor) combinations closer than two roundings.
func aucShift(scores []float64, same []bool) float64 {
	var kinds [2][]float64
	for i, s := range scores {
		k := 0
		if same[i] {
			k = 1
		}
		kinds[k] = append(kinds[k], s)
	}
	slices.Sort(kinds[0])
	near := 0
	for _, g := range kinds[1] {
		low, _ := slices.BinarySearch(kinds[0], g-2*rounding)
		high, _ := slices.BinarySearch(kinds[0], g+2*rounding)
		near += high - low
	}
	return float64(near) / float64(len(kinds[0])) / float64(len(kinds[1]))
}

func TestAgainstReference(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	fars := []float64{0.5, 0.1, 0.01, 0.001}
	for _, c := range []struct{ n, ids, dim, threads int }{
		{2, 1, 3, 1}, {3, 2, 1, 1}, {33, 5, 7, 2}, {129, 12, 16, 3}, {300, 300, 33, 2}, {513, 40, 64, 4}, {260, 7, 515, 2},
	} {
		m := people(r, c.n, c.ids, c.dim, 0.8)
		got, err := Measure(context.Background(), m, Options{FARs: fars, Hardest: 7, Threads: c.threads})
		if err != nil {
			if !strings.Contains(err.Error(), "at least one of each") {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		compare(t, got, m, m)
		probes := people(r, c.n/2+1, c.ids+3, c.dim, 0.8)
		cross, err := Cross(context.Background(), m, probes, Options{FARs: fars, Hardest: 7, Threads: c.threads})
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if cross.N != c.n || cross.Probes != probes.Len() {
			t.Errorf("%d x %d", cross.N, cross.Probes)
		}
		compare(t, cross, m, probes)
	}
}

// Embeddings with few distinct values make ties, exact cosines, and pairs at both ends.
func TestTies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &matrix.Matrix{Path: "ties", Dim: rapid.IntRange(1, 5).Draw(t, "dim")}
		n := rapid.IntRange(2, 60).Draw(t, "n")
		for i := range n {
			row := rapid.SliceOfN(rapid.SampledFrom([]float32{-1, 0, 1}), m.Dim, m.Dim).Draw(t, "row")
			if slices.Max(row) == 0 && slices.Min(row) == 0 {
				row[0] = 1
			}
			m.Data = append(m.Data, row...)
			m.Names = append(m.Names, fmt.Sprint(i))
			m.Identities = append(m.Identities, fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "identity")))
		}
		got, err := Measure(context.Background(), m, Options{FARs: []float64{0.5, 0.05}, Hardest: 3, Threads: 2})
		if err != nil {
			if !strings.Contains(err.Error(), "at least one of each") {
				t.Fatal(err)
			}
			return
		}
		compare(t, got, m, m)
	})
}

// All scores equal: the AUC may be anything between 0 and 1 within one bin, and says so.
func TestIdentical(t *testing.T) {
	m := &matrix.Matrix{Path: "same", Dim: 2, Data: []float32{3, 4, 3, 4, 3, 4}, Names: []string{"a", "b", "c"}, Identities: []string{"x", "x", "y"}}
	r, err := Measure(context.Background(), m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.AUC != 0.5 || r.AUCError != 0.5 || r.Pairs != 3 || r.Genuine != 1 || r.Angles.Positive.Pairs != 1 {
		t.Errorf("%+v", r)
	}
	if r.OperatingPoints[0].Resolved {
		t.Error("2 impostor pairs are said to resolve FAR 0.1")
	}
}

// Neither threads nor the order of the rows change a bit of what is counted.
func TestThreadsAndOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	m := people(r, 700, 60, 48, 1)
	one, err := Measure(context.Background(), m, Options{Threads: 1, Hardest: 20})
	if err != nil {
		t.Fatal(err)
	}
	many, err := Measure(context.Background(), m, Options{Threads: 5, Hardest: 20})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(one.ROC, one.HardestGenuine, one.HardestImpostor) != fmt.Sprint(many.ROC, many.HardestGenuine, many.HardestImpostor) {
		t.Error("one thread and five disagree")
	}
}

func TestMistakes(t *testing.T) {
	good := people(rand.New(rand.NewPCG(5, 6)), 5, 2, 3, 1)
	nobody := *good
	nobody.Identities = slices.Clone(good.Identities)
	nobody.Identities[2] = ""
	zero := *good
	zero.Data = slices.Clone(good.Data)
	clear(zero.Data[3:6])
	alone := *good
	alone.Identities = []string{"a", "b", "c", "d", "e"}
	short := people(rand.New(rand.NewPCG(5, 6)), 5, 2, 4, 1)
	for _, c := range []struct {
		m, probes *matrix.Matrix
		far       float64
		want      string
	}{
		{&nobody, &nobody, 0.1, "row 3 (image 2) has no identity"},
		{&zero, &zero, 0.1, "row 2 (image 1): the embedding has no direction"},
		{&alone, &alone, 0.1, "0 genuine and 10 impostor pairs"},
		{good, short, 0.1, "were they made by one model?"},
		{good, good, 1, "false accept rate 1"},
	} {
		var err error
		o := Options{FARs: []float64{c.far}}
		if c.m == c.probes {
			_, err = Measure(context.Background(), c.m, o)
		} else {
			_, err = Cross(context.Background(), c.m, c.probes, o)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Measure(ctx, good, Options{}); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
}

// An edge is the smallest float32 of its bin, found here by looking at its neighbours; bins
// ascend with the score over all of [-1, 1].
func TestEdges(t *testing.T) {
	for bin := 1; bin < bins-1; bin += 97 {
		e := edge(bin)
		if got := binOf(e); got != uint32(bin) {
			t.Fatalf("the edge %v of bin %d is in bin %d", e, bin, got)
		}
		if got := binOf(math.Nextafter32(e, -2)); got != uint32(bin-1) {
			t.Fatalf("below the edge %v of bin %d is bin %d", e, bin, got)
		}
		if c := binOf(float32(centre(bin))); c != uint32(bin) {
			t.Fatalf("the centre of bin %d is in bin %d", bin, c)
		}
	}
	if low, high := binOf(-1-1e-5), binOf(1+1e-5); low > bins || high >= bins || low > high {
		t.Errorf("scores just outside [-1, 1] fall in bins %d and %d of %d", low, high, bins)
	}
}

// The tasks of a product cover every wanted pair once.
func TestTasks(t *testing.T) {
	for _, triangle := range []bool{false, true} {
		for _, n := range []int{1, 2, blockCols, blockCols + 1, 1000} {
			seen := map[[2]int]int{}
			for _, task := range tasks(n, n, triangle) {
				if task.row1-task.row0 > taskRows || task.col1-task.col0 > blockCols {
					t.Fatalf("task %+v is too large", task)
				}
				for i := task.row0; i < task.row1; i++ {
					for j := task.col0; j < task.col1; j++ {
						seen[[2]int{i, j}]++
					}
				}
			}
			for i := range n {
				for j := range n {
					if got := seen[[2]int{i, j}]; got > 1 || got == 0 && (!triangle || j > i) {
						t.Fatalf("n %d, triangle %v: pair %d, %d is in %d tasks", n, triangle, i, j, got)
					}
				}
			}
		}
	}
}

// The heap keeps what a sort of everything would put first, in whatever order pairs come.
func TestHardest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := hardest{k: rapid.IntRange(1, 10).Draw(t, "k"), genuine: rapid.Bool().Draw(t, "genuine")}
		var all []Pair
		for i := range rapid.IntRange(0, 60).Draw(t, "pairs") {
			p := Pair{A: i, B: i + 1, Score: float64(rapid.IntRange(0, 5).Draw(t, "score"))}
			all = append(all, p)
			h.offer(p)
		}
		slices.SortStableFunc(all, func(a, b Pair) int {
			if h.genuine {
				return cmp.Compare(a.Score, b.Score)
			}
			return cmp.Compare(b.Score, a.Score)
		})
		if want := all[:min(h.k, len(all))]; !slices.Equal(h.sorted(), want) {
			t.Fatalf("kept %v, want %v", h.sorted(), want)
		}
	})
}

func BenchmarkMeasure(b *testing.B) {
	m := people(rand.New(rand.NewPCG(7, 8)), 13233, 5749, 512, 2)
	b.ResetTimer()
	for range b.N {
		r, err := Measure(context.Background(), m, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(r.GFLOPS, "GFLOP/s")
		b.ReportMetric(r.AUCError, "AUC±")
	}
}
