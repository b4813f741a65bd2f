package losses

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/faceverify/fv/internal/gradcheck"
	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/ops"
)

func TestGradients(t *testing.T) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			h := exactHead(t, name)
			for _, c := range []struct{ n, classes, dim int }{{5, 7, 6}, {1, 9, 3}, {4, 1, 5}, {3, 270, 2}, {1, 1, 1}} {
				r := rand.New(rand.NewPCG(1, uint64(c.classes)))
				p := newProblem(h, c.n, c.classes, c.dim, r)
				p.run(t, h, pool)
				if c.dim == 1 { // all angles are 0 or π: there is no gradient but that of lengths
					if !finite(p.loss, p.dx, p.dw, p.dbias) {
						t.Errorf("%v: loss %v, gradients %v, %v, %v", c, p.loss, p.dx, p.dw, p.dbias)
					}
					continue
				}
				p.check(t, h, 3e-5)
			}
		})
	}
}

func finite(loss float64, gradients ...[]float32) bool {
	ok := !math.IsNaN(loss) && !math.IsInf(loss, 0)
	for _, g := range gradients {
		for _, v := range g {
			ok = ok && !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0)
		}
	}
	return ok
}

// Embeddings at chosen angles to the class weight, of extreme lengths, and all alike.
func TestAdversarial(t *testing.T) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	for _, name := range Names() {
		for _, gradient := range gradients(name) {
			h := makeHead(t, name, Options{MarginGradient: gradient})
			for _, norm := range []float64{0, 1e-6, 1, 1e6} {
				for _, wnorm := range []float64{0, 1e-6, 1, 1e6} {
					p := newProblem(h, 10, 3, 2, rand.New(rand.NewPCG(1, 2)))
					k := centers(h)
					for j := range k * p.classes {
						// Sub-centers are the same but for one at a right angle.
						a := 2*math.Pi*float64(j/k)/3 + float64(j%k/2)*math.Pi/2
						p.w[2*j], p.w[2*j+1] = float32(wnorm*math.Cos(a)), float32(wnorm*math.Sin(a))
					}
					for i, theta := range []float64{0, math.Pi, math.Pi / 4, math.Pi / 2, 3 * math.Pi / 4, math.Pi / 1.7, 2.7, 0.1, 0.1, 0.1} {
						p.labels[i] = i % 3
						a := theta + 2*math.Pi*float64(p.labels[i])/3
						p.x[2*i], p.x[2*i+1] = float32(norm*math.Cos(a)), float32(norm*math.Sin(a))
					}
					p.run(t, h, pool)
					if !finite(p.loss, p.dx, p.dw, p.dbias) {
						t.Errorf("%s, %s, ‖x‖ = %v, ‖W‖ = %v: loss %v, gradients %v, %v", name, gradient, norm, wnorm, p.loss, p.dx, p.dw)
					}
				}
			}
		}
	}
}

// weighted is a head whose loss counts half.
type weighted struct{ Head }

func (h weighted) Geometry() Geometry {
	g := h.Head.Geometry()
	g.LossScale = 0.5
	return g
}

func TestLossScale(t *testing.T) {
	h := makeHead(t, "arcface", Options{})
	p, q := newProblem(h, 3, 7, 4, rand.New(rand.NewPCG(1, 2))), newProblem(h, 3, 7, 4, rand.New(rand.NewPCG(1, 2)))
	p.run(t, h, kernel.NewPool(1))
	q.run(t, weighted{h}, kernel.NewPool(1))
	for i := range q.dx {
		q.dx[i] *= 2
	}
	for i := range q.dw {
		q.dw[i] *= 2
	}
	if 2*q.loss != p.loss || !slices.Equal(q.dx, p.dx) || !slices.Equal(q.dw, p.dw) {
		t.Errorf("half the loss is %v of %v, or gradients are not half", q.loss, p.loss)
	}
}

// A classifier that is sure, rightly or wrongly, of all samples.
func TestSaturated(t *testing.T) {
	pool := kernel.NewPool(1)
	for _, name := range Names() {
		h := makeHead(t, name, Options{})
		for _, sign := range []float32{-1, 1} {
			p := newProblem(h, 2, 300, 4, rand.New(rand.NewPCG(1, 2)))
			clear(p.bias)
			k := centers(h)
			copy(p.x[:4], p.w[4*k*p.labels[0]:])
			copy(p.x[4:], p.w[4*k*p.labels[1]:])
			for i := range p.x {
				p.x[i] *= sign * 30
			}
			p.run(t, h, pool)
			if !finite(p.loss, p.dx, p.dw) {
				t.Errorf("%s: loss %v", name, p.loss)
			}
			if want := oracle(h, p, float64s(p.x), float64s(p.w), float64s(p.bias)); !near(p.loss, want, 1e-5) {
				t.Errorf("%s: loss %v, want %v", name, p.loss, want)
			}
		}
	}
}

