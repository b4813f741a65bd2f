package nn

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/faceverify/fv/internal/kernel"
)

func conv(name string, out, kernel, stride, pad, groups int, bias bool) Layer {
	return Layer{Name: name, Kind: Convolution, Out: out, Kernel: kernel, Stride: stride, Pad: pad, Groups: groups, Bias: bias}
}

func layer(kind Kind, name string, inputs ...string) Layer {
	return Layer{Name: name, Kind: kind, Inputs: inputs}
}

// networks are small ones that have, between them, every kind of layer in every order that
// the planner treats in its own way.
var networks = []*Network{
	{Name: "conv prelu linear", Input: Shape{3, 6, 5}, Layers: []Layer{
		conv("c1", 5, 3, 2, 1, 1, true), layer(PReLU, "p1"),
		conv("c2", 5, 3, 1, 1, 1, true), layer(PReLU, "p2"), layer(Add, "a", "p1", "p2"),
		layer(Flatten, "f"), {Name: "l", Kind: Linear, Out: 4, Bias: true},
	}},
	{Name: "depthwise block", Input: Shape{3, 8, 8}, Layers: []Layer{
		conv("c", 6, 3, 2, 1, 1, false), layer(BatchNorm, "b"), layer(PReLU, "p"),
		conv("e", 10, 1, 1, 0, 1, false), layer(BatchNorm, "eb"), layer(PReLU, "ep"),
		conv("d", 10, 3, 1, 1, 10, false), layer(BatchNorm, "db"), layer(PReLU, "dp"),
		conv("o", 6, 1, 1, 0, 1, false), layer(BatchNorm, "ob"), layer(Add, "sum", "p", "ob"),
		conv("g", 6, 4, 1, 0, 6, false), layer(BatchNorm, "gb"),
		layer(Flatten, "f"), {Name: "l", Kind: Linear, Out: 5}, layer(BatchNorm, "lb"),
	}},
	{Name: "pre-activated residual block", Input: Shape{2, 6, 6}, Layers: []Layer{
		conv("c", 4, 3, 1, 1, 1, false), layer(BatchNorm, "b"), layer(PReLU, "p"),
		layer(BatchNorm, "b1"), conv("c1", 6, 3, 1, 1, 1, false), layer(BatchNorm, "b2"), layer(PReLU, "p2"),
		conv("c2", 6, 3, 2, 1, 1, false), layer(BatchNorm, "b3"),
		{Name: "dc", Kind: Convolution, Inputs: []string{"p"}, Out: 6, Kernel: 1, Stride: 2}, layer(BatchNorm, "dbn"),
		layer(Add, "sum", "b3", "dbn"), layer(BatchNorm, "b4"),
		layer(Flatten, "f"), {Name: "l", Kind: Linear, Out: 5, Bias: true}, layer(BatchNorm, "lb"),
	}},
	{Name: "odd orders", Input: Shape{3, 6, 6}, Layers: []Layer{
		layer(BatchNorm, "ib"), layer(PReLU, "ip"),
		conv("c1", 4, 3, 1, 1, 1, true), layer(BatchNorm, "b1"), // a bias before a norm
		conv("c2", 4, 3, 1, 1, 1, false),
		layer(Add, "s1", "b1", "c2"), layer(ReLU, "r1"),
		conv("c3", 4, 3, 1, 1, 2, true), // groups
		layer(Add, "s2", "c3", "r1"), layer(Add, "s3", "s2", "b1"), layer(Add, "s4", "s3", "r1"),
		layer(Flatten, "f"), {Name: "l", Kind: Linear, Out: 7}, layer(PReLU, "lp"),
		{Name: "l2", Kind: Linear, Out: 3, Bias: true},
	}},
	{Name: "sums with what was normalised", Input: Shape{3, 6, 6}, Layers: []Layer{
		conv("c", 4, 3, 1, 1, 1, false), layer(PReLU, "p"), layer(Add, "s", "p", "c"),
		conv("d", 4, 3, 1, 1, 1, false), layer(BatchNorm, "b"), layer(Add, "t", "d", "b"),
		conv("e", 4, 3, 2, 1, 1, false), layer(Flatten, "f"), {Name: "l", Kind: Linear, Out: 4},
	}},
	{Name: "two norms of one convolution", Input: Shape{3, 5, 5}, Layers: []Layer{
		conv("c", 4, 3, 1, 1, 1, false), layer(BatchNorm, "a", "c"), layer(BatchNorm, "b", "c"), layer(PReLU, "p"), layer(Add, "s", "a", "p"),
		layer(Flatten, "f"), {Name: "l", Kind: Linear, Out: 4, Bias: true},
	}},
	{Name: "oblong kernels", Input: Shape{3, 6, 4}, Layers: []Layer{
		{Name: "c", Kind: Convolution, Out: 5, Kernel: 3, KernelWidth: 1, Pad: 0}, layer(PReLU, "p"),
		{Name: "d", Kind: Convolution, Out: 5, Kernel: 1, KernelWidth: 3, Pad: 1, Groups: 5},
		{Name: "g", Kind: Convolution, Out: 5, Kernel: 6, KernelWidth: 4, Groups: 5},
		layer(BatchNorm, "b"), layer(Flatten, "f"), {Name: "l", Kind: Linear, Out: 4},
	}},
	{Name: "squeeze and excite", Input: Shape{3, 6, 6}, Layers: []Layer{
		conv("c", 8, 3, 2, 1, 1, true), layer(Scale, "s"), applied("act", "hardswish", 1./6, 0.5),
		reduced("squeeze", "mean", AxisH, AxisW), conv("down", 4, 1, 1, 0, 1, true), layer(ReLU, "r"), conv("up", 8, 1, 1, 0, 1, true),
		applied("gate", "sigmoid", 0, 0), combined("scaled", "mul", "act", "gate"), layer(BatchNorm, "b"), applied("clip", "clip", -0.4, 0.6),
		layer(Flatten, "f"), {Name: "l", Kind: Linear, Out: 5},
	}},
	{Name: "pools and joins", Input: Shape{3, 9, 8}, Layers: []Layer{
		conv("c", 4, 3, 1, 1, 1, false), {Name: "leaky", Kind: LeakyReLU, More: More{Alpha: 0.1}},
		{Name: "max", Kind: MaxPool, Kernel: 3, Stride: 2, Pad: 1},
		{Name: "mean", Kind: AveragePool, Inputs: []string{"leaky"}, Kernel: 3, Stride: 2, Pad: 1, More: More{CountPad: true}},
		{Name: "joined", Kind: Concat, Inputs: []string{"max", "mean", "max"}},
		{Name: "edge", Kind: Border, More: More{Function: "reflect", Pads: []int{1, 0, 0, 2}}},
		{Name: "mirrored", Kind: Border, More: More{Function: "reflect", Pads: []int{0, 0, 0, 0, 2, -1}}},
		{Name: "cut", Kind: Slice, More: More{To: &Shape{5, 3, 3}, Start: []int{1, 5, 0}, Step: []int{2, -2, 2}}},
		{Name: "shuffled", Kind: Reshape, More: More{Dims: []int{5, 3, 3}, Perm: []int{1, 0, 2}, To: &Shape{3, 5, 3}}},
		combined("squared", "mul", "shuffled", "shuffled"), combined("less", "sub", "shuffled", "squared"), applied("tanh", "tanh", 0, 0),
		layer(Flatten, "f"), {Name: "l", Kind: Linear, Out: 4, Bias: true},
	}},
	{Name: "wide pools", Input: Shape{3, 6, 9}, Layers: []Layer{
		conv("c", 5, 3, 1, 1, 1, false), {Name: "max", Kind: MaxPool, Kernel: 2, KernelWidth: 5, Stride: 1, Pad: 1}, {Name: "next", Kind: MaxPool, Kernel: 3, KernelWidth: 4, Stride: 3, Pad: 1},
		layer(Flatten, "f"), {Name: "l", Kind: Linear, Out: 4, Bias: true},
	}},
	{Name: "oblong strides", Input: Shape{3, 9, 8}, Layers: []Layer{
		{Name: "c", Kind: Convolution, Out: 4, Kernel: 3, KernelWidth: 2, Stride: 2, More: More{StrideWidth: 1, Pads: []int{1, 0, 1, 0}}},
		{Name: "d", Kind: Convolution, Out: 4, Kernel: 3, Stride: 1, Groups: 4, More: More{StrideWidth: 2, Pads: []int{0, 1, 0, 1}}}, layer(PReLU, "p"),
		layer(Flatten, "f"), {Name: "l", Kind: Linear, Out: 4},
	}},
	{Name: "linear alone", Input: Shape{4, 1, 1}, Layers: []Layer{{Name: "l", Kind: Linear, Out: 3}}},
}

