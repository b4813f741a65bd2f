package losses

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/faceverify/fv/internal/gradcheck"
	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/ops"
)

// linear is the smallest backbone: embedding = images · theta, with theta [pixels, dim].
type linear struct {
	n, pixels, dim int
	images, y      []float32
}

func (l *linear) Dim() int { return l.dim }

func (l *linear) Forward(theta, images []float32, n int) []float32 {
	l.images = images
	if l.y == nil {
		l.y = make([]float32, n*l.dim)
	}
	kernel.Gemm(onePool, n, l.dim, l.pixels, images, l.pixels, false, theta, l.dim, false, l.y, l.dim, false)
	return l.y
}

func (l *linear) Backward(theta, dEmbedding, dTheta []float32) {
	kernel.Gemm(onePool, l.pixels, l.dim, l.n, l.images, l.pixels, true, dEmbedding, l.dim, false, dTheta, l.dim, false)
}

var onePool = kernel.NewPool(1)

// training is the graph of a training step as a trainer builds it: parameters
// and gradients of backbone and head are ranges of two flat arenas.
type training struct {
	machine               gorgonia.VM
	loss                  *gorgonia.Node
	gradients             gorgonia.Nodes // of theta, the weights and the bias
	parameters, gradArena []float32
	images                []float32
	labels                []int
	head                  Head
	l                     *linear
	classes               int
	recorder              *recorder
}

func newTraining(t testing.TB, h Head) *training {
	t.Helper()
	const n, side, dim, classes = 6, 2, 4, 5
	pixels := side * side * 3
	tr := &training{head: h, l: &linear{n: n, pixels: pixels, dim: dim}, classes: classes}
	p := ParamShapes(h, classes, dim)
	size := pixels * dim
	for _, s := range p {
		size += s.Len()
	}
	tr.parameters, tr.gradArena = make([]float32, size), make([]float32, size)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range tr.parameters[:pixels*dim] {
		tr.parameters[i] = float32(r.NormFloat64())
	}
	cut := func(x []float32, from, count int) []float32 { return x[from : from+count : from+count] }
	w := pixels * dim
	at := w
	for _, s := range p {
		Init(h, classes, s, cut(tr.parameters, at, s.Len()), 1)
		at += s.Len()
	}
	for i := range n * pixels {
		tr.images = append(tr.images, float32(r.NormFloat64()))
		if i < n {
			tr.labels = append(tr.labels, i%classes)
		}
	}

	g := gorgonia.NewGraph()
	node := func(name string, data any, shape ...int) *gorgonia.Node {
		v := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
		return gorgonia.NewTensor(g, v.Dtype(), len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name), gorgonia.WithValue(v))
	}
	images := node("images", tr.images, n, side, side, 3)
	theta := node("theta", cut(tr.parameters, 0, w), w)
	embedding, err := ops.Embed(tr.l, images.Shape()[0], images, theta, cut(tr.gradArena, 0, w))
	if err != nil {
		t.Fatal(err)
	}
	in := Nodes{Embedding: embedding, Labels: node("labels", tr.labels, n)}
	in.Weight = node("weight", cut(tr.parameters, w, p[0].Len()), p[0].Shape...)
	o := NodeOptions{Pool: onePool, DWeight: cut(tr.gradArena, w, p[0].Len())}
	wrt := []*gorgonia.Node{theta, in.Weight}
	if len(p) > 1 {
		at := w + p[0].Len()
		in.Bias = node("bias", cut(tr.parameters, at, p[1].Len()), p[1].Shape...)
		o.DBias = cut(tr.gradArena, at, p[1].Len())
		wrt = append(wrt, in.Bias)
	}
	h, tr.recorder = record(h)
	if tr.loss, err = Loss(h, in, o); err != nil {
		t.Fatal(err)
	}
	if tr.gradients, err = gorgonia.Grad(tr.loss, wrt...); err != nil {
		t.Fatal(err)
	}
	tr.machine = gorgonia.NewTapeMachine(g) // without BindDualValues
	return tr
}

// step runs the graph and returns the loss.
func (tr *training) step(t testing.TB) float64 {
	if err := tr.machine.RunAll(); err != nil {
		t.Fatal(err)
	}
	tr.machine.Reset()
	return float64(tr.loss.Value().Data().(float32))
}

