package pipeline

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/nn"
	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/pipeline/optim"
)

// golden is what scripts/golden/step.py wrote.
type golden struct {
	Net       string        `json:"net"`
	Batch     int           `json:"batch"`
	Side      int           `json:"side"` // of the images, in pixels
	Classes   int           `json:"classes"`
	LR        float64       `json:"lr"`
	Losses    []float64     `json:"losses"`
	Embedding description   `json:"embedding"`
	Gradients []description `json:"gradients"`
	Buffers   []description `json:"buffers"`
}

// description is what is known of a tensor: its norm, its sum and some entries.
type description struct {
	Shape []int     `json:"shape"`
	Norm  float64   `json:"norm"`
	Sum   float64   `json:"sum"`
	At    []int     `json:"at"`
	Value []float64 `json:"value"`
}

// zeroGradient is the root mean square below which a gradient is measured by this instead of its own. Such
// a gradient is 0 but for rounding, as that of a bias before a batch norm, or nearly so, as
// that of a gain with only a PReLU of slope near 1 between it and the next batch norm: terms of
// about 1 cancel, and float32 leaves some 1e-8 of them. Of the other gradients the smallest are about as large.
const zeroGradient = 1e-3

// outlier is how many times the mean error a single entry may be off: of some hundred entries one
// is three times as far off as their root mean square.
const outlier = 5

// errorMeter is the root mean square of errors.
type errorMeter struct {
	squares float64
	n       int
}

func (m *errorMeter) value() float64 { return math.Sqrt(m.squares / float64(m.n)) }

// compare fails unless got is what d describes: the norm may differ by tolerance times itself, the
// sum, in which most cancels, by that times the number's root, and an entry by outlier
// times tolerance times the tensor's root mean square or its own size; m takes the entries' errors.
// A root mean square below zeroGradient counts as that.
func (d *description) compare(t *testing.T, what string, got []float32, tolerance float64, m *errorMeter) {
	t.Helper()
	var square, sum float64
	for _, v := range got {
		square += float64(v) * float64(v)
		sum += float64(v)
	}
	root := math.Sqrt(float64(len(got)))
	rms := max(d.Norm/root, zeroGradient)
	near := func(part string, got, want, scale, tolerance float64) float64 {
		t.Helper()
		off := math.Abs(got-want) / scale
		if !(off <= tolerance) {
			t.Errorf("%s: %s is %.9g, PyTorch's is %.9g: off by %.2g of %.3g", what, part, got, want, off, scale)
		}
		return off
	}
	near("norm", math.Sqrt(square), d.Norm, rms*root, tolerance)
	near("sum", sum, d.Sum, rms*root*root, tolerance)
	for i, at := range d.At {
		off := near("entry", float64(got[at]), d.Value[i], max(rms, math.Abs(d.Value[i])), outlier*tolerance)
		m.squares += off * off
		m.n++
	}
}

// uniform fills x with numbers on [-1, 1): entry i of tensor t is mix(mix(t) ^ i).
func uniform(x []float32, t uint64) {
	mix := func(x uint64) uint64 { // the finaliser of SplitMix64
		x += 0x9e3779b97f4a7c15
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		return x ^ x>>31
	}
	key := mix(t)
	for i := range x {
		x[i] = float32(float64(mix(key^uint64(i))>>40)/(1<<23) - 1)
	}
}

// seeded fills the weights of a network and its head as step.py does.
func seeded(network *nn.Network, weights []float32) {
	kinds := map[string]nn.Kind{}
	for _, l := range network.Layers {
		kinds[l.Name] = l.Kind
	}
	scale := func(x []float32, offset, factor float64) {
		for i, v := range x {
			x[i] = float32(offset + float64(v)*factor)
		}
	}
	params := network.Params()
	for i, p := range params {
		x := weights[p.Offset:][:p.Len]
		uniform(x, uint64(i))
		layer := p.Name[:strings.LastIndexByte(p.Name, '.')]
		switch {
		case len(p.Shape) > 1:
			scale(x, 0, math.Sqrt(3/(float64(p.Len)/float64(p.Shape[0]))))
		case kinds[layer] == nn.PReLU:
			scale(x, 0.997, 0.001)
		case strings.HasSuffix(p.Name, ".bias"):
			scale(x, 0, 0.1)
		default:
			scale(x, 1, 0.1)
		}
	}
	const head = 1001
	uniform(weights[nn.Len(params):], head)
	scale(weights[nn.Len(params):], 0, 0.01)
}