func applied(name, function string, a, b float64) Layer {
	return Layer{Name: name, Kind: Apply, More: More{Function: function, Alpha: a, Beta: b}}
}

func reduced(name, function string, axes ...int) Layer {
	return Layer{Name: name, Kind: Reduce, More: More{Function: function, Axes: axes}}
}

func combined(name, function string, inputs ...string) Layer {
	return Layer{Name: name, Kind: Combine, Inputs: inputs, More: More{Function: function}}
}

// sample returns parameters, buffers and images of a network.
func sample(n *Network, batch int) (theta, buffers, images []float32) {
	rng := rand.New(rand.NewPCG(1, 2))
	theta, buffers = make([]float32, Len(n.Params())), make([]float32, Len(n.Buffers()))
	n.Init(theta, buffers, 7)
	for i := range theta {
		theta[i] += 0.2 * rng.Float32()
	}
	for i := range buffers {
		buffers[i] += 0.3 * rng.Float32()
	}
	images = make([]float32, batch*n.Input.Len())
	for i := range images {
		images[i] = 2*rng.Float32() - 1
	}
	return theta, buffers, images
}

func wide(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// near compares with a tolerance relative to the largest value, or to floor if that is larger: it is
// float32's rounding over sums of some hundred terms.
func near(t *testing.T, what string, got []float32, want []float64, floor float64) {
	t.Helper()
	largest := floor
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	for i, v := range got {
		if !(math.Abs(float64(v)-want[i]) <= 2e-5*largest) {
			t.Errorf("%s[%d] is %v, want %v (largest %v)", what, i, v, want[i], largest)
			return
		}
	}
}

func TestTraining(t *testing.T) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	for _, net := range networks {
		t.Run(net.Name, func(t *testing.T) {
			const batch, n = 7, 5 // a batch that is not full
			theta, buffers, images := sample(net, batch)
			tr, err := NewTraining(net, batch, FP32, pool)
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			f := reference{net: net, theta: wide(theta), training: true}
			want := f.forward(images, n)
			tr.Forward(theta, images, batch) // leaves its traces in the memory
			y := tr.Forward(theta, images, n)
			near(t, "embedding", y, want, 0)

			// The gradient of the loss Σ y r, by central differences of the reference.
			rng := rand.New(rand.NewPCG(3, 4))
			r := make([]float32, len(y))
			for i := range r {
				r[i] = 2*rng.Float32() - 1
			}
			d := make([]float32, len(theta))
			for i := range d {
				d[i] = float32(math.NaN())
			}
			tr.Backward(theta, r, d)
			// Gradients that are 0 in theory, such as a bias's before a norm, are what is left of
			// terms as large as the others.
			floor := 0.0
			for _, v := range d {
				floor = max(floor, math.Abs(float64(v))/10)
			}
			for _, p := range net.Params() {
				numeric := make([]float64, p.Len)
				for k := range p.Len {
					loss := func(h float64) (sum float64) {
						saved := f.theta[p.Offset+k]
						f.theta[p.Offset+k] += h
						for i, v := range f.forward(images, n) {
							sum += v * float64(r[i])
						}
						f.theta[p.Offset+k] = saved
						return sum
					}
					const h = 1e-6
					numeric[k] = (loss(h) - loss(-h)) / (2 * h)
				}
				near(t, "gradient of "+p.Name, d[p.Offset:][:p.Len], numeric, floor)
			}

			f.forward(images, n)
			moved := slices.Clone(buffers)
			tr.UpdateBuffers(moved)
			r2 := net.must()
			for _, d := range r2.nodes {
				if d.Kind != BatchNorm {
					continue
				}
				pixels := float64(n * d.shape.H * d.shape.W)
				for i, factor := range []float64{1, pixels / (pixels - 1)} {
					b := r2.buffers[d.stats[i]]
					want := make([]float64, b.Len)
					for c := range want {
						want[c] = 0.9*float64(buffers[b.Offset+c]) + 0.1*factor*f.stats[d.Name][i][c]
					}
					near(t, b.Name, moved[b.Offset:][:b.Len], want, 0)
				}
			}
		})
	}
}

