package metric

import (
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/faceverify/fv/internal/gradcheck"
)

func near(got, want, tol float64) bool { return math.Abs(got-want) <= tol*(1+math.Abs(want)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var all = []Loss{
	Contrastive{1}, Contrastive{2}, Triplet{0.2, All}, Triplet{1, All}, Triplet{1, Hard}, Triplet{1, SemiHard}, Triplet{0.5, BatchHard},
	NPair{}, NPair{L2: 0.02}, Angular{math.Pi / 4}, Angular{0.6}, MultiSimilarity{2, 50, 0.5, 0}, MultiSimilarity{2, 50, 0.5, 0.1}, SupCon{0.1}, SupCon{0.5},
}

// batch draws embeddings and identities.
func batch(r *rand.Rand, n, dim, people int) (x []float64, labels []int) {
	for range n * dim {
		x = append(x, r.NormFloat64())
	}
	for range n {
		labels = append(labels, r.IntN(people))
	}
	return x, labels
}

func TestGradients(t *testing.T) {
	for _, l := range all {
		for seed := range uint64(4) {
			r := rand.New(rand.NewPCG(seed, 1))
			x, labels := batch(r, 9, 4, 3)
			dx := make([]float64, len(x))
			value := Batch(l, dx, x, labels)
			if value == 0 {
				t.Errorf("%s %+v: nothing to differentiate", l.Name(), l)
			}
			f := func() float64 { return Batch(l, make([]float64, len(x)), x, labels) }
			// A triplet or pair that enters within the step of 1e-5 would show; none does here.
			if d := gradcheck.Distance(dx, gradcheck.Gradient(f, x, 1e-5)); d > 1e-6 {
				t.Errorf("%s %+v: the gradient is off by %.2g of its size", l.Name(), l, d)
			}
		}
	}
}

func TestAdversarial(t *testing.T) {
	batches := map[string]struct {
		x      []float64
		labels []int
	}{
		"one":               {[]float64{1, 2}, []int{0}},
		"nothing":           {nil, nil},
		"one identity":      {[]float64{1, 2, 3, 1, -1, 1}, []int{4, 4, 4}},
		"all alone":         {[]float64{1, 2, 3, 1, -1, 1}, []int{0, 1, 2}},
		"all alike":         {[]float64{1, 2, 1, 2, 1, 2, 1, 2}, []int{0, 0, 1, 1}},
		"opposite":          {[]float64{1, 2, -1, -2, 1, 2, -1, -2}, []int{0, 0, 1, 1}},
		"zero":              {[]float64{0, 0, 0, 0, 0, 0, 1, 0}, []int{0, 0, 1, 1}},
		"short":             {[]float64{1e-6, 2e-6, 0, 1e-6, -1e-6, 0, 1e-6, 1e-6}, []int{0, 0, 1, 1}},
		"long":              {[]float64{1e6, 2e6, 0, 1e6, -1e6, 0, 1e6, 1e6}, []int{0, 0, 1, 1}},
		"nearly at a place": {[]float64{1, 0, 1, 1e-9, 1, -1e-9, 1, 1e-170}, []int{0, 0, 1, 1}},
	}
	for _, l := range all {
		for what, b := range batches {
			dx := make([]float64, len(b.x))
			for i := range dx {
				dx[i] = math.NaN()
			}
			v := Batch(l, dx, b.x, b.labels)
			for _, d := range append(dx, v) {
				if math.IsNaN(d) || math.IsInf(d, 0) {
					t.Errorf("%s %+v, %s: %v, gradient %v", l.Name(), l, what, v, dx)
					break
				}
			}
			none := what == "one" || what == "nothing"
			if none && v != 0 {
				if _, pulls := l.(NPair); !pulls {
					t.Errorf("%s %+v, %s: %v, want 0", l.Name(), l, what, v)
				}
			}
		}
	}
}

// At the edge of the margin the gradient is that of one of the sides.
func TestKinks(t *testing.T) {
	x := []float64{1, 0, 0, 1, 0, -1} // a, p and n: d(a,p) = d(a,n) = 2
	l := Triplet{0, All}
	dx := make([]float64, 6)
	if v := Batch(l, dx, x, []int{0, 0, 1}); v != 0 || slices.ContainsFunc(dx, func(d float64) bool { return d != 0 }) {
		t.Errorf("on the margin: loss %v, gradient %v", v, dx)
	}
	f := func(at float64) float64 { x[5] = at; return Batch(l, make([]float64, 6), x, []int{0, 0, 1}) }
	x[4] = 0.1
	if right := f(-1); !(right > 0) {
		t.Errorf("past the margin: loss %v", right)
	}
	c := Contrastive{math.Sqrt2} // different identities exactly at the margin
	dc := make([]float64, 4)
	if v := Batch(c, dc, []float64{1, 0, 0, 1}, []int{0, 1}); v > 1e-30 || math.Abs(dc[0])+math.Abs(dc[1]) > 1e-12 {
		t.Errorf("contrastive on the margin: loss %v, gradient %v", v, dc)
	}
}

func TestKnownValues(t *testing.T) {
	right, up, left := []float64{1, 0}, []float64{0, 1}, []float64{-1, 0}
	of := func(l Loss, labels []int, x ...[]float64) float64 {
		flat := slices.Concat(x...)
		return Batch(l, make([]float64, len(flat)), flat, labels)
	}
	tan := math.Pow(math.Tan(0.6), 2)
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"contrastive, one identity at 90°", of(Contrastive{1}, []int{0, 0}, right, up), 1},
		{"contrastive, two at one place", of(Contrastive{1}, []int{0, 1}, right, right), 0.5},
		{"contrastive, two at 90°", of(Contrastive{1}, []int{0, 1}, right, up), 0},
		{"triplet within the margin", of(Triplet{0.2, BatchHard}, []int{0, 0, 1}, right, up, right), (2.2 + 0.2) / 2},
		{"triplet satisfied", of(Triplet{0.2, All}, []int{0, 0, 1}, right, right, left), 0},
		{"n-pair", of(NPair{}, []int{0, 0, 1, 1}, right, right, up, up), math.Log1p(math.Exp(-1))},
		{"angular", of(Angular{0.6}, []int{0, 0, 1}, right, up, left), math.Log1p(math.Exp(-4 * tan))},
		{"supcon", of(SupCon{1}, []int{0, 0, 1}, right, right, left), math.Log1p(math.Exp(-2))},
		{"multi-similarity", of(MultiSimilarity{2, 50, 0.5, 0}, []int{0, 0}, right, up), math.Log1p(math.Exp(1)) / 2},
	} {
		if !near(c.got, c.want, 1e-12) {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
}

func TestMining(t *testing.T) {
	const margin = 0.2
	for _, c := range []struct {
		mining             Mining
		positive, negative float64
		want               bool
	}{
		{All, 1, 1.1, true}, {All, 1, 1.3, false}, {All, 1, 0.5, true},
		{Hard, 1, 1.1, false}, {Hard, 1, 1, true}, {Hard, 1, 0.5, true},
		{SemiHard, 1, 1.1, true}, {SemiHard, 1, 1, false}, {SemiHard, 1, 0.5, false}, {SemiHard, 1, 1.3, false},
	} {
		if got := (Triplet{margin, c.mining}).takes(c.positive, c.negative); got != c.want {
			t.Errorf("%v: positive at %v, negative at %v: %v", c.mining, c.positive, c.negative, got)
		}
	}
}

// Losses of normalised embeddings do not depend on lengths; none depends on the order of a batch, on the names of
// identities or, but for what is not normalised, on rotations; batch-hard is no less than the mean over all.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := rapid.SampledFrom(all).Draw(t, "loss")
		n, dim := rapid.IntRange(2, 10).Draw(t, "n"), rapid.IntRange(2, 6).Draw(t, "dim")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		x, labels := batch(r, n, dim, 3)
		dx := make([]float64, len(x))
		want := Batch(l, dx, x, labels)
		if want < 0 {
			t.Fatalf("%s: loss %v", l.Name(), want)
		}
		check := func(what string, x []float64, labels []int) []float64 {
			d := make([]float64, len(x))
			if v := Batch(l, d, x, labels); !near(v, want, 1e-9) {
				t.Fatalf("%s %+v, %s: loss %v, want %v", l.Name(), l, what, v, want)
			}
			return d
		}
		names := slices.Clone(labels)
		for i := range names {
			names[i] = 100 - 7*names[i]
		}
		check("other names", x, names)

		if _, firsts := l.(NPair); !firsts { // which looks at the first two
			order := r.Perm(n)
			px, pl := make([]float64, len(x)), make([]int, n)
			for i, o := range order {
				copy(px[o*dim:][:dim], x[i*dim:][:dim])
				pl[o] = labels[i]
			}
			d := check("another order", px, pl)
			for i, o := range order {
				for k := range dim {
					if !near(d[o*dim+k], dx[i*dim+k], 1e-9) {
						t.Fatalf("%s: another order gives another gradient", l.Name())
					}
				}
			}
		}
		turned := slices.Clone(x)
		sin, cos := math.Sincos(1.1)
		for i := range n {
			a, b := x[i*dim], x[i*dim+1]
			turned[i*dim], turned[i*dim+1] = cos*a-sin*b, sin*a+cos*b
		}
		check("turned", turned, labels)
		if l.Unit() {
			longer := slices.Clone(x)
			for i := range longer {
				longer[i] *= float64(1 + i/dim)
			}
			d := check("other lengths", longer, labels)
			for i := range n {
				if a := dot(dx[i*dim:][:dim], x[i*dim:][:dim]); math.Abs(a) > 1e-9 {
					t.Fatalf("%s: the gradient changes the length: %v", l.Name(), a)
				}
				for k := range dim {
					if at := i*dim + k; !near(d[at]*float64(1+i), dx[at], 1e-9) {
						t.Fatalf("%s: gradient %v of an embedding %d times as long, want %v", l.Name(), d[at], 1+i, dx[at]/float64(1+i))
					}
				}
			}
		}
	})
}

