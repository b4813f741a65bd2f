package onnx

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/nn"
)

// small is a network that has been written, for tests to spoil.
func small(t testing.TB, o ExportOptions) []byte {
	t.Helper()
	n := &nn.Network{Name: "small", Input: nn.Shape{C: 3, H: 8, W: 6}, Layers: []nn.Layer{
		{Name: "conv", Kind: nn.Convolution, Out: 4, Kernel: 3, Stride: 2, Pad: 1},
		{Name: "bn", Kind: nn.BatchNorm}, {Name: "prelu", Kind: nn.PReLU},
		{Name: "pool", Kind: nn.Reduce, More: nn.More{Function: "mean", Axes: []int{nn.AxisH, nn.AxisW}}},
		{Name: "gate", Kind: nn.Apply, More: nn.More{Function: "sigmoid"}},
		{Name: "scaled", Kind: nn.Combine, Inputs: []string{"prelu", "gate"}, More: nn.More{Function: "mul"}},
		{Name: "flatten", Kind: nn.Flatten}, {Name: "fc", Kind: nn.Linear, Out: 5, Bias: true},
	}}
	theta, buffers := make([]float32, nn.Len(n.Params())), make([]float32, nn.Len(n.Buffers()))
	n.Init(theta, buffers, 1)
	b, err := Encode(n, theta, buffers, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// raw writes a model by hand: a graph of fields, as protocol buffers have them.
type raw struct{ b []byte }

func (r *raw) message(num protowire.Number, parts ...func(*raw)) *raw {
	var m raw
	for _, p := range parts {
		p(&m)
	}
	r.b = appendMessage(r.b, num, m.b)
	return r
}

func text(num protowire.Number, s string) func(*raw) {
	return func(r *raw) { r.b = appendText(r.b, num, s) }
}

func integer(num protowire.Number, v int64) func(*raw) {
	return func(r *raw) { r.b = appendInt(r.b, num, v) }
}

func message(num protowire.Number, parts ...func(*raw)) func(*raw) {
	return func(r *raw) { r.message(num, parts...) }
}

// node, tensor, in and out are parts of a graph.
func node(op string, inputs []string, output string, attributes ...func(*raw)) func(*raw) {
	return message(1, func(r *raw) {
		for _, i := range inputs {
			text(1, i)(r)
		}
		text(2, output)(r)
		text(4, op)(r)
		for _, a := range attributes {
			a(r)
		}
	})
}

func attributeOf(name string, value any) func(*raw) {
	return func(r *raw) { r.b = attribute{name, value}.append(r.b) }
}

func floatsOf(name string, values []float32, dims ...int) func(*raw) {
	return func(r *raw) { r.b = appendTensor(r.b, name, dims, &array{floats: values}, false) }
}

func intsOf(name string, values ...int64) func(*raw) {
	return func(r *raw) { r.b = appendTensor(r.b, name, []int{len(values)}, ints(nil, values...), false) }
}

func images(dims ...int) func(*raw) {
	return func(r *raw) { r.b = appendValue(r.b, 11, "x", dims) }
}

// model is a file of opset 13 with a graph that reads x and gives y.
func model(parts ...func(*raw)) []byte {
	return modelOf(13, parts...)
}

func modelOf(opset int64, parts ...func(*raw)) []byte {
	r := &raw{}
	r.message(7, append(parts, func(r *raw) { r.b = appendValue(r.b, 12, "y", []int{0, 1}) })...)
	r.message(8, text(1, ""), integer(2, opset))
	return r.b
}

// Whatever is wrong in a file is said.
func TestHostile(t *testing.T) {
	in := images(0, 3, 4, 4)
	one := []float32{1}
	for _, tt := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "this is no ONNX file"},
		{"text", []byte("hello, this is text"), "this is no ONNX file"},
		{"cut short", small(t, ExportOptions{})[:900], "this is no ONNX file, or it is damaged"},
		{"no nodes", model(in), "the graph has 0 nodes"},
		{"old", modelOf(6, in, node("Relu", []string{"x"}, "y")), "opset 6; this program reads 7 to"},
		{"new", modelOf(99, in, node("Relu", []string{"x"}, "y")), "opset 99; this program reads 7 to"},
		{"missing operators", model(in, node("Einsum", []string{"x"}, "a"), node("LSTM", []string{"a"}, "y")), `the node (Einsum) that gives "a": operator Einsum of opset 13 is not supported`},
		{"domain", model(in, node("Relu", []string{"x"}, "y", text(7, "com.example"))), `operator Relu of domain "com.example" is not supported`},
		{"cycle", model(in, node("Add", []string{"x", "b"}, "a"), node("Relu", []string{"a"}, "b"), node("Relu", []string{"b"}, "y")), `its input "b" is given by no node before it`},
		{"missing tensor", model(in, node("Conv", []string{"x", "w"}, "y")), `its input "w" is given by no node before it`},
		{"dangling", model(in, node("Add", []string{"x", "q"}, "y")), `given by no node`},
		{"no output", model(in, node("Relu", []string{"x"}, "z")), "the graph has 0 inputs"},
		{"given twice", model(in, node("Relu", []string{"x"}, "a"), node("Tanh", []string{"x"}, "a"), node("Relu", []string{"a"}, "y")), `two nodes give "a"`},
		{"constant given twice", model(in, node("Constant", nil, "w", attributeOf("value_ints", []int{3})), node("Constant", nil, "w", attributeOf("value_ints", []int{2})), node("Relu", []string{"x"}, "y")), `tensor "w": its name is empty or taken`},
		{"constant and tensor", model(in, floatsOf("w", one, 1), node("Constant", nil, "w", attributeOf("value_int", 1)), node("Relu", []string{"x"}, "y")), `tensor "w": its name is empty or taken`},
		{"short weight", model(in, message(5, integer(1, 1000), integer(1, 1000), integer(2, 1), text(8, "w"), text(9, "abcd")), node("Add", []string{"x", "w"}, "y")), `tensor "w": a shape of [1000 1000] wants 4000000 bytes, it has 4`},
		{"huge weight", model(in, message(5, integer(1, 1<<40), integer(2, 1), text(8, "w")), node("Add", []string{"x", "w"}, "y")), `tensor "w": its shape is [1099511627776]`},
		{"overflowing weight", model(in, message(5, integer(1, 1<<20), integer(1, 1<<20), integer(1, 1<<20), integer(1, 1<<20), integer(2, 1), text(8, "w")), node("Add", []string{"x", "w"}, "y")), "is too large"},
		{"negative weight", model(in, message(5, integer(1, -1), integer(2, 1), text(8, "w")), node("Add", []string{"x", "w"}, "y")), `tensor "w": its shape is [-1]`},
		{"strings", model(in, message(5, integer(1, 1), integer(2, 8), text(8, "w")), node("Add", []string{"x", "w"}, "y")), `tensor "w": type 8 is not supported`},
		{"elsewhere", model(in, message(5, integer(1, 1), integer(2, 1), text(8, "w"), integer(14, 1), message(13, text(1, "location"), text(2, "../secret"))), node("Add", []string{"x", "w"}, "y")), `its data are in "../secret", which is not a file beside the model`},
		{"not there", model(in, message(5, integer(1, 1), integer(2, 1), text(8, "w"), message(13, text(1, "location"), text(2, "weights.bin"))), node("Add", []string{"x", "w"}, "y")), "its data are in another file"},
		{"huge input", model(images(0, 3, 1<<20, 1<<20), node("Relu", []string{"x"}, "y")), "is too large"},
		{"wrong groups", model(in, floatsOf("w", make([]float32, 4*2*9), 4, 2, 3, 3), node("Conv", []string{"x", "w"}, "y")), "a weight of [4 2 3 3] in 1 groups for images of 3x4x4"},
		{"wrong bias", model(in, floatsOf("w", make([]float32, 4*3), 4, 3, 1, 1), floatsOf("b", one, 1), node("Conv", []string{"x", "w", "b"}, "y")), "a bias of 1 for 4 channels"},
		{"large kernel", model(in, floatsOf("w", make([]float32, 3*25), 1, 3, 5, 5), node("Conv", []string{"x", "w"}, "y")), "is larger than an image"},
		{"random dropout", model(in, intsOf("on", 1), node("Dropout", []string{"x", "", "on"}, "y")), "it is in training mode, where what it gives is random"},
		{"huge pool", model(images(0, 1<<24, 1, 1), node("MaxPool", []string{"x"}, "y", attributeOf("kernel_shape", []int{1, 1000}), attributeOf("pads", []int{0, 0, 0, 999}))), "its windows lie over 1000 pixels of 16777216 channels"},
		{"huge stride", model(in, floatsOf("w", make([]float32, 3), 1, 3, 1, 1), node("Conv", []string{"x", "w"}, "y", attributeOf("strides", []int{1 << 40, 1}))), "strides is [1099511627776 1]"},
		{"reshape", model(in, intsOf("s", -1, 7), node("Reshape", []string{"x", "s"}, "y")), "a shape of [-1 7] for an array of [1 3 4 4]"},
		{"two unknowns", model(in, intsOf("s", -1, -1), node("Reshape", []string{"x", "s"}, "y")), "a shape of [-1 -1]"},
		{"expanded to much", model(in, intsOf("s", 1<<20, 3, 1<<20, 4), node("Expand", []string{"x", "s"}, "a"), node("Relu", []string{"a"}, "y")), "a shape of"},
		{"much of nothing", model(in, intsOf("s", 1<<13, 1<<13), node("ConstantOfShape", []string{"s"}, "c"), node("ConstantOfShape", []string{"s"}, "d"), node("Add", []string{"c", "d"}, "e"), node("Add", []string{"x", "e"}, "y")), "its constants are too large"},
		{"perm", model(in, node("Transpose", []string{"x"}, "y", attributeOf("perm", []int{0, 1, 1, 2}))), "permutes [1 3 4 4] by [0 1 1 2]"},
		{"axis", model(in, node("Concat", []string{"x", "x"}, "y", attributeOf("axis", 9))), "axis 9 of an array of 4 sides"},
		{"apart", model(in, floatsOf("w", []float32{1, 2, 3, 4, 5}, 5), node("Add", []string{"x", "w"}, "y")), "do not go together"},
		{"dynamic weight", model(in, node("Relu", []string{"x"}, "w"), node("Conv", []string{"x", "w"}, "y")), "depends on the images, which is not supported"},
		{"control flow", model(in, node("If", []string{"x"}, "y", message(5, text(1, "then_branch"), message(6), integer(20, 5)))), "is a graph: control flow is not supported"},
		{"divided by zero", model(in, intsOf("a", 1), intsOf("b", 0), node("Div", []string{"a", "b"}, "c"), node("Reshape", []string{"x", "c"}, "y")), "it divides by 0"},
		{"any size", model(images(0, 3, 0, 0), node("Relu", []string{"x"}, "y")), "a size must be given"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode(tt.file, t.TempDir(), Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// External data are read from a file beside the model, and only from there.
func TestExternalData(t *testing.T) {
	dir := t.TempDir()
	external := func(location string) []byte {
		return model(images(0, 3, 1, 1), message(5, integer(1, 3), integer(1, 1), integer(1, 1), integer(2, 1), text(8, "w"), integer(14, 1),
			message(13, text(1, "location"), text(2, location)), message(13, text(1, "offset"), text(2, "4")), message(13, text(1, "length"), text(2, "12"))),
			node("Mul", []string{"x", "w"}, "y"))
	}
	data := []byte{9, 9, 9, 9, 0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64} // 1, 2, 3 from byte 4 on
	if err := os.WriteFile(filepath.Join(dir, "weights.bin"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := Decode(external("weights.bin"), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []float32{1, 2, 3, 0, 0, 0}; !slices.Equal(m.Theta, want) {
		t.Errorf("weights %v, want %v", m.Theta, want)
	}
	if err := os.WriteFile(filepath.Join(dir, "short.bin"), data[:8], 0o600); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "outside.bin")
	if err := os.WriteFile(outside, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link.bin")); err != nil {
		t.Skip(err)
	}
	for location, want := range map[string]string{
		"short.bin": "its data are 12 bytes from 4 on of short.bin, which has 8", "link.bin": "its data are in another file", outside: "which is not a file beside the model",
	} {
		if _, err := Decode(external(location), dir, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", location, err, want)
		}
	}
}

// Weights of all types come out as the numbers that they are.
func TestTypes(t *testing.T) {
	for kind, b := range map[int64][]byte{
		typeFloat: {0, 0, 128, 191}, typeDouble: {0, 0, 0, 0, 0, 0, 240, 191}, typeFloat16: {0, 0xbc}, typeBFloat16: {0x80, 0xbf},
		typeInt8: {255}, typeInt16: {255, 255}, typeInt32: {255, 255, 255, 255}, typeInt64: bytes.Repeat([]byte{255}, 8),
	} {
		a, err := (&tensorProto{kind: kind, raw: b}).array("")
		if err != nil || a.at(0) != -1 {
			t.Errorf("type %d: %v, %v", kind, a, err)
		}
	}
	for _, h := range []uint16{0, 1, 0x3ff, 0x400, 0x3c00, 0x7bff, 0x7c00, 0x8001, 0xfbff} {
		if got := floatToHalf(halfToFloat(h)); got != h {
			t.Errorf("half %#x came back as %#x", h, got)
		}
	}
}

// FuzzDecode: a file is a network that runs, or an error; it takes memory in proportion to its size.
func FuzzDecode(f *testing.F) {
	for _, o := range []ExportOptions{{}, {Opset: 11, FoldNorms: true}, {Opset: 21, Half: true, Normalize: true}} {
		f.Add(small(f, o))
	}
	f.Add(model(images(0, 3, 4, 4), intsOf("s", 0, -1), node("Reshape", []string{"x", "s"}, "a"), node("Transpose", []string{"a"}, "b", attributeOf("perm", []int{1, 0})), node("Softmax", []string{"b"}, "y")))
	f.Add(model(images(1, 4, 4, 4), floatsOf("s", []float32{1, 1, 2, 2}, 4), node("Resize", []string{"x", "", "s"}, "a"), node("MaxPool", []string{"a"}, "b", attributeOf("kernel_shape", []int{2, 2}), attributeOf("ceil_mode", 1)),
		node("Split", []string{"b"}, "c", attributeOf("axis", 1)), node("Shape", []string{"c"}, "d"), node("Expand", []string{"c", "d"}, "y")))
	pool := kernel.NewPool(1)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<14 {
			return
		}
		m, err := decodeNetwork(b, "testdata/none", Options{Height: 8, Width: 8})
		if err != nil {
			return
		}
		if m.Network.Input.Len() > 1<<12 {
			return
		}
		for _, l := range m.Network.Summary().Rows {
			if l.Output.Len() > 1<<14 || l.MACs > 1<<22 {
				return
			}
		}
		inf, err := nn.NewInference(m.Network, m.Theta, m.Buffers, 1, nn.FP32, pool)
		if err != nil {
			return
		}
		defer inf.Close()
		inf.Forward(make([]float32, m.Network.Input.Len()), 1)
	})
}