func TestInference(t *testing.T) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	for _, net := range networks {
		t.Run(net.Name, func(t *testing.T) {
			const batch, n = inferenceGroup + 4, inferenceGroup + 3 // two groups, the second not full
			theta, buffers, images := sample(net, batch)
			f := reference{net: net, theta: wide(theta), buffers: slices.Clone(buffers)}
			want := f.forward(images, n)
			inf, err := NewInference(net, theta, buffers, batch, FP32, pool)
			if err != nil {
				t.Fatal(err)
			}
			defer inf.Close()
			clear(theta) // it has its own copy
			clear(buffers)
			inf.Forward(images, batch)
			near(t, "embedding", inf.Forward(images, n), want, 0)
		})
	}
}

// Neither the number of threads nor what was computed before changes a bit.
func TestThreads(t *testing.T) {
	for _, net := range networks {
		const batch = 6
		theta, _, images := sample(net, batch)
		var first []float32
		for threads := 1; threads <= 3; threads++ {
			pool := kernel.NewPool(threads)
			tr, err := NewTraining(net, batch, FP32, pool)
			if err != nil {
				t.Fatal(err)
			}
			d := make([]float32, len(theta))
			var y []float32
			for range 2 {
				y = slices.Clone(tr.Forward(theta, images, batch))
				tr.Backward(theta, y, d)
			}
			got := append(y, d...)
			if first == nil {
				first = got
			}
			if !slices.Equal(got, first) {
				t.Errorf("%s: %d threads give other bits than 1", net.Name, threads)
			}
			tr.Close()
			pool.Close()
		}
	}
}

