package losses

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/faceverify/fv/internal/gradcheck"
	"github.com/faceverify/fv/internal/kernel"
)

// curved is a head whose other logits are taken for curved, and that has a bias for each class.
type curved struct{ Head }

func (h curved) Geometry() Geometry {
	g := h.Head.Geometry()
	g.Curved, g.Bias = true, ClassBias
	return g
}

// The path of curved logits gives what that of products gives, and the gradients of a bias, which
// are those of the logits summed over the batch, sum to 0.
func TestCurvedPath(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	tried := 0
	for _, name := range Names() {
		h := makeHead(t, name, Options{})
		g := h.Geometry()
		_, batched := h.(Batched)
		_, penalised := h.(Penalised)
		if g.Scale == 0 || g.Binary != 0 || batched || penalised {
			continue // the wrapper hides the latter two
		}
		tried++
		p := newProblem(curved{h}, 5, 300, 6, rand.New(rand.NewPCG(3, 4)))
		clear(p.bias)
		p.run(t, curved{h}, pool)
		var sum, size float64
		for _, v := range p.dbias {
			sum, size = sum+float64(v), size+math.Abs(float64(v))
		}
		if size == 0 || math.Abs(sum) > 1e-6*size {
			t.Errorf("%s: the gradients of the logits sum to %v, in size to %v", name, sum, size)
		}
		q := *p
		q.bias = nil
		q.run(t, h, pool)
		if !near(p.loss, q.loss, 1e-6) || gradcheck.Distance(p.dx, float64s(q.dx)) > 1e-5 || gradcheck.Distance(p.dw, float64s(q.dw)) > 1e-5 {
			t.Errorf("%s: loss %v as curved, %v else, or other gradients", name, p.loss, q.loss)
		}
	}
	if tried < 10 {
		t.Errorf("only %d heads tried", tried)
	}
}

// A margin that does nothing leaves NormFace, or the plain softmax, over a whole batch.
func TestNoMarginLoss(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	zero := func(name string, params map[string]float64, norm FeatureNorm) Head {
		return makeHead(t, name, Options{Params: params, FeatureNorm: norm, MarginGradient: gradients(name)[0]})
	}
	rapid.Check(t, func(rt *rapid.T) {
		s := rapid.Float64Range(1, 64).Draw(rt, "s")
		n, classes, dim := rapid.IntRange(1, 5).Draw(rt, "n"), rapid.IntRange(1, 300).Draw(rt, "classes"), rapid.IntRange(2, 9).Draw(rt, "dim")
		p := newProblem(NormFace{}, n, classes, dim, rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0)))
		alike := func(want Head, heads ...Head) {
			q := *p
			q.run(t, want, pool)
			for _, h := range heads {
				p.run(t, h, pool)
				if !near(p.loss, q.loss, 1e-6) {
					rt.Fatalf("%s without margin: loss %v; %s: %v", h.Name(), p.loss, want.Name(), q.loss)
				}
				if d := gradcheck.Distance(p.dx, float64s(q.dx)); d > 1e-4 {
					rt.Fatalf("%s without margin: dx is off by %v", h.Name(), d)
				}
				if d := gradcheck.Distance(p.dw, float64s(q.dw)); d > 1e-4 {
					rt.Fatalf("%s without margin: dw is off by %v", h.Name(), d)
				}
			}
		}
		m := func(more ...float64) map[string]float64 {
			names := []string{"scale", "margin", "deviation"}
			v := map[string]float64{}
			for i, x := range append([]float64{s}, more...) {
				v[names[i]] = x
			}
			return v
		}
		heads := []Head{
			zero("cosface", m(0), ""), zero("arcface", m(0), ""), zero("arcface-fallback", m(0), ""), zero("arcface-easy", m(0), ""),
			zero("sphereface", m(1), ""), zero("asoftmax", m(1), Scaled),
			zero("elasticface-arc", m(0, 0), ""), zero("elasticface-cos", m(0, 0), ""), zero("adaface", m(0), ""),
			zero("combined", map[string]float64{"scale": s, "m1": 1, "m2": 0, "m3": 0}, ""),
			zero("subcenter-arcface", map[string]float64{"scale": s, "margin": 0, "centers": 1}, ""),
			zero("magface", map[string]float64{"scale": s, "lm": 0, "um": 0, "lambda-g": 0}, ""),
			zero("sphereface-r-v1", map[string]float64{"scale": s, "margin": 1, "loss-weight": s}, ""),
			zero("sphereface-r-v2", map[string]float64{"scale": s, "margin": 1, "loss-weight": s}, ""),
		}
		alike(NormFace{Scale: s}, heads...)
		alike(Modified{}, zero("asoftmax", map[string]float64{"margin": 1}, ""), zero("sphereface", map[string]float64{"margin": 1}, Kept),
			zero("arcface", map[string]float64{"margin": 0}, Kept), makeHead(t, "normface", Options{FeatureNorm: Kept}))
		clearBias := newProblem(Softmax{}, n, classes, dim, rand.New(rand.NewPCG(0, 0))).bias
		clear(clearBias)
		p.bias = clearBias
		plain := *p
		plain.run(t, Softmax{}, pool)
		p.bias = nil
		p.run(t, zero("lsoftmax", map[string]float64{"margin": 1}, ""), pool)
		if !near(p.loss, plain.loss, 1e-6) || gradcheck.Distance(p.dw, float64s(plain.dw)) > 1e-4 {
			rt.Fatalf("L-Softmax without margin: loss %v; softmax: %v, or other gradients", p.loss, plain.loss)
		}
	})
}

