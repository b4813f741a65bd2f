package losses

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/faceverify/fv/internal/gradcheck"
	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/ops"
)

// problem is a batch with class weights, and what a head makes of it.
type problem struct {
	n, classes, dim int
	x, w, bias      []float32
	labels          []int
	filter          float64 // see NodeOptions

	loss          float64
	dx, dw, dbias []float32
	samples       []Sample // of a Batched head
}

// newProblem draws a problem with weights and bias of the shapes that h wants.
func newProblem(h Head, n, classes, dim int, r *rand.Rand) *problem {
	p := &problem{n: n, classes: classes, dim: dim}
	g := h.Geometry()
	p.x, p.w, p.bias = make([]float32, n*dim), make([]float32, classes*centers(h)*dim), make([]float32, g.BiasLen(classes))
	for _, v := range [][]float32{p.x, p.w, p.bias} {
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
	}
	for range n {
		p.labels = append(p.labels, r.IntN(classes))
	}
	return p
}

// centers returns the number of weights for each class.
func centers(h Head) int { return max(h.Geometry().Centers, 1) }

// recorder keeps the functions that a Batched head gave for the last batch: they are constants
// to derivatives, and another call might give others.
type recorder struct {
	Head
	samples []Sample
}

func (r *recorder) Batch(cos, norm []float64) []Sample {
	r.samples = r.Head.(Batched).Batch(cos, norm)
	return r.samples
}

// record returns the head and, if it is Batched, its recorder.
func record(h Head) (Head, *recorder) {
	if _, ok := h.(Batched); !ok {
		return h, &recorder{}
	}
	r := &recorder{Head: h}
	return r, r
}

// run fills in the loss and its gradients.
func (p *problem) run(t testing.TB, h Head, pool *kernel.Pool) {
	t.Helper()
	h, r := record(h)
	ce := ops.NewCrossEntropyWith(h, p.n, p.classes, p.dim, NodeOptions{Filter: p.filter, Pool: pool})
	var err error
	if p.loss, err = ce.Forward(p.x, p.w, p.bias, p.labels); err != nil {
		t.Fatal(err)
	}
	p.samples = r.samples
	p.dx, p.dw, p.dbias = make([]float32, len(p.x)), make([]float32, len(p.w)), make([]float32, len(p.bias))
	ce.Backward(1, p.w, p.bias, p.dx, p.dw, p.dbias)
}

// oracle is the loss in float64, straight from the definition.
func oracle(h Head, p *problem, x, w, bias []float64) float64 {
	g := h.Geometry()
	var loss float64
	for i, y := range p.labels {
		z := oracleLogits(h, p, i, x, w, bias)
		if a := g.Binary; a != 0 {
			for j, v := range z {
				if j == y {
					loss += a * math.Log1p(math.Exp(-v))
				} else {
					loss += (1 - a) * (max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))))
				}
			}
		} else {
			top := slices.Max(z)
			var sum float64
			for _, v := range z {
				sum += math.Exp(v - top)
			}
			loss += top + math.Log(sum) - z[y]
		}
		if q, ok := h.(Penalised); ok {
			v, _ := q.Penalty(length64(x[i*p.dim:][:p.dim]))
			loss += v
		}
	}
	if g.LossScale != 0 {
		loss *= g.LossScale
	}
	return loss / float64(p.n)
}

func length64(x []float64) float64 {
	var s float64
	for _, v := range x {
		s += v * v
	}
	return math.Sqrt(s)
}

// oracleLogits returns the logits of sample i.
func oracleLogits(h Head, p *problem, i int, x, w, bias []float64) []float64 {
	g := h.Geometry()
	k := centers(h)
	sample := Sample(h)
	if p.samples != nil {
		sample = p.samples[i]
	}
	z := make([]float64, p.classes)
	for j := range z {
		cos, norm := math.Inf(-1), 0.0
		for row := j * k; row < (j+1)*k; row++ {
			wj, xi := w[row*p.dim:][:p.dim], x[i*p.dim:][:p.dim]
			var xw float64
			for d, v := range xi {
				xw += v * wj[d]
			}
			if c := xw / length64(xi) / length64(wj); c > cos {
				cos, norm = c, length64(xi)
				if !g.UnitWeights {
					norm *= length64(wj)
				}
			}
		}
		if p.filter != 0 && cos > p.filter {
			z[j], _, _ = sample.Other(0, norm)
		} else {
			z[j], _, _ = sample.Other(cos, norm)
		}
		if j == p.labels[i] {
			z[j], _, _ = sample.Target(cos, norm)
		}
		switch g.Bias {
		case ClassBias:
			z[j] += bias[j]
		case SharedBias:
			z[j] += bias[0]
		}
	}
	return z
}

func float64s(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// check compares loss and gradients with those of the oracle, to a tolerance
// relative to the largest element: rounding of float32 cosines, times the scale.
func (p *problem) check(t *testing.T, h Head, tol float64) {
	t.Helper()
	x, w, b := float64s(p.x), float64s(p.w), float64s(p.bias)
	f := func() float64 { return oracle(h, p, x, w, b) }
	if want := f(); !near(p.loss, want, tol) {
		t.Errorf("loss %v, want %v", p.loss, want)
	}
	for _, v := range []struct {
		name string
		got  []float32
		at   []float64
	}{{"embedding", p.dx, x}, {"weight", p.dw, w}, {"bias", p.dbias, b}} {
		if d := gradcheck.Distance(v.got, gradcheck.Gradient(f, v.at, 1e-4)); d > tol {
			t.Errorf("gradient of %s is off by %.2g of its size", v.name, d)
		}
	}
}
