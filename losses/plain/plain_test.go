package plain

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/faceverify/fv/internal/gradcheck"
)

func near(got, want, tol float64) bool { return math.Abs(got-want) <= tol*(1+math.Abs(want)) }

var elementwise = []Elementwise{
	L1{}, L2{}, MSE{}, Huber{1}, Huber{0.3}, BCE{}, MultiLabel{},
	Focal{Gamma: 0}, Focal{Gamma: 0.5}, Focal{Gamma: 2, Alpha: 0.25}, Focal{Gamma: 5},
}

var classwise = []Classwise{
	CrossEntropy{}, CrossEntropy{Smoothing: 0.1}, CrossEntropy{Smoothing: 1}, CrossEntropy{Weights: []float64{1, 2, 0, 0.5}},
	CrossEntropy{Smoothing: 0.3, Weights: []float64{1, 2, 0, 0.5}},
	FocalSoftmax{}, FocalSoftmax{Gamma: 0.5}, FocalSoftmax{Gamma: 2, Weights: []float64{1, 2, 0, 0.5}}, FocalSoftmax{Gamma: 5},
}

func TestDerivatives(t *testing.T) {
	for _, l := range elementwise {
		for _, x := range []float64{0.05, 0.2, 0.45, 0.8, 0.97, -3, 2.5, 12, -12} {
			if _, ok := l.(BCE); ok && (x < 0 || x > 1) {
				continue
			}
			for _, target := range []float64{0, 1} {
				_, d := l.At(x, target)
				want := gradcheck.Derivative(func(x float64) float64 { v, _ := l.At(x, target); return v }, x, 1e-4)
				if !near(d, want, 1e-6) {
					t.Errorf("%s %+v at x = %v, t = %v: derivative %v, numerically %v", l.Name(), l, x, target, d, want)
				}
			}
		}
	}
}

// At kinks the derivative is one of the two, or between them.
func TestKinks(t *testing.T) {
	for _, c := range []struct {
		l Elementwise
		x float64
	}{{L1{}, 0}, {Huber{1}, 1}, {Huber{1}, -1}, {Huber{0.3}, 0.3}} {
		_, d := c.l.At(c.x, 0)
		value := func(x float64) float64 { v, _ := c.l.At(x, 0); return v }
		left, right := gradcheck.OneSided(value, c.x, -1e-4), gradcheck.OneSided(value, c.x, 1e-4)
		if !(d >= left-1e-6 && d <= right+1e-6) {
			t.Errorf("%s at %v: derivative %v, numerically %v to the left and %v to the right", c.l.Name(), c.x, d, left, right)
		}
	}
}

