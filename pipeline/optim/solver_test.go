package optim

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/faceverify/fv/internal/kernel"
)

var _ gorgonia.Solver = (*Solver)(nil)

func newSolver(t *testing.T, s Settings, ranges []Range, size int, pool *kernel.Pool) *Solver {
	t.Helper()
	o, err := NewSolver(s, ranges, size, pool)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o
}

// oracle is one parameter as the papers' formulas treat it, in float64.
type oracle struct{ w, v, m, s float64 }

func (o *oracle) sgd(g, lr, momentum, decay float64, nesterov bool) {
	d := g + decay*o.w
	o.v = momentum*o.v + d
	if nesterov {
		o.w -= lr * (d + momentum*o.v)
	} else {
		o.w -= lr * o.v
	}
}

// adamW is Algorithm 2 of Loshchilov and Hutter (2019), with the decay scaled by the rate as in
// PyTorch.
func (o *oracle) adamW(g, lr, beta1, beta2, epsilon, decay float64, step int) {
	o.m = beta1*o.m + (1-beta1)*g
	o.s = beta2*o.s + (1-beta2)*g*g
	m := o.m / (1 - math.Pow(beta1, float64(step)))
	s := o.s / (1 - math.Pow(beta2, float64(step)))
	o.w -= lr*decay*o.w + lr*m/(math.Sqrt(s)+epsilon)
}

// Several steps of ranges with their own rates and decays, one of them frozen, clipped at times.
func TestSolver(t *testing.T) {
	const size, steps = 40, 12
	settings := []Settings{
		{Name: SGD, Decay: 0.01, Clip: 5},
		{Name: SGD, Momentum: 0.9, Decay: 0.01, Clip: 5},
		{Name: SGD, Momentum: 0.9, Nesterov: true, Decay: 0.01},
		{Name: AdamW, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Decay: 0.05, Clip: 5},
	}
	rs := []Range{
		{Offset: 0, Len: 10, Rate: 1, Decay: 1}, {Offset: 10, Len: 7, Rate: 1},
		{Offset: 17, Len: 3, Rate: 0.1, Decay: 2}, {Offset: 20, Len: 20, Rate: 1, Decay: 1, Frozen: true},
	}
	pool := kernel.NewPool(2)
	defer pool.Close()
	for _, s := range settings {
		r := rand.New(rand.NewPCG(1, 2))
		a := NewArena(make([]float32, size), make([]float32, size))
		want := make([]oracle, size)
		for i := range want {
			a.Weights[i] = float32(r.NormFloat64())
			want[i].w = float64(a.Weights[i])
		}
		solver := newSolver(t, s, rs, size, pool)
		for step := 1; step <= steps; step++ {
			lr, square := 0.1/float64(step), 0.0
			for i := range size {
				a.Gradients[i] = float32(r.NormFloat64() * float64(step) / 4)
				if i < 20 {
					square += float64(a.Gradients[i]) * float64(a.Gradients[i])
				}
			}
			norm, clip := math.Sqrt(square), 1.0
			if s.Clip > 0 {
				clip = min(1, s.Clip/(norm+1e-6))
			}
			solver.SetRate(lr)
			if err := solver.Step([]gorgonia.ValueGrad{a}); err != nil {
				t.Fatal(err)
			}
			if math.Abs(solver.Norm()-norm) > 1e-6*norm {
				t.Errorf("%+v: norm %v, want %v", s, solver.Norm(), norm)
			}
			for _, part := range rs[:3] {
				for i := part.Offset; i < part.Offset+part.Len; i++ {
					g := clip * float64(a.Gradients[i])
					if s.Name == AdamW {
						want[i].adamW(g, lr*part.Rate, s.Beta1, s.Beta2, s.Epsilon, s.Decay*part.Decay, step)
					} else {
						want[i].sgd(g, lr*part.Rate, s.Momentum, s.Decay*part.Decay, s.Nesterov)
					}
				}
			}
		}
		for i, o := range want {
			if math.Abs(float64(a.Weights[i])-o.w) > 1e-5*(1+math.Abs(o.w)) {
				t.Errorf("%+v: weight %d is %v, want %v", s, i, a.Weights[i], o.w)
			}
		}
	}
}

