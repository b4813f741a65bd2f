package eval

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/faceverify/fv/internal/random"
)

// goldenErrors is eval/testdata/errors.json, written by scripts/golden/eval.py.
type goldenErrors struct {
	Genuine      []float64            `json:"genuine"`
	Impostor     []float64            `json:"impostor"`
	AUC          float64              `json:"auc"`
	EERLow       float64              `json:"pyeer_eer_low"`
	EERHigh      float64              `json:"pyeer_eer_high"`
	Decidability float64              `json:"pyeer_decidability"`
	FMR100       float64              `json:"pyeer_fmr100"`
	FMR20        float64              `json:"pyeer_fmr20"`
	ZeroFMR      float64              `json:"pyeer_zero_fmr"`
	Thresholds   []float64            `json:"thresholds"`
	FMR          []float64            `json:"fmr"`
	FNMR         []float64            `json:"fnmr"`
	Quantiles    map[string][]float64 `json:"quantiles"`
}

func TestErrorsAgainstPyEER(t *testing.T) {
	text, err := os.ReadFile("testdata/errors.json")
	if err != nil {
		t.Fatal(err)
	}
	var g goldenErrors
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	scores := slices.Concat(g.Genuine, g.Impostor)
	same := append(slices.Repeat([]bool{true}, len(g.Genuine)), make([]bool, len(g.Impostor))...)
	roc, err := NewROC(scores, same)
	if err != nil {
		t.Fatal(err)
	}
	eer := roc.EER()
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"AUC", roc.AUC(), g.AUC},
		{"EER", eer.Value, (g.EERLow + g.EERHigh) / 2},
		{"d'", DPrime(scores, same), g.Decidability},
		{"FNMR at FMR 1 %", 1 - roc.AtFAR(0.01).TAR.Value, g.FMR100},
		{"FNMR at FMR 5 %", 1 - roc.AtFAR(0.05).TAR.Value, g.FMR20},
		{"ZeroFMR", roc.ZeroFMR().FNMR.Value, g.ZeroFMR},
	} {
		if math.Abs(c.got-c.want) > 1e-12 {
			t.Errorf("%s %v, Python %v", c.name, c.got, c.want)
		}
	}
	at := map[float64]Point{}
	for _, p := range roc.Points {
		at[p.Threshold] = p
	}
	for i, threshold := range g.Thresholds {
		p, ok := at[threshold]
		if !ok {
			t.Fatalf("no point at %v", threshold)
		}
		if math.Abs(roc.FAR(p)-g.FMR[i]) > 1e-12 || math.Abs(1-roc.TAR(p)-g.FNMR[i]) > 1e-12 {
			t.Fatalf("at %v: FMR %v FNMR %v, pyeer %v and %v", threshold, roc.FAR(p), 1-roc.TAR(p), g.FMR[i], g.FNMR[i])
		}
	}
	angles := NewAngles(scores, same)
	for name, side := range map[string]AngleSide{"positive": angles.Positive, "negative": angles.Negative} {
		if len(side.Quantiles) != len(g.Quantiles[name]) {
			t.Fatalf("%d quantiles", len(side.Quantiles))
		}
		for i, q := range side.Quantiles {
			if math.Abs(q.Angle-g.Quantiles[name][i]) > 1e-12 {
				t.Errorf("%s angles: quantile %v is %v, numpy %v", name, q.P, q.Angle, g.Quantiles[name][i])
			}
		}
	}
}

// people returns pairs of n people with the given scores; labels follow from the people.
func drawPeople(t *rapid.T) ([]float64, *Pairs) {
	n := rapid.IntRange(2, 6).Draw(t, "people")
	pairs := &Pairs{Name: "drawn", Folds: 1}
	var scores []float64
	for i := range rapid.IntRange(2, 40).Draw(t, "pairs") {
		a, b := rapid.IntRange(0, n-1).Draw(t, "a"), rapid.IntRange(0, n-1).Draw(t, "b")
		pairs.Pairs = append(pairs.Pairs, Pair{A: fmt.Sprintf("p%d/%d", a, i), B: fmt.Sprintf("p%d/x%d", b, i), Same: a == b})
		scores = append(scores, float64(rapid.IntRange(0, 5).Draw(t, "score"))/5)
	}
	return scores, pairs
}

