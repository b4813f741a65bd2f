package losses

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/faceverify/fv/internal/gradcheck"
)

// makeHead returns a head that must exist.
func makeHead(t testing.TB, name string, o Options) Head {
	t.Helper()
	h, err := New(name, o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// gradients returns the margin gradients that a head can have.
func gradients(name string) []MarginGradient {
	if s, _ := Describe(name); !s.HasMargin {
		return []MarginGradient{DefaultGradient}
	}
	return []MarginGradient{Exact, Detached}
}

// exactHead returns a head whose derivatives are those of its values.
func exactHead(t testing.TB, name string) Head {
	t.Helper()
	return makeHead(t, name, Options{MarginGradient: gradients(name)[0]})
}

// sampleOf returns the functions of a sample that is a batch of its own.
func sampleOf(h Head, cos, norm float64) Sample {
	if b, ok := h.(Batched); ok {
		return b.Batch([]float64{cos}, []float64{norm})[0]
	}
	return h
}

// near reports whether got is want up to a relative and absolute error of tol.
func near(got, want, tol float64) bool { return math.Abs(got-want) <= tol*(1+math.Abs(want)) }

func TestDerivatives(t *testing.T) {
	for _, name := range Names() {
		h := exactHead(t, name)
		// The angles keep away from kπ/m for all default margins, where ψ has no second derivative,
		// and from where others are clamped or jump.
		for _, theta := range []float64{0.3, 0.5, 0.9, 1.2, 1.7, 2.2, 2.5, 2.9} {
			for _, norm := range []float64{1e-6, 1, 30, 1e6} {
				cos := math.Cos(theta)
				sample := sampleOf(h, cos, norm)
				for _, f := range []struct {
					name string
					at   func(cos, norm float64) (logit, dCos, dNorm float64)
				}{{"target", sample.Target}, {"other", sample.Other}} {
					value := func(cos, norm float64) float64 { v, _, _ := f.at(cos, norm); return v }
					_, dCos, dNorm := f.at(cos, norm)
					wantCos := gradcheck.Derivative(func(c float64) float64 { return value(c, norm) }, cos, 1e-4)
					wantNorm := gradcheck.Derivative(func(n float64) float64 { return value(cos, n) }, norm, 1e-3*norm)
					if !near(dCos, wantCos, 1e-6) || !near(dNorm, wantNorm, 1e-6) {
						t.Errorf("%s %s at θ=%v, norm=%v: derivatives %v, %v; numerically %v, %v", name, f.name, theta, norm, dCos, dNorm, wantCos, wantNorm)
					}
				}
			}
		}
	}
}

// At θ = 0, π and kπ/m derivatives are checked from either side, at the angle to which the head
// clamps them at the ends.
func TestDerivativesAtKinks(t *testing.T) {
	for _, name := range Names() {
		h := exactHead(t, name)
		margins := []float64{1, 4, 1.7}
		for _, m := range margins {
			for k := 0.0; k <= m; k++ {
				cos := math.Cos(k * math.Pi / m)
				sample := sampleOf(h, cos, 20)
				logit, dCos, dNorm := sample.Target(cos, 20)
				for _, v := range []float64{logit, dCos, dNorm} {
					if math.IsNaN(v) || math.IsInf(v, 0) {
						t.Fatalf("%s: at θ = %vπ/%v: logit %v, derivatives %v, %v", name, k, m, logit, dCos, dNorm)
					}
				}
				at := min(max(cos, -(1-1e-6)), 1-1e-6)
				value := func(c float64) float64 { v, _, _ := sample.Target(c, 20); return v }
				right, left := gradcheck.OneSided(value, at, 2e-8), gradcheck.OneSided(value, at, -2e-8)
				if !near(dCos, right, 0.01) && !near(dCos, left, 0.01) {
					t.Errorf("%s: at θ = %vπ/%v: derivative %v; numerically %v to the right and %v to the left", name, k, m, dCos, right, left)
				}
			}
		}
	}
}

// What rounding makes of parallel vectors must not give NaN.
func TestCosinePastOne(t *testing.T) {
	for _, name := range Names() {
		h := makeHead(t, name, Options{})
		for _, sign := range []float64{-1, 1} {
			a, da, _ := h.Target(sign, 1)
			b, db, _ := h.Target(sign*(1+1e-15), 1)
			if !near(a, b, 1e-9) || !near(da, db, 1e-9) {
				t.Errorf("%s: logit and slope %v, %v at cos = %v, but %v, %v just past it", name, a, da, sign, b, db)
			}
		}
	}
}

// Detached, a logit is L cos θ + L const to its derivatives, where L is s or ‖x‖.
func TestDetached(t *testing.T) {
	for _, name := range Names() {
		if len(gradients(name)) < 2 || name == "circle" { // see TestCircle
			continue
		}
		h := makeHead(t, name, Options{MarginGradient: Detached})
		exact := makeHead(t, name, Options{MarginGradient: Exact})
		for _, theta := range []float64{0, 0.4, 1.5, 2.8, math.Pi} {
			cos := math.Cos(theta)
			for _, f := range []struct {
				detached, exact func(cos, norm float64) (logit, dCos, dNorm float64)
			}{
				{h.Target, exact.Target}, {h.Other, exact.Other},
			} {
				logit, dCos, dNorm := f.detached(cos, 7)
				want, _, _ := f.exact(cos, 7)
				wantCos, wantNorm := 7.0, want/7
				if s := h.Geometry().Scale; s != 0 {
					wantCos, wantNorm = s, 0
				}
				if logit != want || dCos != wantCos || !near(dNorm, wantNorm, 1e-15) {
					t.Errorf("%s at θ=%v: %v, %v, %v; want %v, %v, %v", name, theta, logit, dCos, dNorm, want, wantCos, wantNorm)
				}
			}
		}
	}
}

// The fused loss computes other logits from the Geometry; it must agree with Other. Where they are
// curved, it does not differentiate them with respect to the length.
func TestGeometry(t *testing.T) {
	for _, name := range Names() {
		h := makeHead(t, name, Options{})
		g := h.Geometry()
		for _, cos := range []float64{-1, -0.3, 0, 0.9} {
			z, _, dNorm := sampleOf(h, 0.5, 7).Other(cos, 7)
			if g.Curved {
				if dNorm != 0 {
					t.Errorf("%s: other logits depend on the length", name)
				}
				continue
			}
			want := 7 * cos
			if g.Scale != 0 {
				want = g.Scale * cos
			}
			if z != want {
				t.Errorf("%s: Other(%v, 7) = %v, Geometry says %v", name, cos, z, want)
			}
		}
	}
}

func TestKnownValues(t *testing.T) {
	value := func(v, _ float64) float64 { return v }
	unit := func(v, _, _ float64) float64 { return v }
	a := makeHead(t, "asoftmax", Options{}).(*ASoftmax)
	arc := makeHead(t, "arcface", Options{Params: map[string]float64{"scale": 1}})
	am := makeHead(t, "amsoftmax", Options{})
	for _, c := range []struct {
		what      string
		got, want float64
		tol       float64
	}{
		{"λ(1)", a.Lambda(1), 892.857, 1e-6},
		{"λ(1659)", a.Lambda(1659), 5, 0},
		{"λ(1658) > 5", math.Copysign(1, a.Lambda(1658)-5), 1, 0},
		{"ψ(60°, 4)", value(psi(math.Cos(math.Pi/3), 4)), -1.5, 1e-12},
		{"ψ(π/4, 4)", value(psi(math.Cos(math.Pi/4), 4)), -1, 1e-12},
		{"ψ(π/2, 4)", value(psi(math.Cos(math.Pi/2), 4)), -3, 1e-12},
		{"ψ(3π/4, 4)", value(psi(math.Cos(3*math.Pi/4), 4)), -5, 1e-12},
		{"ψ(π, 4)", value(psi(-1, 4)), -7, 1e-12},
		{"ψ(0, 4)", value(psi(1, 4)), 1, 0},
		{"cos(60° + 0.5)", unit(arc.Target(0.5, 1)), 0.0235966, 1e-7},
		{"ArcFace past π", unit(arc.Target(math.Cos(2.9), 1)), -1, 0},
		{"AM-Softmax at cos = 0.5", unit(am.Target(0.5, 1)), 30 * 0.15, 1e-12},
	} {
		if !near(c.got, c.want, c.tol) {
			t.Errorf("%s = %v, want %v", c.what, c.got, c.want)
		}
	}
	for _, m := range []float64{1, 2, 3, 4, 7} {
		for k := 0.0; k <= m; k++ {
			if got, _ := psi(math.Cos(k*math.Pi/m), m); !near(got, 1-2*k, 1e-12) {
				t.Errorf("ψ(%vπ/%v) = %v, want %v", k, m, got, 1-2*k)
			}
		}
	}
	// The binary decision boundaries of the facts file: both logits are equal there.
	for theta := 0.05; theta < 0.5; theta += 0.05 {
		if x, y := unit(arc.Target(math.Cos(theta), 1)), unit(arc.Other(math.Cos(theta+0.5), 1)); !near(x, y, 1e-12) {
			t.Errorf("ArcFace: θ1 = %v, θ2 = θ1 + m: %v and %v", theta, x, y)
		}
		if x, y := unit(am.Target(0.4+theta, 1)), unit(am.Other(0.05+theta, 1)); !near(x, y, 1e-12) {
			t.Errorf("CosFace: cos θ1 = cos θ2 + m: %v and %v", x, y)
		}
	}
}

func TestPsiDecreases(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.Float64Range(1, 10).Draw(t, "m")
		theta := rapid.Float64Range(0, math.Pi).Draw(t, "θ")
		step := rapid.Float64Range(0, 1e-3).Draw(t, "step")
		a, slope := psi(math.Cos(theta), m)
		b, _ := psi(math.Cos(min(theta+step, math.Pi)), m)
		// |dψ/dθ| <= m, and acos(cos θ) is good to 1e-8 near 0 and π only.
		if b > a+1e-7 || a-b > m*(step+1e-7) {
			t.Fatalf("ψ(%v) = %v, ψ(%v later) = %v", theta, a, step, b)
		}
		if slope < -1e-9 {
			t.Fatalf("dψ/dcos = %v", slope)
		}
	})
}