// Special cases of one head are other heads.
func TestSpecialCases(t *testing.T) {
	for theta := 0.0; theta <= math.Pi; theta += 0.01 {
		cos := math.Cos(theta)
		for _, c := range []struct{ got, want Head }{
			{Combined{Scale: 64, M1: 1, M2: 0.5}, ArcFace{Scale: 64, Margin: 0.5}},
			{Combined{Scale: 64, M1: 1, M3: 0.35}, CosFace{Scale: 64, Margin: 0.35}},
			{Combined{Scale: 64, M1: 1.5}, SphereFaceR{Scale: 64, Margin: 1.5, Weight: 64}},
			{&ElasticFace{Scale: 64, Margin: 0.5}, ArcFace{Scale: 64, Margin: 0.5}},
			{&ElasticFace{Scale: 64, Margin: 0.35, Cos: true}, CosFace{Scale: 64, Margin: 0.35}},
			{SubCenterArcFace{ArcFace{Scale: 64, Margin: 0.5}, 3}, ArcFace{Scale: 64, Margin: 0.5}},
		} {
			z, d, _ := c.got.Target(cos, 3)
			want, dWant, _ := c.want.Target(cos, 3)
			if !near(z, want, 1e-12) || !near(d, dWant, 1e-9) {
				t.Fatalf("%s: %v, slope %v at θ = %v; %s: %v, %v", c.got.Name(), z, d, theta, c.want.Name(), want, dWant)
			}
		}
	}
	// AdaFace is ArcFace at ẑ = -1, CosFace at 0, and has a negative margin of the angle at 1.
	ada := NewAdaFace(1, 0.4, 1e2, 0.01, false)
	for norm, want := range map[float64]float64{1e-6: -1, 20: 0, 1e6: 1} {
		z := ada.quality(norm)
		if z != want {
			t.Errorf("quality %v of length %v, want %v", z, norm, want)
		}
		got, _, _ := ada.Target(math.Cos(1.2), norm)
		if want := math.Cos(1.2-0.4*z) - 0.4 - 0.4*z; !near(got, want, 1e-12) {
			t.Errorf("AdaFace at ẑ = %v: %v, want %v", z, got, want)
		}
	}
}

// Targets with a margin never rise with the angle, but for the easy margin.
func TestTargetsFall(t *testing.T) {
	for _, name := range Names() {
		if name == "arcface-easy" {
			continue
		}
		h := makeHead(t, name, Options{})
		for _, norm := range []float64{1, 20, 200} {
			sample := sampleOf(h, 0.5, norm)
			last := math.Inf(1)
			for theta := 0.0; theta <= math.Pi; theta += 0.001 {
				z, _, _ := sample.Target(math.Cos(theta), norm)
				if z > last+1e-9 {
					t.Fatalf("%s, ‖x‖ = %v: the target rises from %v to %v at θ = %v", name, norm, last, z, theta)
				}
				last = z
			}
		}
	}
}

