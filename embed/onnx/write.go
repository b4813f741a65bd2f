package onnx

import (
	"fmt"
	"maps"
	"slices"

	"github.com/faceverify/fv/internal/nn"
)

// Opsets that Encode writes.
const (
	MinExportOpset = 11
	MaxExportOpset = 21
	DefaultOpset   = 17
)

// Names of the input and of the output of files that Encode writes.
const (
	InputName  = "images"
	OutputName = "embedding"
)

// ExportOptions say how a network is written.
type ExportOptions struct {
	Opset     int  // 0 means DefaultOpset
	FoldNorms bool // batch norms become part of the convolutions and linear layers before them, where only they read these
	Normalize bool // the embedding is divided by its length
	Half      bool // weights are kept in half precision, and cast to single where they are used

	Producer string
	Version  string
	Metadata map[string]string
}

// The ONNX format's version that goes with opsets: a reader of an older one would not know it.
func irVersion(opset int) int64 {
	switch {
	case opset <= 11:
		return 6
	case opset <= 14:
		return 7
	case opset <= 18:
		return 8
	case opset <= 20:
		return 9
	}
	return 10
}

// Encode returns an ONNX file of a network: images [N,3,H,W] in, embeddings [N,D] out, any N. Nodes have the names of layers,
// weights those of parameters. Equal networks give equal bytes.
func Encode(n *nn.Network, theta, buffers []float32, o ExportOptions) ([]byte, error) {
	if o.Opset == 0 {
		o.Opset = DefaultOpset
	}
	if o.Opset < MinExportOpset || o.Opset > MaxExportOpset {
		return nil, fmt.Errorf("opset %d; this program writes %d to %d", o.Opset, MinExportOpset, MaxExportOpset)
	}
	if err := n.Check(); err != nil {
		return nil, err
	}
	if len(n.Outputs) > 0 {
		return nil, fmt.Errorf("a network of several outputs is not written")
	}
	x := &exporter{ExportOptions: o, net: n, weights: map[string][]float32{}, values: map[string]exported{}}
	for _, part := range []struct {
		params []nn.Param
		from   []float32
	}{{n.Params(), theta}, {n.Buffers(), buffers}} {
		for _, p := range part.params {
			x.weights[p.Name] = part.from[p.Offset:][:p.Len]
		}
	}
	if o.FoldNorms {
		x.foldNorms()
	}
	return x.encode()
}

// exporter writes a network.
type exporter struct {
	ExportOptions
	net     *nn.Network
	weights map[string][]float32
	values  map[string]exported // by layer
	last    string              // the layer that gives the embedding

	nodes, tensors []byte
	written        map[string]bool // names of tensors
	owned          map[string]string
}

// own returns a name for a value that is a layer's own business: the one that is asked for, unless a layer has it, always the same.
func (x *exporter) own(name string) string {
	if by, ok := x.owned[name]; ok {
		return by
	}
	by := name
	for i := 2; x.taken(by); i++ {
		by = fmt.Sprintf("%s_%d", name, i)
	}
	x.owned[name] = by
	return by
}

// taken reports whether a name is a layer's or given away by own.
func (x *exporter) taken(name string) bool {
	for _, by := range x.owned {
		if by == name {
			return true
		}
	}
	return slices.ContainsFunc(x.net.Layers, func(l nn.Layer) bool { return l.Name == name })
}

// exported is what a layer's value is called, and its shape: an image's is [N,C,H,W], a vector's [N,C].
type exported struct {
	name   string
	shape  nn.Shape
	vector bool
}

func (x *exporter) encode() ([]byte, error) {
	x.written, x.owned = map[string]bool{}, map[string]string{}
	in := x.net.Input
	x.values[nn.Input] = exported{name: InputName, shape: in}
	x.last = x.net.Layers[len(x.net.Layers)-1].Name
	for i, l := range x.net.Layers {
		if len(l.Inputs) == 0 && l.Kind != nn.Constant {
			l.Inputs = []string{nn.Input}
			if i > 0 {
				l.Inputs[0] = x.net.Layers[i-1].Name
			}
		}
		if err := x.layer(l); err != nil {
			return nil, fmt.Errorf("layer %q (%s): %w", l.Name, l.Kind, err)
		}
	}
	out := x.values[x.last]
	if x.Normalize {
		x.norm(OutputName, out.name, OutputName, 1, leastNorm)
	}
	g := append(slices.Clone(x.nodes), appendText(nil, 2, x.net.Name)...)
	g = append(g, x.tensors...)
	g = appendValue(g, 11, InputName, []int{0, in.C, in.H, in.W})
	g = appendValue(g, 12, OutputName, []int{0, out.shape.C})

	m := appendInt(nil, 1, irVersion(x.Opset))
	m = appendText(m, 2, x.Producer)
	m = appendText(m, 3, x.Version)
	m = appendMessage(m, 7, g)
	m = appendMessage(m, 8, appendInt(appendText(nil, 1, ""), 2, int64(x.Opset)))
	for _, key := range slices.Sorted(maps.Keys(x.Metadata)) {
		m = appendMessage(m, 14, appendText(appendText(nil, 1, key), 2, x.Metadata[key]))
	}
	if len(m) > maxFile {
		return nil, fmt.Errorf("%d bytes; an ONNX file has at most %d", len(m), maxFile)
	}
	return m, nil
}