// What cannot be is an error or shows in the loss: it is not passed over.
func TestBadInput(t *testing.T) {
	pool := kernel.NewPool(1)
	h := makeHead(t, "amsoftmax", Options{})
	for _, label := range []int{-1, 3} {
		p := newProblem(h, 2, 3, 4, rand.New(rand.NewPCG(1, 2)))
		p.labels[1] = label
		_, err := ops.NewCrossEntropy(h, 2, 3, 4, pool).Forward(p.x, p.w, p.bias, p.labels)
		if want := fmt.Sprintf("label %d of sample 1 is not one of 3 classes", label); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	for _, name := range Names() {
		for _, in := range []string{"x", "w"} {
			h := makeHead(t, name, Options{})
			p := newProblem(h, 2, 300, 4, rand.New(rand.NewPCG(1, 2)))
			map[string][]float32{"x": p.x, "w": p.w}[in][0] = float32(math.NaN())
			p.run(t, h, pool)
			if !math.IsNaN(p.loss) {
				t.Errorf("%s: loss %v of a NaN in %s", name, p.loss, in)
			}
		}
	}
}

// Results are the same to the bit on any number of threads, on each of the paths.
func TestThreads(t *testing.T) {
	for _, name := range []string{"arcface", "softmax", "circle", "subcenter-arcface", "sphereface2", "adaface"} {
		h := makeHead(t, name, Options{})
		var first *problem
		for _, threads := range []int{1, 2, 3} {
			p := newProblem(h, 6, 3000, 16, rand.New(rand.NewPCG(4, 5)))
			pool := kernel.NewPool(threads)
			begin(h)
			p.run(t, h, pool)
			pool.Close()
			if first == nil {
				first = p
			}
			if p.loss != first.loss || !slices.Equal(p.dx, first.dx) || !slices.Equal(p.dw, first.dw) || !slices.Equal(p.dbias, first.dbias) {
				t.Errorf("%s: %d threads give other results than 1", name, threads)
			}
		}
	}
}

// Blocks and groups of classes leave no seam: many classes against the oracle's loss
// and, by linearity of the log, against the sum of probabilities.
func TestManyClasses(t *testing.T) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	h := makeHead(t, "amsoftmax", Options{})
	p := newProblem(h, 4, 20011, 8, rand.New(rand.NewPCG(6, 7)))
	p.labels = []int{0, 20010, 255, 9000}
	p.run(t, h, pool)
	x, w := float64s(p.x), float64s(p.w)
	if want := oracle(h, p, x, w, nil); !near(p.loss, want, 1e-6) {
		t.Errorf("loss %v, want %v", p.loss, want)
	}
	f := func() float64 { return oracle(h, p, x, w, nil) }
	// Classes at the seams, and those of the targets.
	for _, j := range []int{0, 255, 256, 624, 625, 626, 9000, 20010} {
		for k := range p.dim {
			want := gradcheck.Gradient(f, w[j*p.dim+k:][:1], 1e-3)[0]
			if got := float64(p.dw[j*p.dim+k]); math.Abs(got-want) > 1e-5*math.Abs(want)+1e-6 {
				t.Errorf("dw[%d,%d] = %v, want %v", j, k, got, want)
			}
		}
	}
}