// oracle returns the loss in float64 under the parameters p.
func (tr *training) oracle(p []float64) float64 {
	l := tr.l
	x := make([]float64, l.n*l.dim)
	for i := range l.n {
		for k := range l.pixels {
			for d := range l.dim {
				x[i*l.dim+d] += float64(tr.images[i*l.pixels+k]) * p[k*l.dim+d]
			}
		}
	}
	w := p[l.pixels*l.dim:]
	rows := tr.classes * centers(tr.head)
	problem := &problem{n: l.n, classes: tr.classes, dim: l.dim, labels: tr.labels, samples: tr.recorder.samples}
	return oracle(tr.head, problem, x, w, w[rows*l.dim:])
}

func TestTraining(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			h := exactHead(t, name)
			tr := newTraining(t, h)
			defer tr.machine.Close()
			first := tr.step(t)
			p := float64s(tr.parameters)
			if want := tr.oracle(p); !near(first, want, 1e-5) {
				t.Errorf("loss %v, want %v", first, want)
			}
			want := gradcheck.Gradient(func() float64 { return tr.oracle(p) }, p, 1e-5)
			if d := gradcheck.Distance(tr.gradArena, want); d > 1e-4 {
				t.Errorf("gradients are off by %.2g of their size", d)
			}
			// What Grad's nodes hold is the arena itself, not a copy.
			at := 0
			for i, n := range tr.gradients {
				v := n.Value().Data().([]float32)
				if &v[0] != &tr.gradArena[at] {
					t.Errorf("gradient %d is not in the arena", i)
				}
				at += len(v)
			}
			if at != len(tr.gradArena) {
				t.Errorf("gradients have %d elements, want %d", at, len(tr.gradArena))
			}
			loss := first
			for range 300 {
				for i, g := range tr.gradArena {
					tr.parameters[i] -= 0.01 * g
				}
				loss = tr.step(t)
			}
			if !(loss < 0.8*first) {
				t.Errorf("loss %v after 300 steps, %v before", loss, first)
			}
		})
	}
}

// A steady step keeps no memory, and allocates no more than the machine's own small change.
func TestSteadyMemory(t *testing.T) {
	if race {
		t.Skip("the race detector allocates")
	}
	tr := newTraining(t, makeHead(t, "arcface", Options{}))
	defer tr.machine.Close()
	// heap runs some steps and returns what is reachable after them.
	heap := func() (live, allocated int64) {
		for range 500 {
			tr.step(t)
		}
		runtime.GC()
		runtime.GC() // what a sync.Pool holds outlives the first
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc), int64(m.TotalAlloc)
	}
	heap()
	before, allocatedBefore := heap()
	after, allocated := heap()
	live, perStep := after-before, (allocated-allocatedBefore)/500
	t.Logf("%d bytes kept after 500 steps, %d allocated a step", live, perStep)
	if live > 16<<10 {
		t.Errorf("500 steps keep %d bytes", live)
	}
	if perStep > 16<<10 {
		t.Errorf("a step allocates %d bytes", perStep)
	}
}

func TestCrossEntropyAllocates(t *testing.T) {
	if race {
		t.Skip("the race detector allocates")
	}
	for _, name := range []string{"cosface", "circle", "subcenter-arcface", "sphereface2"} {
		h := makeHead(t, name, Options{})
		p := newProblem(h, 8, 1000, 32, rand.New(rand.NewPCG(1, 2)))
		p.run(t, h, onePool)
		ce := ops.NewCrossEntropy(h, p.n, p.classes, p.dim, onePool)
		allocs := testing.AllocsPerRun(20, func() {
			if _, err := ce.Forward(p.x, p.w, p.bias, p.labels); err != nil {
				t.Fatal(err)
			}
			ce.Backward(1, p.w, p.bias, p.dx, p.dw, p.dbias)
		})
		if allocs > 0 {
			t.Errorf("%s: a step allocates %v times", name, allocs)
		}
	}
}

// BenchmarkCrossEntropy is the size of CASIA-WebFace: 10 575 identities, batch 64, 512-d.
func BenchmarkCrossEntropy(b *testing.B) {
	pool := kernel.NewPool(0)
	defer pool.Close()
	for _, name := range []string{"amsoftmax", "circle", "curricularface", "sphereface2", "subcenter-arcface"} {
		h := makeHead(b, name, Options{})
		p := newProblem(h, 64, 10575, 512, rand.New(rand.NewPCG(1, 2)))
		p.run(b, h, pool)
		ce := ops.NewCrossEntropy(h, p.n, p.classes, p.dim, pool)
		b.Run(name+"/forward", func(b *testing.B) {
			for range b.N {
				if _, err := ce.Forward(p.x, p.w, p.bias, p.labels); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/backward", func(b *testing.B) {
			for range b.N {
				ce.Backward(1, p.w, p.bias, p.dx, p.dw, p.dbias)
			}
		})
	}
}