// A replicate of the bootstrap is the curve of the list in which each pair stands as often as its
// people were drawn.
func TestBootstrap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores, pairs := drawPeople(t)
		const seed, n = 7, 5
		b, err := newBootstrap(pairs, seed)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		got := map[int]string{}
		b.Run(n, scores, func(k int, r *ROC) {
			mu.Lock()
			defer mu.Unlock()
			got[k] = fmt.Sprint(r.Genuine, r.Impostors, r.AUC(), r.EER().Value, r.TAR(r.PointAtFAR(0.3)))
		})
		number := map[string]int{}
		for _, p := range pairs.Pairs {
			for _, image := range []string{p.A, p.B} {
				if _, ok := number[pairs.identity(image)]; !ok {
					number[pairs.identity(image)] = len(number)
				}
			}
		}
		for k := range n {
			drawn := make([]int, len(number))
			draw := random.New(seed, random.Bootstrap, 0, k)
			for range drawn {
				drawn[draw.IntN(len(drawn))]++
			}
			var list []float64
			var same []bool
			for i, p := range pairs.Pairs {
				times := drawn[number[pairs.identity(p.A)]]
				if !p.Same {
					times *= drawn[number[pairs.identity(p.B)]]
				}
				for range times {
					list, same = append(list, scores[i]), append(same, p.Same)
				}
			}
			want := ""
			if r, err := NewROC(list, same); err == nil {
				want = fmt.Sprint(r.Genuine, r.Impostors, r.AUC(), r.EER().Value, r.TAR(r.PointAtFAR(0.3)))
			}
			if got[k] != want {
				t.Fatalf("replicate %d: %q, of the list %q", k, got[k], want)
			}
		}
	})
}

// Where nothing says who is who, or the labels contradict it, there are no intervals.
func TestBootstrapNeedsIdentities(t *testing.T) {
	for _, c := range []struct {
		Pair
		want string
	}{
		{Pair{A: "1.jpg", B: "2.jpg", Same: true}, "do not say who they show"},
		{Pair{A: "a/1.jpg", B: "b/2.jpg", Same: true}, "the pair a/1.jpg b/2.jpg is labelled one person, which"},
		{Pair{A: "a/1.jpg", B: "a/2.jpg"}, "the pair a/1.jpg a/2.jpg is labelled two people, which"},
	} {
		if _, err := newBootstrap(&Pairs{Pairs: []Pair{c.Pair}, Folds: 1}, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.Pair, err, c.want)
		}
	}
	known := &Pairs{Pairs: []Pair{{A: "1.jpg", B: "2.jpg", Same: true}}, Folds: 1, Identities: map[string]string{"1.jpg": "Ada", "2.jpg": "Ada"}}
	if _, err := newBootstrap(known, 1); err != nil {
		t.Errorf("identities that are given are not taken: %v", err)
	}
}

// Of too few people there are no intervals, whichever kind of pair lacks them, and the result says why.
func TestBootstrapNeedsPeople(t *testing.T) {
	for _, c := range []struct {
		genuine, impostor int // people that each kind of pair shows
		want              string
	}{
		{MinIdentities, MinIdentities, ""},
		{2, 2, "the impostor pairs show 2 people; a bootstrap that draws people needs 10"},
		{MinIdentities - 1, 40, "the genuine pairs show 9 people"},
		{40, MinIdentities - 1, "the impostor pairs show 9 people"},
	} {
		pairs := &Pairs{Name: "few", Folds: 1}
		var scores []float64
		for i := range c.genuine {
			pairs.Pairs = append(pairs.Pairs, Pair{A: fmt.Sprintf("p%d/1", i), B: fmt.Sprintf("p%d/2", i), Same: true})
			scores = append(scores, float64(5+i%3)/10)
		}
		for i := range c.impostor {
			pairs.Pairs = append(pairs.Pairs, Pair{A: fmt.Sprintf("p%d/1", i), B: fmt.Sprintf("p%d/1", (i+1)%c.impostor)})
			scores = append(scores, float64(i%6)/10)
		}
		r, err := Evaluate(scores, pairs, Options{Bootstrap: 50, Protocols: []string{OpenSphere}})
		if err != nil {
			t.Fatal(err)
		}
		if (r.Intervals == nil) != (c.want != "") || !strings.HasPrefix(r.NoIntervals, c.want) || (r.NoIntervals == "") != (c.want == "") {
			t.Errorf("%d and %d people: intervals %+v, %q; want %q", c.genuine, c.impostor, r.Intervals, r.NoIntervals, c.want)
		}
		var page strings.Builder
		if err := Report(&page, ReportOptions{Title: "t", Results: []NamedResult{{Name: "r", Result: r}}}); err != nil {
			t.Fatal(err)
		}
		if said := strings.Contains(page.String(), "no intervals here that allow for it"); said != (c.want != "") {
			t.Errorf("%d and %d people: the report says so: %v", c.genuine, c.impostor, said)
		}
	}
	if r, err := Evaluate([]float64{1, 0}, &Pairs{Pairs: []Pair{{Same: true}, {}}, Folds: 1}, Options{Protocols: []string{OpenSphere}}); err != nil || r.NoIntervals != "" {
		t.Errorf("no bootstrap was asked for: %v, %q", err, r.NoIntervals)
	}
}