// Losses and gradients as pytorch-metric-learning has them: see scripts/golden/metric.py.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/metric.json")
	must(t, err)
	var golden struct {
		Dim        int
		Labels     []int
		X, Centers []float64
		Cases      []struct {
			Loss     string
			Settings map[string]float64
			Value    float64
			Dx       []float64
		}
	}
	must(t, json.Unmarshal(data, &golden))
	center := NewCenter(8, golden.Dim, 0.5)
	seen := map[string]bool{}
	for _, c := range golden.Cases {
		seen[c.Loss] = true
		s := c.Settings
		dx := make([]float64, len(golden.X))
		var value float64
		if c.Loss == "center" {
			center.Begin(1)
			value, err = center.Batch(dx, golden.X, golden.Labels)
			must(t, err)
			center.Commit()
		} else {
			l := map[string]Loss{
				"contrastive": Contrastive{s["margin"]}, "triplet": Triplet{s["margin"], Mining(s["mining"])}, "n-pair": NPair{},
				"angular": Angular{s["degrees"] * math.Pi / 180}, "multi-similarity": MultiSimilarity{2, 50, 0.5, s["epsilon"]}, "supcon": SupCon{s["temperature"]},
			}[c.Loss]
			value = Batch(l, dx, golden.X, golden.Labels)
		}
		tol := 1e-9 // the file has 12 digits
		if c.Loss == "center" {
			tol = 1e-7 // centres are kept in float32
		}
		if !near(value, c.Value, tol) {
			t.Errorf("%s %v: loss %v, want %v", c.Loss, s, value, c.Value)
		}
		if d := gradcheck.Distance(dx, c.Dx); d > tol {
			t.Errorf("%s %v: gradient is off by %.2g of its size", c.Loss, s, d)
		}
	}
	for _, s := range Specs() {
		if !seen[s.Name] {
			t.Errorf("there are no golden values of %s", s.Name)
		}
	}
	for i, v := range center.State()["centers"] {
		if !near(float64(v), golden.Centers[i], 1e-7) {
			t.Errorf("centre %v after two steps, want %v", v, golden.Centers[i])
		}
	}
}

