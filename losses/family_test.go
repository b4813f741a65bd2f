package losses

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
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

// Where targets are not continuous, they are so as the documentation says.
func TestArcFacePast(t *testing.T) {
	at := func(p Past, theta float64) float64 {
		z, _, _ := ArcFace{Scale: 1, Margin: 0.5, Past: p}.Target(math.Cos(theta), 1)
		return z
	}
	const e = 1e-6
	edge := math.Pi - 0.5
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"clamp before π", at(Clamp, edge-e), -1},
		{"clamp past π", at(Clamp, edge+0.3), -1},
		{"fallback before π", at(Fallback, edge-e), -1},
		{"fallback past π", at(Fallback, edge+e), math.Cos(edge) - 0.5*math.Sin(0.5)},
		{"easy before 90°", at(Easy, math.Pi/2-e), -math.Sin(0.5)},
		{"easy past 90°", at(Easy, math.Pi/2+e), 0},
	} {
		if !near(c.got, c.want, 2e-6) {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
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

func TestElasticFace(t *testing.T) {
	margins := func(h Head, batch int) []float64 {
		var m []float64
		for _, s := range h.(Batched).Batch(make([]float64, batch), nil) {
			z, _, _ := s.Target(0.25, 1) // 64 (0.25 - m)
			m = append(m, 0.25-z/64)
		}
		return m
	}
	make2 := func(seed uint64, deviation float64) Stateful {
		return makeHead(t, "elasticface-cos", Options{Seed: seed, Params: map[string]float64{"deviation": deviation}}).(Stateful)
	}
	h := make2(1, 0.0125)
	h.Begin(7)
	whole := margins(h, 6)
	h.Begin(7)
	if parts := slices.Concat(margins(h, 2), margins(h, 4)); !slices.Equal(parts, whole) {
		t.Errorf("margins %v of a step in two batches, %v in one", parts, whole)
	}
	o := make2(2, 0.0125)
	o.Begin(7)
	other := margins(o, 6)
	h.Begin(8)
	later := margins(h, 6)
	for i := range whole {
		if whole[i] == other[i] || whole[i] == later[i] || i > 0 && whole[i] == whole[0] {
			t.Errorf("margins of step 7 %v, of another seed %v, of step 8 %v: want all different", whole, other, later)
		}
	}
	h.Begin(1)
	var mean, square float64
	const n = 20000
	for _, m := range margins(h, n) {
		mean += m / n
		square += (m - 0.35) * (m - 0.35) / n
	}
	if math.Abs(mean-0.35) > 4*0.0125/math.Sqrt(n) || math.Abs(math.Sqrt(square)/0.0125-1) > 0.02 {
		t.Errorf("margins of mean %v and deviation %v, want 0.35 and 0.0125", mean, math.Sqrt(square))
	}
	wild := make2(1, 1)
	if least := slices.Min(margins(wild, 1000)); !near(least, 0, 1e-12) {
		t.Errorf("least margin %v, want 0", least)
	}
}

func TestAdaFaceMemory(t *testing.T) {
	h := makeHead(t, "adaface", Options{}).(*AdaFace)
	norm := []float64{10, 14, 18, 300} // the last counts as 100
	mean, deviation := 35.5, math.Sqrt(5579.0/3)
	h.Begin(1)
	samples := h.Batch(make([]float64, 4), norm)
	if got := h.get("mean"); !near(got, 0.99*20+0.01*mean, 1e-6) {
		t.Errorf("mean %v", got)
	}
	if got := h.get("deviation"); !near(got, 0.99*100+0.01*deviation, 1e-6) {
		t.Errorf("deviation %v", got)
	}
	want := 0.333 * (14 - h.get("mean")) / (h.get("deviation") + 1e-3)
	if got := samples[1].(adaSample).z; !near(got, want, 1e-12) {
		t.Errorf("quality %v of length 14, want %v", got, want)
	}
	before := h.get("deviation")
	h.Batch([]float64{0}, []float64{5})
	if h.get("deviation") != before || !near(h.get("mean"), 0.99*(0.99*20+0.01*mean)+0.01*5, 1e-6) {
		t.Errorf("after a batch of one: mean %v, deviation %v", h.get("mean"), h.get("deviation"))
	}
	h.Begin(1)
	if h.get("mean") != 20 || h.State()["mean"][0] != 20 {
		t.Error("a step that is not committed moves the mean")
	}
}

// A head that is restored from its state after some steps goes on with the same bits.
func TestMemoryResumes(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	for _, name := range Names() {
		h, ok := makeHead(t, name, Options{}).(Stateful)
		if !ok {
			continue
		}
		step := func(h Stateful, i int) float64 {
			p := newProblem(h, 4, 9, 3, rand.New(rand.NewPCG(uint64(i), 0)))
			h.Begin(i)
			p.run(t, h, pool)
			h.Begin(i) // the first attempt was not accepted
			p.run(t, h, pool)
			h.Commit()
			return p.loss
		}
		for i := range 5 {
			step(h, i)
		}
		again := makeHead(t, name, Options{}).(Stateful)
		if err := again.SetState(h.State()); err != nil {
			t.Fatal(err)
		}
		for i := 5; i < 8; i++ {
			if a, b := step(h, i), step(again, i); a != b {
				t.Errorf("%s: loss %v in step %d, %v after resuming", name, a, i, b)
			}
		}
		for _, bad := range []map[string][]float32{{"mean": {1}}, {"t": {float32(math.NaN())}}, {"t": {1, 2}}, {"iteration": {-1}}} {
			if again.SetState(bad) == nil {
				t.Errorf("%s: state %v is taken", name, bad)
			}
		}
	}
}

func TestCurricularFace(t *testing.T) {
	h := makeHead(t, "curricularface", Options{}).(*CurricularFace)
	if err := h.SetState(map[string][]float32{"t": {0.5}}); err != nil {
		t.Fatal(err)
	}
	h.Begin(1)
	s := h.Batch([]float64{0.8, 0.2}, nil)
	if got := h.get("t"); !near(got, 0.99*0.5+0.01*0.5, 1e-7) {
		t.Errorf("t = %v", got)
	}
	hard := math.Cos(math.Acos(0.8) + 0.5)
	for _, c := range []struct{ cos, want float64 }{
		{hard - 0.01, 64 * (hard - 0.01)},
		{hard + 0.01, 64 * (hard + 0.01) * (0.5 + hard + 0.01)},
	} {
		if z, _, _ := s[0].Other(c.cos, 1); !near(z, c.want, 1e-9) {
			t.Errorf("logit %v at cos = %v, want %v", z, c.cos, c.want)
		}
	}
}

func TestCircle(t *testing.T) {
	h := Circle{Scale: 256, Margin: 0.25, Detached: true}
	for cos := -0.99; cos < 1; cos += 0.01 {
		// |∂z/∂cos| is s times the weight.
		_, d, _ := h.Target(cos, 1)
		_, dn, _ := h.Other(cos, 1)
		if !near(d, 256*(1.25-cos), 1e-12) || !near(dn, 256*max(0, cos+0.25), 1e-12) {
			t.Errorf("slopes %v and %v at cos = %v", d, dn, cos)
		}
	}
	// The boundary is the circle cos² θ_j + (1 - cos θ_y)² = 2m².
	for a := 0.0; a < math.Pi; a += 0.1 {
		y, j := 1-math.Sqrt2*0.25*math.Sin(a), math.Sqrt2*0.25*math.Cos(a)
		if j < -0.25 {
			continue // α_j is 0 there
		}
		zy, _, _ := h.Target(y, 1)
		zj, _, _ := h.Other(j, 1)
		if !near(zy, zj, 1e-9) {
			t.Errorf("logits %v and %v at (%v, %v) on the boundary", zy, zj, y, j)
		}
	}
}

func TestMagFace(t *testing.T) {
	h := makeHead(t, "magface", Options{}).(MagFace)
	for _, c := range []struct{ norm, margin float64 }{{1, 0.45}, {10, 0.45}, {60, 0.625}, {110, 0.8}, {1e6, 0.8}} {
		if m, _ := h.margin(c.norm); !near(m, c.margin, 1e-12) {
			t.Errorf("margin %v of length %v, want %v", m, c.norm, c.margin)
		}
	}
	for _, norm := range []float64{1e-6, 5, 11, 60, 109, 111, 1e6} {
		v, d := h.Penalty(norm)
		want := gradcheck.Derivative(func(x float64) float64 { v, _ := h.Penalty(x); return v }, norm, 1e-4*norm)
		if !near(d, want, 1e-8) || math.IsNaN(v) {
			t.Errorf("penalty %v of length %v: derivative %v, numerically %v", v, norm, d, want)
		}
	}
	if v, _ := h.Penalty(60); !near(v, 35*(60.0/12100+1.0/60), 1e-12) {
		t.Errorf("penalty %v of length 60", v)
	}
}

// At its start the bias of SphereFace2 is where embeddings at right angles to all weights have the
// smallest loss.
func TestStartBias(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	h := makeHead(t, "sphereface2", Options{})
	for _, classes := range []int{2, 5, 300} {
		p := newProblem(h, 3, classes, 4, rand.New(rand.NewPCG(1, 2)))
		for i := range p.x { // the last coordinate against the others
			p.x[i] = 0
			if i%4 == 3 {
				p.x[i] = 1
			}
		}
		for i := range p.w {
			if i%4 == 3 {
				p.w[i] = 0
			}
		}
		Init(h, classes, ParamShapes(h, classes, 4)[1], p.bias, 1)
		p.run(t, h, pool)
		at := p.loss
		if math.Abs(float64(p.dbias[0])) > 1e-5 {
			t.Errorf("%d classes: gradient %v at the bias %v", classes, p.dbias[0], p.bias[0])
		}
		p.bias[0] += 0.1
		p.run(t, h, pool)
		if p.loss <= at {
			t.Errorf("%d classes: loss %v at the start, %v beside it", classes, at, p.loss)
		}
	}
	if b := h.(Biased).StartBias(1); math.IsNaN(b) || math.IsInf(b, 0) {
		t.Errorf("bias %v of one class", b)
	}
}

// Only the nearest of a class's weights gets a gradient.
func TestSubCenters(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	h := makeHead(t, "subcenter-arcface", Options{})
	p := newProblem(h, 1, 2, 2, rand.New(rand.NewPCG(1, 2)))
	p.x, p.labels = []float32{1, 0}, []int{0}
	p.w = []float32{0, 1, 1, 1, -1, 0 /**/, 0, -1, -1, -1, 1, -2}
	p.run(t, h, pool)
	for row, used := range []bool{false, true, false, false, false, true} {
		if got := p.dw[2*row] != 0 || p.dw[2*row+1] != 0; got != used {
			t.Errorf("row %d: gradient %v", row, p.dw[2*row:][:2])
		}
	}
	z := oracleLogits(h, p, 0, float64s(p.x), float64s(p.w), nil)
	if want := 64 * math.Cos(math.Pi/4+0.5); !near(z[0], want, 1e-6) {
		t.Errorf("target %v, want %v", z[0], want)
	}
}

func TestFeatureNorm(t *testing.T) {
	for _, name := range Names() {
		s, _ := Describe(name)
		if s.FeatureNorm == "" {
			if _, err := New(name, Options{FeatureNorm: Kept}); err == nil || !strings.Contains(err.Error(), "no choice of feature norm") {
				t.Errorf("%s: error %v", name, err)
			}
			continue
		}
		kept, scaled := makeHead(t, name, Options{FeatureNorm: Kept}), makeHead(t, name, Options{FeatureNorm: Scaled})
		scale := scaled.Geometry().Scale
		if kept.Geometry().Scale != 0 || scale == 0 {
			t.Errorf("%s: scales %v and %v", name, kept.Geometry().Scale, scale)
		}
		for _, cos := range []float64{-0.9, 0.3, 0.95} {
			begin(kept)
			begin(scaled)
			a, da, dn := sampleOf(kept, cos, scale).Target(cos, scale)
			b, db, zero := sampleOf(scaled, cos, 123).Target(cos, 123)
			if a != b || da != db || !near(dn*scale, a, 1e-12) || zero != 0 {
				t.Errorf("%s: %v, %v, %v with ‖x‖ = s; %v, %v, %v scaled", name, a, da, dn, b, db, zero)
			}
		}
		if _, err := New(name, Options{FeatureNorm: Kept, Params: map[string]float64{"scale": 3}}); err == nil || !strings.Contains(err.Error(), "scale") {
			t.Errorf("%s: a scale and embeddings that keep their length: error %v", name, err)
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