// node adds a node that gives one value.
func (x *exporter) node(op, name, out string, in []string, attributes ...attribute) {
	var n []byte
	for _, i := range in {
		n = appendText(n, 1, i)
	}
	n = appendText(n, 2, out)
	n = appendText(n, 3, name)
	n = appendText(n, 4, op)
	for _, a := range attributes {
		n = a.append(n)
	}
	x.nodes = appendMessage(x.nodes, 1, n)
}

// leastHalf is how many numbers a tensor has that is worth half precision. Biases and statistics stay exact.
const leastHalf = 2048

// helper adds a node for a value that is a layer's own business, and returns what that is called.
func (x *exporter) helper(op, name string, in []string, attributes ...attribute) string {
	name = x.own(name)
	x.node(op, name, name, in, attributes...)
	return name
}

// tensor adds weights and returns what they are called where they are used.
func (x *exporter) tensor(name string, dims []int, values []float32) string {
	return x.tensorAs(x.own(name), dims, values)
}

// tensorAs is tensor under a name that is not changed.
func (x *exporter) tensorAs(name string, dims []int, values []float32) string {
	if x.written[name] {
		return name
	}
	x.written[name] = true
	a := &array{floats: values}
	if !x.Half || len(values) < leastHalf {
		x.tensors = appendTensor(x.tensors, name, dims, a, false)
		return name
	}
	x.tensors = appendTensor(x.tensors, name+".half", dims, a, true)
	x.node("Cast", name+"/cast", name, []string{name + ".half"}, attribute{"to", typeFloat})
	return name
}

// list adds integers.
func (x *exporter) list(name string, v ...int) string {
	name = x.own(name)
	x.tensors = appendTensor(x.tensors, name, []int{len(v)}, vectorOf(v), false)
	return name
}

// number adds one number, in single precision.
func (x *exporter) number(name string, v float64) string {
	name = x.own(name)
	x.tensors = appendTensor(x.tensors, name, nil, &array{floats: []float32{float32(v)}}, false)
	return name
}

// leastNorm is what the length of an embedding counts as at least, as PyTorch's normalize has it.
const leastNorm = 1e-12

// valueOf returns what a layer's value is called: as the layer, unless that is taken, or it is the output.
func (x *exporter) valueOf(layer string) string {
	switch {
	case layer == x.last && !x.Normalize:
		return OutputName
	case layer == InputName || layer == OutputName:
		return layer + "/given"
	}
	return layer
}

// norm adds the nodes of a division by the norm along an axis: x / max(‖x‖, least).
func (x *exporter) norm(name, in, out string, axis int, least float64) {
	keep := attribute{"keepdims", 1}
	if x.Opset >= 18 {
		x.helper("ReduceL2", name+"/norm", []string{in, x.list(name+"/axes", axis)}, keep)
	} else {
		x.helper("ReduceL2", name+"/norm", []string{in}, attribute{"axes", []int{axis}}, keep)
	}
	x.helper("Clip", name+"/clip", []string{x.own(name + "/norm"), x.number(name+"/least", least)})
	x.node("Div", name+"/div", out, []string{in, x.own(name + "/clip")})
}

// foldNorms makes batch norms part of the layers before them.
func (x *exporter) foldNorms() {
	net := *x.net
	net.Layers = slices.Clone(net.Layers)
	for i := range net.Layers {
		l := &net.Layers[i]
		if len(l.Inputs) == 0 && i > 0 && l.Kind != nn.Constant {
			l.Inputs = []string{net.Layers[i-1].Name}
		}
		l.Inputs = slices.Clone(l.Inputs)
	}
	readers, index := map[string]int{}, map[string]int{}
	for i, l := range net.Layers {
		index[l.Name] = i
		for _, in := range l.Inputs {
			readers[in]++
		}
	}
	renamed := map[string]string{}
	var layers []nn.Layer
	at := map[string]int{}
	for _, l := range net.Layers {
		for k, in := range l.Inputs {
			if by, ok := renamed[in]; ok {
				l.Inputs[k] = by
			}
		}
		if l.Kind == nn.BatchNorm && len(l.Inputs) == 1 {
			if k, ok := at[l.Inputs[0]]; ok && readers[l.Inputs[0]] == 1 && (layers[k].Kind == nn.Convolution || layers[k].Kind == nn.Linear) {
				x.fold(&layers[k], &l)
				renamed[l.Name] = layers[k].Name
				readers[layers[k].Name] = readers[l.Name]
				continue
			}
		}
		at[l.Name] = len(layers)
		layers = append(layers, l)
	}
	net.Layers = layers
	x.net = &net
}

// fold changes the weights of a convolution or linear layer so that it gives what the batch norm after it gave.
func (x *exporter) fold(l, norm *nn.Layer) {
	scale, shift := x.affine(norm)
	w := slices.Clone(x.weights[l.Name+".weight"])
	bias := make([]float32, len(scale))
	each := len(w) / len(scale)
	for o, s := range scale {
		for k := range each {
			w[o*each+k] = float32(float64(w[o*each+k]) * s)
		}
		b := shift[o]
		if l.Bias {
			b += float64(x.weights[l.Name+".bias"][o]) * s
		}
		bias[o] = float32(b)
	}
	l.Bias = true
	x.weights[l.Name+".weight"], x.weights[l.Name+".bias"] = w, bias
}