func TestCenter(t *testing.T) {
	c := NewCenter(3, 2, 0.5)
	x, labels := []float64{2, 0, 4, 0, 0, 6}, []int{0, 0, 2}
	dx := make([]float64, 6)
	value, err := c.Batch(dx, x, labels)
	must(t, err)
	if want := (4 + 16 + 36) / 2.0 / 3; !near(value, want, 1e-12) || !near(dx[0], 2.0/3, 1e-12) || !near(dx[5], 2, 1e-12) {
		t.Errorf("loss %v, want %v; gradient %v", value, want, dx)
	}
	f := func() float64 { v, err := c.Batch(make([]float64, 6), x, labels); must(t, err); return v }
	if d := gradcheck.Distance(dx, gradcheck.Gradient(f, x, 1e-4)); d > 1e-9 {
		t.Errorf("gradient %v is off by %v", dx, d)
	}
	c.Begin(1) // drops all that
	if got := c.State()["centers"]; slices.ContainsFunc(got, func(v float32) bool { return v != 0 }) {
		t.Errorf("centres %v moved before a step was accepted", got)
	}
	f()
	c.Commit()
	// c_0 = 0 - 0.5 (-(2+4))/(1+2), c_2 = 0 - 0.5 (-6)/(1+1)
	if got, want := c.State()["centers"], []float32{1, 0, 0, 0, 0, 1.5}; !slices.Equal(got, want) {
		t.Errorf("centres %v, want %v", got, want)
	}
	again := NewCenter(3, 2, 0.5)
	must(t, again.SetState(c.State()))
	if a, b := f(), again.State()["centers"][5]; b != 1.5 || a == 0 {
		t.Errorf("restored centre %v", b)
	}
	for _, bad := range []map[string][]float32{nil, {"centers": {1}}, {"centers": {1, 2, 3, 4, 5, float32(math.NaN())}}, {"centres": make([]float32, 6)}} {
		if again.SetState(bad) == nil {
			t.Errorf("state %v is taken", bad)
		}
	}
	if _, err := c.Batch(dx, x, []int{0, 1, 3}); err == nil || !strings.Contains(err.Error(), "label 3 of sample 2 is not one of 3 classes") {
		t.Errorf("error %v", err)
	}
}