// Intervals of many people hold the value measured, and shrink as there are more.
func TestIntervals(t *testing.T) {
	width := func(people int) float64 {
		r := rand.New(rand.NewPCG(9, 9))
		pairs := &Pairs{Name: "people", Folds: 10}
		var scores []float64
		for i := range 10 * people {
			a := i % people
			b := a
			if i%2 == 1 {
				b = (a + 1 + r.IntN(people-1)) % people
			}
			mean := 0.1
			if a == b {
				mean = 0.5
			}
			pairs.Pairs = append(pairs.Pairs, Pair{A: fmt.Sprintf("p%d/a%d", a, i), B: fmt.Sprintf("p%d/b%d", b, i), Same: a == b, Fold: i * 10 / (10 * people)})
			scores = append(scores, mean+0.2*r.NormFloat64())
		}
		result, err := Evaluate(scores, pairs, Options{Bootstrap: 300, FARs: []float64{0.1}})
		if err != nil {
			t.Fatal(err)
		}
		in := result.Intervals
		if in == nil || in.Replicates != 300 || in.Identities != people || len(in.TAR) != 1 {
			t.Fatalf("intervals %+v", in)
		}
		if result.AUC < in.AUC.Low || result.AUC > in.AUC.High || result.EER.Value < in.EER.Low || result.EER.Value > in.EER.High {
			t.Errorf("AUC %v and EER %v lie outside of %+v", result.AUC, result.EER.Value, in)
		}
		return in.AUC.High - in.AUC.Low
	}
	if few, many := width(20), width(320); many > few/2 {
		t.Errorf("16 times the people: the width went from %v to %v, want about a quarter", few, many)
	}
}

func TestPercentileRange(t *testing.T) {
	var values []float64
	for i := range 41 {
		values = append(values, float64(40-i), math.NaN())
	}
	if got := PercentileRange(values); got != (Range{1, 39}) {
		t.Errorf("got %v", got)
	}
	if got := PercentileRange(nil); !math.IsNaN(got.Low) {
		t.Errorf("of nothing: %v", got)
	}
}

// The bound holds for any scores that the bins may stand for.
func TestAUCError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 50).Draw(t, "n")
		scores, binned, same := make([]float64, n), make([]float64, n), make([]bool, n)
		same[0] = true
		for i := range n {
			scores[i] = rapid.Float64Range(0, 1).Draw(t, "score")
			binned[i] = math.Floor(8 * scores[i])
			if i > 1 {
				same[i] = rapid.Bool().Draw(t, "same")
			}
		}
		exact, err := NewROC(scores, same)
		if err != nil {
			t.Fatal(err)
		}
		bins, err := NewROC(binned, same)
		if err != nil {
			t.Fatal(err)
		}
		if d := math.Abs(exact.AUC() - bins.AUC()); d > bins.AUCError()+1e-15 {
			t.Fatalf("AUC %v, of bins %v ± %v", exact.AUC(), bins.AUC(), bins.AUCError())
		}
	})
}