// Where two pieces of a head's functions meet, the derivative is that of one of them. Jumps are left
// out: see TestArcFacePast and TestCurricularFace.
func TestPiecesMeet(t *testing.T) {
	exact := func(name string) Head { return exactHead(t, name) }
	target := func(h Head) func(cos float64) (z, d float64) {
		return func(cos float64) (z, d float64) { z, d, _ = h.Target(cos, 20); return z, d }
	}
	other := func(h Head) func(cos float64) (z, d float64) {
		return func(cos float64) (z, d float64) { z, d, _ = h.Other(cos, 20); return z, d }
	}
	ada := adaSample{NewAdaFace(64, 0.4, 0.333, 0.01, false), 0.5} // cos(θ - 0.2) is clipped at θ = 0.2 + 1e-3
	for _, c := range []struct {
		what string
		f    func(cos float64) (z, d float64)
		at   float64
	}{
		{"arcface", target(exact("arcface")), math.Cos(math.Pi - 0.5)},
		{"subcenter-arcface", target(exact("subcenter-arcface")), math.Cos(math.Pi - 0.5)},
		{"elasticface-arc", target(exact("elasticface-arc")), math.Cos(math.Pi - 0.5)},
		{"combined", target(exact("combined")), math.Cos(math.Pi - 0.3)},
		{"sphereface-r-v1", target(exact("sphereface-r-v1")), math.Cos(math.Pi / 1.5)},
		{"sphereface", target(exact("sphereface")), math.Cos(math.Pi / 1.7)},
		{"lsoftmax", target(exact("lsoftmax")), math.Cos(math.Pi / 4)},
		{"adaface", func(cos float64) (z, d float64) { z, d, _ = ada.Target(cos, 20); return z, d }, math.Cos(0.201)},
		{"circle, other", other(exact("circle")), -0.25},
		{"magface's margin, least", func(a float64) (m, d float64) { return exact("magface").(MagFace).margin(a) }, 10},
		{"magface's margin, largest", func(a float64) (m, d float64) { return exact("magface").(MagFace).margin(a) }, 110},
		{"magface's penalty, least", func(a float64) (v, d float64) { return exact("magface").(MagFace).Penalty(a) }, 10},
		{"magface's penalty, largest", func(a float64) (v, d float64) { return exact("magface").(MagFace).Penalty(a) }, 110},
	} {
		_, d := c.f(c.at)
		value := func(x float64) float64 { v, _ := c.f(x); return v }
		left, right := gradcheck.OneSided(value, c.at, -1e-5), gradcheck.OneSided(value, c.at, 1e-5)
		if !near(d, left, 1e-3) && !near(d, right, 1e-3) {
			t.Errorf("%s at %v: derivative %v; numerically %v to the left and %v to the right", c.what, c.at, d, left, right)
		}
		if jump := value(c.at+1e-9) - value(c.at-1e-9); math.Abs(jump) > 1e-5 {
			t.Errorf("%s at %v: a jump by %v", c.what, c.at, jump)
		}
	}
}

// Embeddings that are all alike, at angles and lengths from small to large, and in batches of one.
func TestIdenticalEmbeddings(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	for _, name := range Names() {
		h := exactHead(t, name)
		for _, n := range []int{1, 4} {
			for _, length := range []float32{0.25, 4, 64} {
				p := newProblem(h, n, 5, 3, rand.New(rand.NewPCG(7, 8)))
				for i := range p.x {
					p.x[i] = length * []float32{0.8, -0.36, 0.48}[i%3]
				}
				// The first is of the farthest class, so that there is a gradient to compare.
				far := 0
				for j := range 5 {
					if angleTo(p, j*centers(h)) > angleTo(p, far*centers(h)) {
						far = j
					}
				}
				for i := range p.labels {
					p.labels[i] = (far + i) % 5
				}
				p.run(t, h, pool)
				if p.check(t, h, 3e-5); t.Failed() {
					t.Fatalf("%s: %d embeddings of length %v", name, n, length)
				}
			}
		}
	}
}

// angleTo returns the angle between the first embedding and a row of the weights.
func angleTo(p *problem, row int) float64 {
	x, w := float64s(p.x[:p.dim]), float64s(p.w[row*p.dim:][:p.dim])
	var xw float64
	for k := range x {
		xw += x[k] * w[k]
	}
	return math.Acos(xw / length64(x) / length64(w))
}

