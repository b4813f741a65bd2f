package onnx

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/nn"
)

// every is a network with the kinds of layers that can be written and the backbones do not have.
func every() *nn.Network {
	apply := func(name, function string, a, b float64) nn.Layer {
		return nn.Layer{Name: name, Kind: nn.Apply, More: nn.More{Function: function, Alpha: a, Beta: b}}
	}
	layers := []nn.Layer{
		{Name: "scale", Kind: nn.Scale},
		{Name: "conv", Kind: nn.Convolution, Out: 8, Kernel: 3, Stride: 2, Bias: true, More: nn.More{StrideWidth: 1, Dilation: 2, Pads: []int{2, 1, 2, 1}}},
		{Name: "leaky", Kind: nn.LeakyReLU, More: nn.More{Alpha: 0.1}},
		{Name: "up", Kind: nn.Transposed, Out: 6, Kernel: 2, Stride: 2, Groups: 2, Bias: true, More: nn.More{ExtraH: 1}},
		{Name: "max", Kind: nn.MaxPool, Kernel: 3, Stride: 2, Pad: 1},
		{Name: "mean", Kind: nn.AveragePool, Inputs: []string{"up"}, Kernel: 3, Stride: 2, Pad: 1, More: nn.More{CountPad: true}},
		{Name: "joined", Kind: nn.Concat, Inputs: []string{"max", "mean"}},
		{Name: "edge", Kind: nn.Border, More: nn.More{Function: "reflect", Pads: []int{1, 0, 0, 1}}},
		{Name: "cut", Kind: nn.Slice, More: nn.More{To: &nn.Shape{C: 6, H: 4, W: 4}, Start: []int{1, 3, 0}, Step: []int{2, -1, 1}}},
		{Name: "shuffled", Kind: nn.Reshape, More: nn.More{Dims: []int{2, 3, 16}, Perm: []int{1, 0, 2}, To: &nn.Shape{C: 6, H: 4, W: 4}}},
		{Name: "softmax", Kind: nn.Softmax, More: nn.More{Axis: nn.AxisC}},
		{Name: "squeeze", Kind: nn.Reduce, Inputs: []string{"shuffled"}, More: nn.More{Function: "mean", Axes: []int{nn.AxisH, nn.AxisW}}},
		{Name: "gated", Kind: nn.Combine, Inputs: []string{"softmax", "squeeze"}, More: nn.More{Function: "mul"}},
		{Name: "grid", Kind: nn.Constant, More: nn.More{To: &nn.Shape{C: 1, H: 4, W: 4}}},
		{Name: "placed", Kind: nn.Combine, Inputs: []string{"gated", "grid"}, More: nn.More{Function: "add"}},
	}
	for _, f := range []struct {
		name string
		a, b float64
	}{{"clip", -0.5, 0.7}, {"linear", 1.5, 0.25}, {"sigmoid", 0, 0}, {"silu", 0, 0}, {"hardswish", 1. / 6, 0.5}, {"hardsigmoid", 0.2, 0.5}, {"mish", 0, 0}, {"gelu", 0, 0}, {"elu", 0.9, 0}, {"celu", 1.1, 0}, {"selu", 1.6, 1.05}, {"tanh", 0, 0}, {"softplus", 0, 0}, {"pow", 2, 0}} {
		layers = append(layers, apply("f."+f.name, f.name, f.a, f.b))
	}
	return &nn.Network{Name: "every", Input: nn.Shape{C: 3, H: 9, W: 5}, Layers: append(layers,
		nn.Layer{Name: "sum", Kind: nn.Reduce, More: nn.More{Function: "sum", Axes: []int{nn.AxisW}}},
		nn.Layer{Name: "flatten", Kind: nn.Flatten}, nn.Layer{Name: "images", Kind: nn.Linear, Out: 7}, // a name that is taken
		nn.Layer{Name: "unit", Kind: nn.Normalize, More: nn.More{Alpha: 2, Beta: 1e-9}},
	)}
}

// What is written is read as a network that gives the same, in every opset; and the same again when it is written again.
func TestWriteEvery(t *testing.T) {
	n := every()
	r := rand.New(rand.NewPCG(1, 2))
	theta, buffers := make([]float32, nn.Len(n.Params())), make([]float32, nn.Len(n.Buffers()))
	n.Init(theta, buffers, 1)
	for _, x := range [][]float32{theta, buffers} {
		for i := range x {
			x[i] += 0.3 * r.Float32()
		}
	}
	images := make([]float32, 2*n.Input.Len())
	for i := range images {
		images[i] = 2*r.Float32() - 1
	}
	pool := kernel.NewPool(1)
	defer pool.Close()
	run := func(n *nn.Network, theta, buffers []float32) []float32 {
		inf, err := nn.NewInference(n, theta, buffers, 2, nn.FP32, pool)
		if err != nil {
			t.Fatal(err)
		}
		defer inf.Close()
		return slices.Clone(inf.Forward(images, 2))
	}
	want := run(n, theta, buffers)
	for opset := 13; opset <= MaxExportOpset; opset++ {
		b, err := Encode(n, theta, buffers, ExportOptions{Opset: opset})
		if err != nil {
			t.Fatal(err)
		}
		m, err := Decode(b, "", Options{})
		if err != nil {
			t.Fatalf("opset %d: %v", opset, err)
		}
		for i, v := range run(m.Network, m.Theta, m.Buffers) {
			if !(math.Abs(float64(v-want[i])) <= 2e-6) {
				t.Fatalf("opset %d: number %d is %v, want %v", opset, i, v, want[i])
			}
		}
		again, err := Encode(m.Network, m.Theta, m.Buffers, ExportOptions{Opset: opset})
		if err != nil {
			t.Fatal(err)
		}
		m2, err := Decode(again, "", Options{})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(kinds(m.Network), kinds(m2.Network)); d != "" {
			t.Errorf("opset %d: written again it has other layers: %s", opset, d)
		}
	}
	if _, err := Encode(n, theta, buffers, ExportOptions{Opset: 12}); err == nil {
		t.Error("opset 12 has no softmax along channels of an image, and was written")
	}
}

func kinds(n *nn.Network) (list []nn.Kind) {
	for _, l := range n.Layers {
		list = append(list, l.Kind)
	}
	return list
}