func TestGradients(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, l := range classwise {
		for _, n := range []int{1, 5} {
			z, dz := make([]float64, 4*n), make([]float64, 4*n)
			labels := make([]int, n)
			for i := range z {
				z[i] = 3 * r.NormFloat64()
				labels[i/4] = i % 3
			}
			f := func() float64 { v, err := l.Batch(make([]float64, len(z)), z, labels); must(t, err); return v }
			_, err := l.Batch(dz, z, labels)
			must(t, err)
			want := gradcheck.Gradient(f, z, 1e-4)
			for i := range dz {
				if !near(dz[i], want[i], 1e-8) {
					t.Errorf("%s %+v: gradient %v, numerically %v", l.Name(), l, dz, want)
					break
				}
			}
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Nothing but what is not finite before gives what is not finite.
func TestAdversarial(t *testing.T) {
	finite := func(v ...float64) bool {
		for _, v := range v {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return false
			}
		}
		return true
	}
	for _, l := range elementwise {
		for _, x := range []float64{0, 1, 1e-300, 1 - 1e-16, 1e-6, 1e6, -1e6, 700, -700, 800, -800} {
			if _, ok := l.(BCE); ok && (x < 0 || x > 1) {
				continue
			}
			for _, target := range []float64{0, 1} {
				if v, d := l.At(x, target); !finite(v, d) {
					t.Errorf("%s %+v at x = %v, t = %v: %v, derivative %v", l.Name(), l, x, target, v, d)
				}
			}
		}
	}
	for _, l := range classwise {
		for _, z := range [][]float64{{0, 0, 0, 0}, {1e6, -1e6, 0, 0}, {-1e6, 1e6, 1e6, 1e6}, {800, 0, 0, 0}, {1e-6, 0, 0, 0}} {
			for y := range 4 {
				dz := make([]float64, 4)
				v, err := l.Batch(dz, z, []int{y})
				if err != nil || !finite(v) || !finite(dz...) {
					t.Errorf("%s %+v of %v, class %d: %v, gradient %v, error %v", l.Name(), l, z, y, v, dz, err)
				}
			}
		}
	}
	for _, l := range []Classwise{CrossEntropy{}, FocalSoftmax{Gamma: 2}} { // one class, and no sample
		dz := []float64{5}
		if v, err := l.Batch(dz, []float64{3}, []int{0}); v != 0 || dz[0] != 0 || err != nil {
			t.Errorf("%s of one class: %v, gradient %v, %v", l.Name(), v, dz, err)
		}
		if v, err := l.Batch(nil, nil, nil); v != 0 || err != nil {
			t.Errorf("%s of nothing: %v, %v", l.Name(), v, err)
		}
	}
	if v := Mean(L2{}, nil, nil, nil); v != 0 {
		t.Errorf("a mean of nothing is %v", v)
	}
}

func TestKnownValues(t *testing.T) {
	at := func(l Elementwise, x, target float64) (v, d float64) { return l.At(x, target) }
	value := func(v, _ float64) float64 { return v }
	slope := func(_, d float64) float64 { return d }
	logit := math.Log(0.1 / 0.9) // of a probability of 0.1
	_, dBCE := BCE{}.At(0.1, 1)
	_, dMSE := MSE{}.At(0.1, 1)
	const toSigmoid = 0.1 * 0.9
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"L1", value(at(L1{}, 3, 1)), 2},
		{"L2", value(at(L2{}, 3, 1)), 2},
		{"MSE", value(at(MSE{}, 3, 1)), 4},
		{"Huber near", value(at(Huber{1}, 0.5, 0)), 0.125},
		{"Huber far", value(at(Huber{1}, -3, 0)), 2.5},
		{"|dMSE/dŷ| at ŷ = 0.1, y = 1", -dMSE, 1.8},
		{"|dBCE/dŷ| at ŷ = 0.1, y = 1", -dBCE, 10},
		{"|dMSE/dŷ| at ŷ = 0.9, y = 0", slope(at(MSE{}, 0.9, 0)), 1.8},
		{"|dBCE/dŷ| at ŷ = 0.9, y = 0", slope(at(BCE{}, 0.9, 0)), 10},
		{"|dMSE/ds| through the sigmoid", -dMSE * toSigmoid, 0.162},
		{"|dBCE/ds| through the sigmoid", -dBCE * toSigmoid, 0.9},
		{"|dBCE/ds| of the logit", -slope(at(MultiLabel{}, logit, 1)), 0.9},
		{"BCE of 0 against 1", value(at(BCE{}, 0, 1)), 100},
		{"focal, γ = 2, p = 0.1", value(at(Focal{Gamma: 2}, logit, 1)), -0.81 * math.Log(0.1)},
		{"focal, γ = 2, α = 0.25, p = 0.1", value(at(Focal{Gamma: 2, Alpha: 0.25}, logit, 1)), -0.25 * 0.81 * math.Log(0.1)},
	} {
		if !near(c.got, c.want, 1e-12) {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
}

func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, classes := rapid.IntRange(1, 6).Draw(t, "n"), rapid.IntRange(2, 7).Draw(t, "classes")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		z, labels := make([]float64, n*classes), make([]int, n)
		for i := range z {
			z[i] = 5 * r.NormFloat64()
		}
		for i := range labels {
			labels[i] = r.IntN(classes)
		}
		batch := func(l Classwise, z []float64) (float64, []float64) {
			d := make([]float64, len(z))
			v, err := l.Batch(d, z, labels)
			if err != nil {
				t.Fatal(err)
			}
			return v, d
		}
		v, d := batch(CrossEntropy{}, z)

		// dCE/ds_p = softmax_p - 1, dCE/ds_n = softmax_n: they sum to 0.
		smoothed, ds := batch(CrossEntropy{Smoothing: rapid.Float64Range(0, 1).Draw(t, "ε")}, z)
		_, df := batch(FocalSoftmax{Gamma: rapid.Float64Range(0, 5).Draw(t, "γ")}, z)
		for i, y := range labels {
			var sums [3]float64
			lse := logSumExp(z[i*classes:][:classes])
			for j := range classes {
				at := i*classes + j
				want := math.Exp(z[at] - lse)
				if j == y {
					want--
				}
				if !near(d[at], want/float64(n), 1e-12) {
					t.Fatalf("gradient %v, want %v", d[at], want/float64(n))
				}
				sums[0], sums[1], sums[2] = sums[0]+d[at], sums[1]+ds[at], sums[2]+df[at]
			}
			for k, s := range sums {
				if math.Abs(s) > 1e-12 {
					t.Fatalf("gradients of loss %d sum to %v", k, s)
				}
			}
		}
		if smoothed < 0 {
			t.Fatalf("smoothed loss %v", smoothed)
		}

		// γ = 0 is the cross-entropy; equal weights are none.
		if f, df := batch(FocalSoftmax{}, z); !near(f, v, 1e-12) || !near(df[0], d[0], 1e-12) {
			t.Fatalf("focal with γ = 0: %v; cross-entropy: %v", f, v)
		}
		w := make([]float64, classes)
		for j := range w {
			w[j] = 3
		}
		if u, _ := batch(CrossEntropy{Weights: w}, z); !near(u, v, 1e-12) {
			t.Fatalf("equal weights: %v, want %v", u, v)
		}
		x, target := z[0], float64(labels[0]%2)
		bce, _ := MultiLabel{}.At(x, target)
		focal, _ := Focal{}.At(x, target)
		p, _ := BCE{}.At(sigmoid(x), target)
		if !near(focal, bce, 1e-12) || !near(p, bce, 1e-6) {
			t.Fatalf("focal with γ = 0 %v, BCE %v of the probability, %v of the logit", focal, p, bce)
		}
		// A larger γ never counts more.
		if more, _ := (Focal{Gamma: 2}).At(x, target); more > focal+1e-12 {
			t.Fatalf("focal %v with γ = 2, %v with 0", more, focal)
		}
	})
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{Huber{}.Validate(), "delta is 0"},
		{Focal{Gamma: -1}.Validate(), "gamma is -1"},
		{Focal{Alpha: 2}.Validate(), "alpha is 2"},
		{CrossEntropy{Smoothing: -0.1}.Validate(), "smoothing is -0.1"},
		{CrossEntropy{Weights: []float64{1, -1}}.Validate(), "weight of class 1 is -1"},
		{FocalSoftmax{Gamma: math.NaN()}.Validate(), "gamma is NaN"},
		{batchError(CrossEntropy{}, 3), "label 3 of sample 0 is not one of 3 classes"},
		{batchError(FocalSoftmax{}, -1), "label -1"},
		{batchError(CrossEntropy{Weights: []float64{1}}, 0), "1 weights for 3 classes"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("error %v, want %q in it", c.err, c.want)
		}
	}
	for _, l := range elementwise {
		must(t, l.Validate())
	}
	for _, l := range classwise {
		must(t, l.Validate())
	}
}