func TestMistakes(t *testing.T) {
	image := Shape{3, 8, 8}
	for _, c := range []struct {
		net  Network
		want string
	}{
		{Network{Input: image}, "without layers"},
		{Network{Layers: []Layer{conv("c", 4, 3, 1, 1, 1, false)}}, "input of"},
		{Network{Input: image, Layers: []Layer{conv("", 4, 3, 1, 1, 1, false)}}, "taken or empty"},
		{Network{Input: image, Layers: []Layer{conv(Input, 4, 3, 1, 1, 1, false)}}, "taken or empty"},
		{Network{Input: image, Layers: []Layer{layer(PReLU, "p", "q")}}, `no earlier layer "q"`},
		{Network{Input: image, Layers: []Layer{layer("pool", "p")}}, "no such kind"},
		{Network{Input: image, Layers: []Layer{layer(Add, "p", Input)}}, "1 inputs, want 2"},
		{Network{Input: image, Layers: []Layer{layer(Add, "p", Input, Input)}}, "to itself"},
		{Network{Input: image, Layers: []Layer{conv("c", 4, 3, 1, 1, 2, false)}}, "groups"},
		{Network{Input: image, Layers: []Layer{conv("c", 4, 9, 1, 0, 1, false)}}, "larger than"},
		{Network{Input: image, Layers: []Layer{conv("c", -4, 3, 1, 0, 1, false)}}, "not a convolution"},
		{Network{Input: image, Layers: []Layer{conv("c", 4, 3, 1, 1, 1, false), layer(Add, "a", "c", Input)}}, "adds"},
		{Network{Input: image, Layers: []Layer{{Name: "l", Kind: Linear, Out: 4}}}, "put a flatten"},
		{Network{Input: image, Layers: []Layer{conv("c", 4, 3, 1, 1, 1, false)}}, "want a vector"},
		{Network{Input: image, Layers: []Layer{layer(PReLU, "p"), conv("c", 4, 8, 1, 0, 1, false), conv("d", 4, 8, 1, 0, 1, false)}}, "larger than"},
		{Network{Input: image, Layers: []Layer{layer(PReLU, "p"), {Name: "c", Kind: Convolution, Inputs: []string{Input}, Out: 4, Kernel: 8}}}, `nothing reads layer "p"`},
		{Network{Input: image, Layers: []Layer{layer(Flatten, "f"), layer(BatchNorm, "b")}}, "which only a linear layer can read"},
		{Network{Input: image, Layers: []Layer{layer(Flatten, "f")}}, "a linear layer must follow"},
		{Network{Input: image, Layers: []Layer{layer(PReLU, "p"), layer(Flatten, "f"), conv("c", 4, 1, 1, 0, 1, false)}}, "which only a linear layer can read"},
		{Network{Input: Shape{3, 1, 1}, Layers: []Layer{layer(Flatten, "f")}}, "nothing of its own"},
		{Network{Input: image, Layers: []Layer{conv("c", 4, 3, 1, 1, 1, false), layer(Add, "a", "c", "c"), layer(Flatten, "f"), {Name: "l", Kind: Linear, Out: 2}}}, "\"a\""},
	} {
		_, err := NewTraining(&c.net, 2, FP32, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.net, err, c.want)
		}
	}
}

func TestDescriptionSurvivesJSON(t *testing.T) {
	for _, net := range networks {
		text, err := json.Marshal(net)
		if err != nil {
			t.Fatal(err)
		}
		var back Network
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if again, _ := json.Marshal(&back); string(again) != string(text) {
			t.Errorf("%s came back as %s", text, again)
		}
	}
}