func TestProperties(t *testing.T) {
	pool := kernel.NewPool(1)
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.SampledFrom(Names()).Draw(rt, "head")
		h := makeHead(t, name, Options{})
		n, classes, dim := rapid.IntRange(1, 5).Draw(rt, "n"), rapid.IntRange(2, 300).Draw(rt, "classes"), rapid.IntRange(2, 9).Draw(rt, "dim")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		p := newProblem(h, n, classes, dim, r)
		again := func(q *problem) {
			begin(h)
			q.run(t, h, pool)
		}
		again(p)
		alike := func(what string, got, want []float32, size float64) {
			if d := gradcheck.Distance(got, float64s(want)); d > size {
				rt.Fatalf("%s: %s: off by %v", name, what, d)
			}
		}

		// Permuting the classes permutes the gradients.
		order := r.Perm(classes)
		q := newProblem(h, n, classes, dim, r)
		q.x = p.x
		kd := centers(h) * dim
		copy(q.bias, p.bias)
		for j, o := range order {
			copy(q.w[o*kd:][:kd], p.w[j*kd:][:kd])
			if h.Geometry().Bias == ClassBias {
				q.bias[o] = p.bias[j]
			}
		}
		for i, y := range p.labels {
			q.labels[i] = order[y]
		}
		again(q)
		back := make([]float32, len(q.dw))
		for j, o := range order {
			copy(back[j*kd:][:kd], q.dw[o*kd:][:kd])
		}
		alike("permuted classes, dw", back, p.dw, 1e-4)
		alike("permuted classes, dx", q.dx, p.dx, 1e-4)

		// The scale of what is normalised changes nothing but the gradient's, inversely. The
		// scales are powers of two, so nothing is rounded otherwise.
		g := h.Geometry()
		q.w, q.x, q.bias, q.labels = slices.Clone(p.w), slices.Clone(p.x), p.bias, p.labels
		sw, sx := float32(1), float32(1)
		if g.UnitWeights {
			sw = 8
		}
		if g.Scale != 0 && name != "adaface" && name != "magface" { // those read the length
			sx = 0.25
		}
		for i := range q.w {
			q.w[i] *= sw
		}
		for i := range q.x {
			q.x[i] *= sx
		}
		again(q)
		if !near(q.loss, p.loss, 1e-6) {
			rt.Fatalf("%s: loss %v of scaled inputs, %v before", name, q.loss, p.loss)
		}
		for i := range q.dw {
			q.dw[i] *= sw
		}
		for i := range q.dx {
			q.dx[i] *= sx
		}
		alike("scaled inputs, dw", q.dw, p.dw, 1e-4)
		alike("scaled inputs, dx", q.dx, p.dx, 1e-4)

		// The gradient of a bias sums to 0, as softmax's does.
		if g.Bias == ClassBias {
			var sum float64
			for _, v := range p.dbias {
				sum += float64(v)
			}
			if math.Abs(sum) > 1e-5 {
				rt.Fatalf("gradients of the bias sum to %v", sum)
			}
		}
	})
}

// The materialised logits, followed by Gorgonia's own nodes, give the fused loss and gradients.
// With a filter between classes too.
func TestLogits(t *testing.T) {
	for _, filter := range []float64{0, 0.5} {
		testLogits(t, filter)
	}
}

func testLogits(t *testing.T, filter float64) {
	for _, name := range Names() {
		h := makeHead(t, name, Options{})
		if m, ok := h.(MagFace); ok {
			m.Weight = 0 // what it adds to the loss is no part of the logits
			h = m
		}
		if filter != 0 && h.Geometry().Binary != 0 {
			continue
		}
		p := newProblem(h, 3, 11, 5, rand.New(rand.NewPCG(8, 9)))
		p.filter = filter
		begin(h)
		p.run(t, h, kernel.NewPool(1))

		g := gorgonia.NewGraph()
		in := p.nodes(g, h)
		z, err := Logits(h, in, NodeOptions{Filter: filter})
		if err != nil {
			t.Fatal(err)
		}
		loss := p.lossOf(g, h, z)
		wrt := []*gorgonia.Node{in.Embedding, in.Weight}
		want := [][]float32{p.dx, p.dw}
		if in.Bias != nil {
			wrt, want = append(wrt, in.Bias), append(want, p.dbias)
		}
		grads, err := gorgonia.Grad(loss, wrt...)
		if err != nil {
			t.Fatal(err)
		}
		m := gorgonia.NewTapeMachine(g)
		for range 2 {
			begin(h)
			if err := m.RunAll(); err != nil {
				t.Fatal(err)
			}
			if l := loss.Value().Data().(float32); !near(float64(l), p.loss, 1e-5) {
				t.Errorf("%s: loss %v, fused %v", name, l, p.loss)
			}
			for i, n := range grads {
				if d := gradcheck.Distance(n.Value().Data().([]float32), float64s(want[i])); d > 2e-5 {
					t.Errorf("%s: gradient of %v is off by %v", name, wrt[i], d)
				}
			}
			m.Reset()
		}
		m.Close()
	}
}

// begin drops what earlier evaluations left in a head's memory.
func begin(h Head) {
	if s, ok := h.(Stateful); ok {
		s.Begin(1)
	}
}