func TestNodes(t *testing.T) {
	const n, dim = 8, 3
	r := rand.New(rand.NewPCG(5, 6))
	x, labels := batch(r, n, dim, 3)
	x32 := make([]float32, len(x))
	for i := range x {
		x32[i] = float32(x[i])
		x[i] = float64(x32[i])
	}
	check := func(name string, build func(x, labels *gorgonia.Node) (*gorgonia.Node, error), want func(dx []float64) float64) {
		g := gorgonia.NewGraph()
		node := func(name string, data any, shape ...int) *gorgonia.Node {
			v := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
			return gorgonia.NewTensor(g, v.Dtype(), len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name), gorgonia.WithValue(v))
		}
		in := node("x", x32, n, dim)
		loss, err := build(in, node("labels", labels, n))
		must(t, err)
		grads, err := gorgonia.Grad(loss, in)
		must(t, err)
		m := gorgonia.NewTapeMachine(g)
		defer m.Close()
		must(t, m.RunAll())
		dx := make([]float64, len(x))
		value := want(dx)
		if got := float64(loss.Value().Data().(float32)); !near(got, value, 1e-6) {
			t.Errorf("%s: node %v, function %v", name, got, value)
		}
		if d := gradcheck.Distance(grads[0].Value().Data().([]float32), dx); d > 1e-6 {
			t.Errorf("%s: gradient of the node is off by %v", name, d)
		}
	}
	for _, l := range all {
		check(l.Name(), func(x, labels *gorgonia.Node) (*gorgonia.Node, error) { return Node(l, x, labels) },
			func(dx []float64) float64 { return Batch(l, dx, x, labels) })
	}
	c := NewCenter(3, dim, 0.5)
	check("center", c.Node, func(dx []float64) float64 { v, err := c.Batch(dx, x, labels); must(t, err); return v })
	if _, err := Node(SupCon{}, nil, nil); err == nil {
		t.Error("a node of a loss that cannot be")
	}
	if _, err := Node(SupCon{1}, nil, nil); err == nil {
		t.Error("a node of no embeddings")
	}
	if _, err := c.Node(nil, nil); err == nil {
		t.Error("a node of no embeddings")
	}
}

func TestMistakes(t *testing.T) {
	for want, l := range map[string]Loss{
		"contrastive: margin is 0":                Contrastive{},
		"contrastive: margin is 3":                Contrastive{3},
		"triplet: margin is -1":                   Triplet{Margin: -1},
		"there is no mining Mining(9)":            Triplet{Mining: 9},
		"n-pair: l2 is NaN":                       NPair{math.NaN()},
		"angular: alpha is 0":                     Angular{},
		"multi-similarity: beta is 0":             MultiSimilarity{Alpha: 1},
		"multi-similarity: epsilon is -1":         MultiSimilarity{1, 1, 0, -1},
		"supcon: temperature is 0, want a number": SupCon{},
	} {
		if err := l.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
	for _, l := range all {
		must(t, l.Validate())
	}
	names := map[string]bool{"center": true}
	for _, l := range all {
		names[l.Name()] = true
	}
	var described []string
	for _, s := range Specs() {
		described = append(described, s.Name)
		if s.Title == "" || s.Equation == "" || s.Paper == "" || !strings.Contains(s.String(), s.Equation) {
			t.Errorf("%+v is not described", s)
		}
	}
	if want := slices.Sorted(maps.Keys(names)); !slices.Equal(described, want) {
		t.Errorf("described are %v, there are %v", described, want)
	}
}