func TestSummary(t *testing.T) {
	s := networks[1].Summary()
	want := map[string][2]int{ // parameters and multiply-accumulates, worked out by hand
		"c": {6 * 27, 16 * 6 * 27}, "b": {12, 0}, "p": {6, 0}, "e": {60, 16 * 60}, "d": {90, 16 * 90},
		"g": {96, 96}, "l": {30, 30}, "sum": {0, 0},
	}
	for _, row := range s.Rows {
		if w, ok := want[row.Name]; ok && (row.Params != w[0] || row.MACs != w[1]) {
			t.Errorf("%s has %d parameters and %d multiply-accumulates, want %v", row.Name, row.Params, row.MACs, w)
		}
	}
	if s.Params != Len(networks[1].Params()) || s.Dim != 5 {
		t.Errorf("%d parameters in all, Dim %d", s.Params, s.Dim)
	}
	bytes, err := TrainingBytes(networks[1], 8, FP32)
	tr, err2 := NewTraining(networks[1], 8, FP32, kernel.NewPool(1))
	if err != nil || err2 != nil || bytes != tr.Bytes() {
		t.Errorf("TrainingBytes is %d, %v; Bytes %d, %v", bytes, err, tr.Bytes(), err2)
	}
	tr.Close()
}

// Products and activations of bfloat16 change the results, by no more than its eight bits explain.
func TestBF16(t *testing.T) {
	plain := &Network{Name: "mixed", Input: Shape{3, 16, 16}, Layers: []Layer{
		conv("c1", 32, 3, 1, 1, 1, false), layer(BatchNorm, "b1"), layer(PReLU, "p1"),
		conv("c2", 64, 3, 2, 1, 1, false), layer(BatchNorm, "b2"), layer(PReLU, "p2"),
		conv("d", 64, 3, 1, 1, 64, false), conv("c3", 32, 1, 1, 0, 1, true), layer(PReLU, "p3"),
		layer(Flatten, "f"), {Name: "l", Kind: Linear, Out: 16},
	}}
	// A stem whose output is stored in bfloat16 for a batch norm of its own and a shortcut, and sums that are not.
	residual := &Network{Name: "residual", Input: Shape{3, 16, 16}, Layers: []Layer{
		conv("stem", 32, 3, 1, 1, 1, false), layer(BatchNorm, "sb"), layer(PReLU, "sp"),
		layer(BatchNorm, "b1"), conv("c1", 32, 3, 1, 1, 1, false), layer(BatchNorm, "b2"), layer(PReLU, "p2"),
		conv("c2", 32, 3, 2, 1, 1, false), layer(BatchNorm, "b3"),
		{Name: "short", Kind: Convolution, Out: 32, Kernel: 1, Stride: 2, Groups: 1, Inputs: []string{"sp"}}, layer(BatchNorm, "shortb"),
		layer(Add, "sum", "b3", "shortb"),
		layer(BatchNorm, "b4"), conv("c3", 32, 3, 1, 1, 1, false), layer(BatchNorm, "b5"), layer(Add, "sum2", "b5", "sum"),
		layer(Flatten, "f"), {Name: "l", Kind: Linear, Out: 16},
	}}
	for _, net := range []*Network{plain, residual} {
		t.Run(net.Name, func(t *testing.T) { testBF16(t, net) })
	}
}

func testBF16(t *testing.T, net *Network) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	const batch = 8
	theta, buffers, images := sample(net, batch)
	run := func(p Precision) (y, d, embedding []float32) {
		tr, err := NewTraining(net, batch, p, pool)
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		inf, err := NewInference(net, theta, buffers, batch, p, pool)
		if err != nil {
			t.Fatal(err)
		}
		defer inf.Close()
		y, d = slices.Clone(tr.Forward(theta, images, batch)), make([]float32, len(theta))
		tr.Backward(theta, y, d)
		return y, d, slices.Clone(inf.Forward(images, batch))
	}
	y32, d32, e32 := run(FP32)
	y16, d16, e16 := run(BF16)
	for _, c := range []struct {
		what      string
		want, got []float32
	}{{"output", y32, y16}, {"gradient", d32, d16}, {"embedding", e32, e16}} {
		var difference, size float64
		for i, v := range c.want {
			difference += math.Pow(float64(c.got[i]-v), 2)
			size += math.Pow(float64(v), 2)
		}
		relative := math.Sqrt(difference / size)
		t.Logf("%s: the error is %.2g of its norm", c.what, relative)
		if !(relative > 1e-5 && relative < 2e-2) {
			t.Errorf("%s: the error is %.2g of its norm", c.what, relative)
		}
	}
}