func TestNoMargin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.Float64Range(1, 100).Draw(t, "s")
		cos := rapid.Float64Range(-0.999, 0.999).Draw(t, "cos")
		norm := rapid.Float64Range(1e-3, 1e3).Draw(t, "norm")
		plain, dPlain, _ := NormFace{Scale: s}.Target(cos, norm)
		for _, h := range []Head{CosFace{Scale: s}, ArcFace{Scale: s}, SphereFace{Scale: s, Margin: 1}} {
			if z, d, _ := h.Target(cos, norm); !near(z, plain, 1e-12) || !near(d, dPlain, 1e-9) {
				t.Fatalf("%s without margin: %v, slope %v; NormFace: %v, %v", h.Name(), z, d, plain, dPlain)
			}
		}
		kept, dKept, nKept := Modified{}.Target(cos, norm)
		a := &ASoftmax{Margin: 1, Annealing: Annealing{Base: 1000, Gamma: 0.12, Power: 1, Min: 5}}
		if z, d, n := a.Target(cos, norm); !near(z, kept, 1e-12) || !near(d, dKept, 1e-9) || !near(n, nKept, 1e-12) {
			t.Fatalf("asoftmax without margin: %v, slopes %v, %v; modified: %v, %v, %v", z, d, n, kept, dKept, nKept)
		}
		m := rapid.Float64Range(0, 1).Draw(t, "m")
		o := Options{Params: map[string]float64{"scale": s, "margin": m}}
		c, _ := New("cosface", o)
		am, _ := New("amsoftmax", o)
		x, dx, _ := c.Target(cos, norm)
		y, dy, _ := am.Target(cos, norm)
		if x != y || dx != dy {
			t.Fatalf("CosFace %v, %v; AM-Softmax %v, %v", x, dx, y, dy)
		}
	})
}