// Of processes that have parts of an arena to themselves each goes by the norm of the whole gradient.
func TestSolverApart(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	settings := Settings{Name: SGD, Clip: 1}
	step := func(o *Solver, a *Arena) {
		o.SetRate(1)
		if err := o.Step([]gorgonia.ValueGrad{a}); err != nil {
			t.Fatal(err)
		}
	}
	whole := NewArena(make([]float32, 4), []float32{1, 2, 3, 4}) // shared, then a number of each of three processes
	one := newSolver(t, settings, []Range{{Len: 4, Rate: 1}}, 4, pool)
	step(one, whole)
	for i := range 3 {
		a := NewArena(make([]float32, 2), []float32{1, float32(i + 2)})
		o := newSolver(t, settings, []Range{{Len: 1, Rate: 1}, {Offset: 1, Len: 1, Rate: 1, Apart: true}}, 2, pool)
		o.Sum = func(x []float64) { x[0] += 4 + 9 + 16 - float64((i+2)*(i+2)) }
		step(o, a)
		if o.Norm() != one.Norm() || a.Weights[0] != whole.Weights[0] || a.Weights[1] != whole.Weights[i+1] {
			t.Errorf("process %d: norm %v, weights %v; want %v, and of %v", i, o.Norm(), a.Weights, one.Norm(), whole.Weights)
		}
	}
}

// Ranges that are replaced are all that the next step works on.
func TestSolverRanges(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	o := newSolver(t, Settings{Name: SGD}, []Range{{Len: 3, Rate: 1}}, 3, pool)
	o.SetRanges([]Range{{Len: 1, Rate: 1}, {Offset: 2, Len: 1, Rate: 1}})
	a := NewArena(make([]float32, 3), []float32{3, float32(math.NaN()), 4})
	o.SetRate(1)
	if err := o.Step([]gorgonia.ValueGrad{a}); err != nil || o.Norm() != 5 || a.Weights[0] != -3 || a.Weights[1] != 0 || a.Weights[2] != -4 {
		t.Errorf("error %v, norm %v, weights %v", err, o.Norm(), a.Weights)
	}
}

// A solver that takes over another's state goes on to the bit.
func TestSolverState(t *testing.T) {
	const size = 100
	pool := kernel.NewPool(1)
	s := Settings{Name: AdamW, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8}
	rs := []Range{{Len: size, Rate: 1}}
	r := rand.New(rand.NewPCG(3, 4))
	a := NewArena(make([]float32, size), make([]float32, size))
	step := func(o *Solver, a *Arena) {
		o.SetRate(0.1)
		if err := o.Step([]gorgonia.ValueGrad{a}); err != nil {
			t.Fatal(err)
		}
	}
	first := newSolver(t, s, rs, size, pool)
	for range 3 {
		for i := range size {
			a.Gradients[i] = float32(r.NormFloat64())
		}
		step(first, a)
	}
	b := NewArena(append([]float32(nil), a.Weights...), append([]float32(nil), a.Gradients...))
	second := newSolver(t, s, rs, size, pool)
	if err := second.SetState(first.State(), first.Steps()); err != nil {
		t.Fatal(err)
	}
	step(first, a)
	step(second, b)
	for i := range size {
		if math.Float32bits(a.Weights[i]) != math.Float32bits(b.Weights[i]) {
			t.Fatalf("weight %d is %v and %v", i, a.Weights[i], b.Weights[i])
		}
	}
	if err := newSolver(t, Settings{Name: SGD}, rs, size, pool).SetState(first.State(), 3); err == nil {
		t.Error("SGD takes AdamW's state")
	}
}

// A gradient that is not finite changes nothing.
func TestSolverRefuses(t *testing.T) {
	pool := kernel.NewPool(1)
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		a := NewArena([]float32{1, 2}, []float32{1, float32(bad)})
		o := newSolver(t, Settings{Name: SGD, Momentum: 0.9, Clip: 1}, []Range{{Len: 2, Rate: 1}}, 2, pool)
		o.SetRate(1)
		if err := o.Step([]gorgonia.ValueGrad{a}); !errors.Is(err, ErrNotFinite) {
			t.Errorf("error %v of a gradient with %v", err, bad)
		}
		if a.Weights[0] != 1 || a.Weights[1] != 2 || o.Steps() != 0 || o.State()["velocity"][0] != 0 {
			t.Errorf("a refused step changed weights to %v, velocity to %v", a.Weights, o.State())
		}
	}
}