// Counts whose products do not fit in 64 bits.
func TestManyPairs(t *testing.T) {
	const genuine, impostors = 3_000_000_000, 500_000_000_000
	r := &ROC{Genuine: genuine, Impostors: impostors, Points: []Point{
		{math.Inf(1), 0, 0}, {0.5, genuine / 2, 0}, {0.4, genuine / 4 * 3, impostors / 4}, {0.1, genuine, impostors},
	}}
	// 1/2 * 1 + 1/4 * (3/4 + 1/4 / 2) + 1/4 * (3/4 / 2)
	if got, want := r.AUC(), 0.5+0.25*(0.75+0.125)+0.25*0.375; got != want {
		t.Errorf("AUC %v, want %v", got, want)
	}
	if got := r.EER(); got.Value != 0.25 || got.Point.Threshold != 0.4 {
		t.Errorf("EER %+v", got)
	}
	if got, want := r.AUCError(), (0.25*0.25+0.25*0.75)/2; got != want {
		t.Errorf("error %v, want %v", got, want)
	}
}

func TestWide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) int { return rapid.IntRange(0, math.MaxInt).Draw(t, name) }
		a, b, c, d := draw("a"), draw("b"), draw("c"), draw("d")
		big2 := func(a, b int) *big.Int { return new(big.Int).Mul(big.NewInt(int64(a)), big.NewInt(int64(b))) }
		x, y := product(a, b), product(c, d)
		if x.big().Cmp(big2(a, b)) != 0 || x.plus(y).big().Cmp(new(big.Int).Add(big2(a, b), big2(c, d))) != 0 {
			t.Fatal("product or sum")
		}
		difference := new(big.Int).Sub(big2(a, b), big2(c, d))
		if x.distance(y).big().Cmp(difference.Abs(difference)) != 0 || x.less(y) != (big2(a, b).Cmp(big2(c, d)) < 0) {
			t.Fatal("distance or order")
		}
	})
}

// Counted cosines have the angles of the same cosines listed.
func TestBinnedAngles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var cosines, list []float64
		var genuine, impostor []int
		var same []bool
		for i := range rapid.IntRange(1, 12).Draw(t, "bins") {
			c := -0.9 + 0.15*float64(i)
			g, n := rapid.IntRange(0, 4).Draw(t, "genuine"), rapid.IntRange(0, 4).Draw(t, "impostor")
			cosines, genuine, impostor = append(cosines, c), append(genuine, g), append(impostor, n)
			for k := range g + n {
				list, same = append(list, c), append(same, k < g)
			}
		}
		got, want := BinnedAngles(cosines, genuine, impostor), NewAngles(list, same)
		for _, s := range [][2]AngleSide{{got.Positive, want.Positive}, {got.Negative, want.Negative}} {
			if s[0].Pairs != s[1].Pairs || math.Abs(s[0].Mean-s[1].Mean) > 1e-12 || math.Abs(s[0].Std-s[1].Std) > 1e-7 ||
				s[0].Mode != s[1].Mode || fmt.Sprint(s[0].Quantiles) != fmt.Sprint(s[1].Quantiles) {
				t.Fatalf("got %+v, want %+v", s[0], s[1])
			}
		}
		if math.Abs(got.Overlap-want.Overlap) > 1e-12 {
			t.Fatalf("overlap %v, want %v", got.Overlap, want.Overlap)
		}
	})
}

// Two classes whose means and angles can be seen.
func TestAngularFisher(t *testing.T) {
	s, c := math.Sincos(0.1)
	// Class a at ±0.1 rad from the x axis, class b at ±0.1 from the y axis: means on the axes, the
	// mean of all between them.
	x := []float32{float32(c), float32(s), 5 * float32(c), -5 * float32(s), float32(s), float32(c), float32(-s), float32(c)}
	got, err := AngularFisher(x, 2, []string{"a", "a", "b", "b"})
	want := 4 * (1 - c) / (4 * (1 - math.Sqrt2/2))
	if err != nil || math.Abs(got-want) > 1e-7 {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, c := range []struct {
		x       []float32
		classes []string
		want    string
	}{
		{[]float32{1, 0, -1, 0}, []string{"a", "b"}, "mean of all"},
		{[]float32{1, 0, -1, 0, 0, 1}, []string{"a", "a", "b"}, "embeddings of a"},
		{[]float32{1, 0, 2, 0}, []string{"a", "b"}, "same mean direction"},
		{[]float32{0, 0, 2, 0}, []string{"a", "b"}, "embedding 1 has no direction"},
	} {
		if _, err := AngularFisher(c.x, 2, c.classes); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want one with %q", c.x, err, c.want)
		}
	}
}