// seededBatch returns the images, [N,H,W,3], and the labels of step.py.
func seededBatch(n, side, classes int) (images []float32, labels []int) {
	const tensor = 1000
	planes := make([]float32, n*3*side*side)
	uniform(planes, tensor)
	images = make([]float32, len(planes))
	for i := range n {
		labels = append(labels, 7*i%classes)
		for c := range 3 {
			for k := range side * side {
				images[(i*side*side+k)*3+c] = planes[(i*3+c)*side*side+k]
			}
		}
	}
	return images, labels
}

// One forward and backward pass and ten steps, from the same weights and the same batch as
// PyTorch in float64.
func TestParityWithPyTorch(t *testing.T) {
	if kernel.Variant() == "generic" {
		t.Skip("ten steps of whole networks take minutes without vector instructions; the kernels are tested by themselves")
	}
	for _, name := range []string{"mobilefacenet", "sfnet20", "iresnet18"} {
		t.Run(name, func(t *testing.T) { parity(t, name) })
	}
}

func parity(t *testing.T, name string) {
	const dim = 512
	text, err := os.ReadFile(filepath.Join("testdata", "step_"+name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	side := g.Side
	network, err := embed.Backbone(g.Net, embed.BackboneOptions{Embedding: dim, Height: side, Width: side})
	if err != nil {
		t.Fatal(err)
	}
	head, err := losses.New("amsoftmax", losses.Options{Params: map[string]float64{"scale": 30, "margin": 0.35}})
	if err != nil {
		t.Fatal(err)
	}
	pool := kernel.NewPool(0)
	defer pool.Close()
	backbone, err := nn.NewTraining(network, g.Batch, nn.FP32, pool)
	if err != nil {
		t.Fatal(err)
	}
	params := network.Params()
	size := arenaLen(nn.Len(params), head, g.Classes, dim)
	arena := optim.NewArena(make([]float32, size), make([]float32, size))
	seeded(network, arena.Weights)
	gr, err := newGraph(backbone, head, nil, graphSize{g.Batch, side, side, g.Batch, nn.Len(params), g.Classes}, arena.Weights, arena.Gradients, losses.NodeOptions{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	defer gr.close()
	solver, err := optim.NewSolver(optim.Settings{Name: optim.SGD, Momentum: 0.9, Decay: 5e-4}, ranges(network.Params(), gr.headParams, 1), size, pool)
	if err != nil {
		t.Fatal(err)
	}
	defer solver.Close()
	solver.SetRate(g.LR)
	buffers := make([]float32, nn.Len(network.Buffers()))
	network.Init(make([]float32, nn.Len(params)), buffers, 1)
	images, labels := seededBatch(g.Batch, side, g.Classes)

	for step, want := range g.Losses {
		loss, err := gr.run(images, labels)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(loss-want) > 1e-3*want {
			t.Errorf("loss %d is %.7g, PyTorch's is %.7g", step+1, loss, want)
		}
		if step == 0 {
			g.Embedding.compare(t, "embedding", gr.embeddings(), 1e-5, &errorMeter{})
			compareGradients(t, &g, params, arena.Gradients)
		}
		backbone.UpdateBuffers(buffers)
		if err := solver.Step([]gorgonia.ValueGrad{arena}); err != nil {
			t.Fatal(err)
		}
	}
	if len(g.Buffers) != len(network.Buffers()) {
		t.Fatalf("%d running statistics, PyTorch has %d", len(network.Buffers()), len(g.Buffers))
	}
	var m errorMeter
	for i, b := range network.Buffers() {
		g.Buffers[i].compare(t, b.Name, buffers[b.Offset:][:b.Len], 1e-3, &m)
	}
}

func compareGradients(t *testing.T, g *golden, params []nn.Param, gradients []float32) {
	if len(g.Gradients) != len(params)+1 {
		t.Fatalf("%d parameters, PyTorch has %d", len(params)+1, len(g.Gradients))
	}
	const tolerance = 1e-4
	var m errorMeter
	for i, d := range g.Gradients {
		p := nn.Param{Name: "head.weight", Shape: d.Shape, Offset: nn.Len(params), Len: len(gradients) - nn.Len(params)}
		if i < len(params) {
			p = params[i]
		}
		if !slices.Equal(p.Shape, d.Shape) {
			t.Fatalf("parameter %d, %s, has shape %v, PyTorch's has %v", i, p.Name, p.Shape, d.Shape)
		}
		d.compare(t, p.Name, gradients[p.Offset:][:p.Len], tolerance, &m)
	}
	if !(m.value() <= tolerance) {
		t.Errorf("the gradients' entries are off by %.2g of their tensors' root mean square, in the mean", m.value())
	}
	t.Logf("the gradients' entries are off by %.2g of their tensors' root mean square, in the mean", m.value())
}