// The decision boundary of class 1 on the arc between two weights K apart is where its target with
// margin equals the other logit; the margin is the angle from there to that of class 2.
func TestMarginOfSeparation(t *testing.T) {
	const degree = math.Pi / 180
	margin := func(h Head, k float64) (degrees float64, ok bool) {
		ahead := func(theta float64) float64 {
			a, _, _ := h.Target(math.Cos(theta), 1)
			b, _, _ := h.Other(math.Cos(k*degree-theta), 1)
			return a - b
		}
		lo, hi := 0.0, k*degree/2
		if ahead(lo) < 0 {
			return 0, false // not even the weight itself is on the right side
		}
		for range 60 {
			if mid := (lo + hi) / 2; ahead(mid) >= 0 {
				lo = mid
			} else {
				hi = mid
			}
		}
		return k - 2*lo/degree, true
	}
	a := func(m float64) Head { return SphereFace{Scale: 1, Margin: m} }
	cos := CosFace{Scale: 1, Margin: 0.35}
	arc := ArcFace{Scale: 1, Margin: 0.5}
	for _, c := range []struct {
		h       Head
		k, want float64
		tol     float64
	}{
		{a(2), 30, 10, 1e-9}, {a(2), 120, 40, 1e-9}, {a(3), 60, 30, 1e-9}, {a(4), 50, 30, 1e-9},
		{cos, 60, 41.0, 0.05}, {cos, 120, 23.3, 0.05}, {cos, 60, 2 * math.Asin(0.35/(2*math.Sin(30*degree))) / degree, 1e-9},
		{arc, 60, 0.5 / degree, 1e-9}, {arc, 120, 0.5 / degree, 1e-9},
		{NormFace{Scale: 1}, 60, 0, 1e-9}, {Modified{}, 120, 0, 1e-9},
	} {
		if got, ok := margin(c.h, c.k); !ok || math.Abs(got-c.want) > c.tol {
			t.Errorf("%s, classes %v° apart: margin %v°, want %v°", c.h.Name(), c.k, got, c.want)
		}
	}
	if _, ok := margin(cos, 49); ok {
		t.Error("CosFace has a region between weights 49° apart")
	}
	if _, ok := margin(cos, 50); !ok {
		t.Error("CosFace has no region between weights 50° apart")
	}
	// m = 2, K = 30°, θ1 = 11° and θ2 = 19°: nearer to class 1, but inside the margin.
	if x, y, _ := a(2).Target(math.Cos(11*degree), 1); x >= math.Cos(19*degree) || y == 0 {
		t.Errorf("target %v, other %v", x, math.Cos(19*degree))
	}
}

// anything is a head of any geometry, with a target that depends on angle and length.
type anything struct{ g Geometry }

func (anything) Name() string         { return "anything" }
func (anything) Validate() error      { return nil }
func (h anything) Geometry() Geometry { return h.g }
func (anything) Target(cos, norm float64) (logit, dCos, dNorm float64) {
	return 2*cos - cos*cos/3 + cos*math.Log1p(norm), 2 - 2*cos/3 + math.Log1p(norm), cos / (1 + norm)
}
func (h anything) Other(cos, norm float64) (logit, dCos, dNorm float64) {
	if h.g.Curved {
		return 3*cos + cos*cos*cos, 3 + 3*cos*cos, 0
	}
	return lengthen(h.g.Scale, norm, cos, 1)
}

// Penalty implements Penalised.
func (anything) Penalty(norm float64) (value, dNorm float64) { return math.Log1p(norm), 1 / (1 + norm) }

// What heads may say of their geometry can be combined, also where no head does.
func TestGeometries(t *testing.T) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	rapid.Check(t, func(rt *rapid.T) {
		g := Geometry{
			UnitWeights: rapid.Bool().Draw(rt, "unit weights"),
			Binary:      rapid.SampledFrom([]float64{0, 0, 0.3, 0.9}).Draw(rt, "binary"),
			LossScale:   rapid.SampledFrom([]float64{0, 2}).Draw(rt, "loss scale"),
		}
		if g.UnitWeights && rapid.Bool().Draw(rt, "scaled") {
			g.Scale = 5
			g.Curved = rapid.Bool().Draw(rt, "curved")
			g.Centers = rapid.IntRange(0, 4).Draw(rt, "centers")
		}
		if g.Curved || g.Centers > 1 || g.Binary != 0 {
			g.Bias = rapid.SampledFrom([]Bias{NoBias, ClassBias, SharedBias}).Draw(rt, "bias")
		} else if !g.UnitWeights {
			g.Bias = rapid.SampledFrom([]Bias{NoBias, ClassBias}).Draw(rt, "bias")
		}
		h := anything{g}
		n, classes, dim := rapid.IntRange(1, 4).Draw(rt, "n"), rapid.IntRange(1, 6).Draw(rt, "classes"), rapid.IntRange(2, 4).Draw(rt, "dim")
		p := newProblem(h, n, classes, dim, rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 3)))
		p.run(t, h, pool)
		x, w, b := float64s(p.x), float64s(p.w), float64s(p.bias)
		f := func() float64 { return oracle(h, p, x, w, b) }
		if want := f(); !near(p.loss, want, 1e-5) {
			rt.Fatalf("%+v: loss %v, want %v", g, p.loss, want)
		}
		for _, v := range []struct {
			name string
			got  []float32
			at   []float64
		}{{"embedding", p.dx, x}, {"weight", p.dw, w}, {"bias", p.dbias, b}} {
			want := gradcheck.Gradient(f, v.at, 1e-5)
			size := 0.0
			for _, d := range want {
				size = max(size, math.Abs(d))
			}
			for i, d := range want {
				// Some gradients are 0 but for rounding: those of a bias that all classes share, in a softmax.
				if math.Abs(float64(v.got[i])-d) > 1e-4*size+1e-6 {
					rt.Fatalf("%+v: gradient of %s %v, want %v", g, v.name, v.got, want)
				}
			}
		}
	})
}