// lossOf returns the head's loss of its logits z, by Gorgonia's own nodes.
func (p *problem) lossOf(g *gorgonia.ExprGraph, h Head, z *gorgonia.Node) *gorgonia.Node {
	matrix := func(name string, own, other float32) *gorgonia.Node {
		v := tensor.New(tensor.WithShape(p.n, p.classes), tensor.Of(tensor.Float32))
		for at := range v.Data().([]float32) {
			v.Data().([]float32)[at] = other
			if at%p.classes == p.labels[at/p.classes] {
				v.Data().([]float32)[at] = own
			}
		}
		return gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(p.n, p.classes), gorgonia.WithName(name), gorgonia.WithValue(v))
	}
	must := gorgonia.Must
	scale := 1 / float64(p.n)
	if s := h.Geometry().LossScale; s != 0 {
		scale *= s
	}
	var weight, terms *gorgonia.Node
	if a := float32(h.Geometry().Binary); a != 0 {
		weight = matrix("share", a, 1-a)
		terms = must(gorgonia.Softplus(must(gorgonia.HadamardProd(matrix("sign", -1, 1), z))))
	} else {
		weight = matrix("onehot", 1, 0)
		terms = must(gorgonia.Neg(must(gorgonia.Log(must(gorgonia.SoftMax(z))))))
	}
	sum := must(gorgonia.Sum(must(gorgonia.HadamardProd(weight, terms))))
	return must(gorgonia.Mul(sum, gorgonia.NewConstant(float32(scale))))
}

// nodes returns graph inputs that hold the problem.
func (p *problem) nodes(g *gorgonia.ExprGraph, h Head) Nodes {
	node := func(name string, data any, shape ...int) *gorgonia.Node {
		v := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
		return gorgonia.NewTensor(g, v.Dtype(), len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name), gorgonia.WithValue(v))
	}
	in := Nodes{
		Embedding: node("embedding", p.x, p.n, p.dim),
		Weight:    node("weight", p.w, h.Geometry().WeightShape(p.classes, p.dim)...),
		Labels:    node("labels", p.labels, p.n),
	}
	if h.Geometry().Bias != NoBias {
		in.Bias = node("bias", p.bias, len(p.bias))
	}
	return in
}

// With a filter between classes every softmax head has the loss and the gradients of its definition: the cosine to
// another class counts as 0 where it is above the filter.
func TestFilter(t *testing.T) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			h := exactHead(t, name)
			if h.Geometry().Binary != 0 {
				t.Skip("its loss is binary")
			}
			for _, c := range []struct{ n, classes, dim int }{{5, 7, 6}, {3, 270, 3}, {2, 9, 8}} {
				p := newProblem(h, c.n, c.classes, c.dim, rand.New(rand.NewPCG(5, uint64(c.classes))))
				p.run(t, h, pool)
				without := p.loss
				p.filter = 0.31 // no cosine is so near to it that a difference quotient would cross it
				p.run(t, h, pool)
				p.check(t, h, 3e-5)
				if p.loss == without {
					t.Errorf("%v: the filter changes nothing", c)
				}
			}
		})
	}
}

func TestNodeErrors(t *testing.T) {
	for _, c := range []struct {
		head Head
		with func(in *Nodes)
		want string
	}{
		{NormFace{Scale: -1}, func(*Nodes) {}, "scale is -1"},
		{Softmax{}, func(in *Nodes) { in.Bias = nil }, "bias is missing"},
		{NormFace{Scale: 30}, func(in *Nodes) { in.Bias = in.Labels }, "has none"},
		{NormFace{Scale: 30}, func(in *Nodes) { in.Labels = nil }, "labels is missing"},
		{NormFace{Scale: 30}, func(in *Nodes) { in.Weight, in.Embedding = in.Embedding, in.Weight }, "labels is int(3), want int(11)"},
		{NormFace{Scale: 30}, func(in *Nodes) { in.Weight = nil }, "needs embeddings [N,D]"},
		{makeHead(t, "sphereface2", Options{}), func(in *Nodes) { in.Bias = nil }, "bias is missing"},
		{makeHead(t, "subcenter-arcface", Options{Params: map[string]float64{"centers": 2}}), func(in *Nodes) { in.Weight = in.Embedding }, "weight is float32(3, 5), want float32(3, 2, 5)"},
	} {
		p := newProblem(c.head, 3, 11, 5, rand.New(rand.NewPCG(8, 9)))
		in := p.nodes(gorgonia.NewGraph(), c.head)
		c.with(&in)
		for _, f := range []func(Head, Nodes, NodeOptions) (*gorgonia.Node, error){Loss, Logits} {
			if _, err := f(c.head, in, NodeOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		}
	}
	for _, c := range []struct {
		name   string
		filter float64
		want   string
	}{
		{"cosface", 1, "a filter at the cosine 1"},
		{"cosface", -0.1, "a filter at the cosine -0.1"},
		{"sphereface2", 0.3, "the head's loss is binary"},
	} {
		h := makeHead(t, c.name, Options{})
		p := newProblem(h, 3, 11, 5, rand.New(rand.NewPCG(8, 9)))
		for _, f := range []func(Head, Nodes, NodeOptions) (*gorgonia.Node, error){Loss, Logits} {
			if _, err := f(h, p.nodes(gorgonia.NewGraph(), h), NodeOptions{Filter: c.filter}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		}
	}
}