// A failure to acquire counts as a refusal: FRR = FtA + FNMR (1-FtA), FAR = FMR (1-FtA).
func TestAcquisition(t *testing.T) {
	points := []OperatingPoint{{FAR: NewRate(10, 900), TAR: NewRate(72, 80)}}
	a := Acquisition{Genuine: NewRate(20, 100), Impostor: NewRate(100, 1000)}
	a.carry(points)
	p := points[0]
	if far := p.FAR.Value * (1 - 0.1); math.Abs(p.SystemFAR.Value-far) > 1e-15 {
		t.Errorf("FAR %v, want %v", p.SystemFAR.Value, far)
	}
	if frr := 0.2 + (1-p.TAR.Value)*(1-0.2); math.Abs(p.SystemFRR.Value-frr) > 1e-15 {
		t.Errorf("FRR %v, want %v", p.SystemFRR.Value, frr)
	}
}

func TestPairLists(t *testing.T) {
	for _, text := range []string{
		"a,b,label\nx/1.jpg,x/2.jpg,1\nx/1.jpg,y/1.jpg,0\n",
		"\ufefflabel;B;A\r\ntrue;x/2.jpg;x/1.jpg\r\n\r\nFalse;y/1.jpg;x/1.jpg\r\n",
		"x/1.jpg x/2.jpg 1\nx/1.jpg\ty/1.jpg 0\n",
		"x/1.jpg\tx/2.jpg\t1\nx\\1.jpg\t./y/1.jpg\t0\n",
		"\"x/1.jpg\", x/2.jpg, 1\nx/1.jpg, y/1.jpg, 0",
	} {
		p, err := ParsePairs(strings.NewReader(text), "list")
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if len(p.Pairs) != 2 || p.Pairs[0].A != "x/1.jpg" || p.Pairs[0].B != "x/2.jpg" || !p.Pairs[0].Same || p.Pairs[1].B != "y/1.jpg" || p.Pairs[1].Same || p.Folds != 1 {
			t.Errorf("%q: %+v", text, p)
		}
	}
	p, err := ParsePairs(strings.NewReader("a,b,label,fold\nx/1,x/2,1,2\nx/1,y/1,0,1\n"), "list")
	if err != nil || p.Folds != 2 || p.Pairs[0].Fold != 1 || p.Pairs[1].Fold != 0 {
		t.Errorf("folds: %+v, %v", p, err)
	}
	for text, want := range map[string]string{
		"a,b,label\nx,y,2\n":             `list:2: label "2": want 1`,
		"x y 1\nx y\n":                   "list:2: 2 fields; want lines",
		"a,b,label\n\nx,x,1\n":           "list:3: pairs x with itself",
		"a,b,label\nx,,1\n":              "list:2: an image has no name",
		"a,b,label\n":                    "list: no pairs",
		"a,b,label,fold\nx,y,1,0\n":      `list:2: fold "0": want a number from 1`,
		"a,b,label\n\"x,y,1\n":           "list: ",
		"a,b,label\nx,\xff\xfe.jpg,1\n":  "list:2: not UTF-8",
		"x y maybe\n":                    "list:1: header",
		"Ada 1 1\nAda 1 2\n":             "list:1: header", // LFW's, without a header
		"x y 1\n" + "\xff\xfe\xfd z 1\n": "list:2: not UTF-8",
	} {
		if _, err := ParsePairs(strings.NewReader(text), "list"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
}

func FuzzPairList(f *testing.F) {
	f.Add("a,b,label\nx/1.jpg,x/2.jpg,1\n")
	f.Add("x y 1\ny z 0\n")
	f.Add("label;a;b;fold\n1;x;y;3\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePairs(strings.NewReader(text), "f")
		if err != nil {
			return
		}
		if len(p.Pairs) == 0 || p.Folds < 1 {
			t.Fatalf("%d pairs in %d folds without an error", len(p.Pairs), p.Folds)
		}
		for _, pair := range p.Pairs {
			if pair.A == "" || pair.B == "" || pair.A == pair.B || pair.Fold < 0 || pair.Fold >= p.Folds {
				t.Fatalf("pair %+v of %d folds", pair, p.Folds)
			}
		}
	})
}