func batchError(l Classwise, label int) error {
	_, err := l.Batch(make([]float64, 3), make([]float64, 3), []int{label})
	return err
}

// The nodes give the functions' values and gradients, also after other nodes.
func TestNodes(t *testing.T) {
	const n, classes = 3, 4
	r := rand.New(rand.NewPCG(5, 6))
	x, target, labels := make([]float32, n*classes), make([]float32, n*classes), []int{1, 0, 3}
	for i := range x {
		x[i], target[i] = r.Float32(), float32(r.IntN(2))
	}
	check := func(name string, build func(x, target, labels *gorgonia.Node) (*gorgonia.Node, error), want func(dx, x, t []float64) float64) {
		g := gorgonia.NewGraph()
		node := func(name string, data any, shape ...int) *gorgonia.Node {
			v := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
			return gorgonia.NewTensor(g, v.Dtype(), len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name), gorgonia.WithValue(v))
		}
		in := node("x", x, n, classes)
		half := gorgonia.Must(gorgonia.Mul(in, gorgonia.NewConstant(float32(0.5))))
		loss, err := build(half, node("target", target, n, classes), node("labels", labels, n))
		must(t, err)
		loss = gorgonia.Must(gorgonia.Mul(loss, gorgonia.NewConstant(float32(3))))
		grads, err := gorgonia.Grad(loss, in)
		must(t, err)
		m := gorgonia.NewTapeMachine(g)
		defer m.Close()
		must(t, m.RunAll())
		wide := func(v []float32, by float64) []float64 {
			w := make([]float64, len(v))
			for i := range v {
				w[i] = by * float64(v[i])
			}
			return w
		}
		dx := make([]float64, len(x))
		value := 3 * want(dx, wide(x, 0.5), wide(target, 1))
		for i := range dx {
			dx[i] *= 1.5
		}
		if got := float64(loss.Value().Data().(float32)); !near(got, value, 1e-6) {
			t.Errorf("%s: node %v, function %v", name, got, value)
		}
		if d := gradcheck.Distance(grads[0].Value().Data().([]float32), dx); d > 1e-6 {
			t.Errorf("%s: gradient of the node is off by %v", name, d)
		}
	}
	for _, l := range elementwise {
		check(l.Name(), func(x, target, _ *gorgonia.Node) (*gorgonia.Node, error) { return Node(l, x, target) },
			func(dx, x, t []float64) float64 { return Mean(l, dx, x, t) })
	}
	for _, l := range classwise {
		check(l.Name(), func(x, _, labels *gorgonia.Node) (*gorgonia.Node, error) { return ClassNode(l, x, labels) },
			func(dx, x, _ []float64) float64 { v, err := l.Batch(dx, x, labels); must(t, err); return v })
	}
	if _, err := Node(Huber{}, nil, nil); err == nil {
		t.Error("a node of a loss that cannot be")
	}
	if _, err := Node(L1{}, nil, nil); err == nil {
		t.Error("a node of no predictions")
	}
	if _, err := ClassNode(CrossEntropy{}, nil, nil); err == nil {
		t.Error("a node of no logits")
	}
}

func TestSpecs(t *testing.T) {
	names := map[string]bool{}
	for _, s := range Specs() {
		names[s.Name] = true
		if s.Title == "" || s.Equation == "" || s.Paper == "" || !strings.Contains(s.String(), s.Equation) {
			t.Errorf("%+v is not described", s)
		}
	}
	for _, l := range elementwise {
		if !names[l.Name()] {
			t.Errorf("%s is not described", l.Name())
		}
	}
	for _, l := range classwise {
		if !names[l.Name()] {
			t.Errorf("%s is not described", l.Name())
		}
	}
}
