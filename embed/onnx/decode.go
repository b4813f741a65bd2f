package onnx

import (
	"cmp"
	"fmt"
	"strconv"

	onnxgo "github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/simple"
	"google.golang.org/protobuf/encoding/protowire"
	"gorgonia.org/tensor"
)

// file is a decoded file.
type file struct {
	ir       int64
	producer string
	opset    int
	metadata map[string]string
	ops      []operator
	arrays   map[string]*array
	inputs   []valueProto // those that are not arrays
	outputs  []valueProto
}

// operator is a node of the graph as onnx-go gives it, with what the first pass knows of it.
type operator struct {
	*nodeProto
	attrs map[string]any // float32, int64, string, []float32, []int64, []string
	value *array         // of the attribute that is a tensor
}

// The opsets that are read.
const (
	minOpset = 7
	maxOpset = 28
)

// decode reads a file's bytes. External data are beside it, in dir.
func decode(b []byte, dir string) (*file, error) {
	m, err := parseModel(b)
	if err != nil {
		return nil, err
	}
	opset, ok := m.opsets[""]
	if !ok || opset < minOpset || opset > maxOpset {
		return nil, fmt.Errorf("opset %d; this program reads %d to %d", opset, minOpset, maxOpset)
	}
	if len(m.graph.nodes) == 0 || len(m.graph.outputs) == 0 {
		return nil, fmt.Errorf("the graph has %d nodes and %d outputs", len(m.graph.nodes), len(m.graph.outputs))
	}
	f := &file{ir: m.ir, producer: m.producer, opset: int(opset), metadata: m.metadata, outputs: m.graph.outputs, arrays: map[string]*array{}}
	if err := f.takeConstants(m.graph, dir); err != nil {
		return nil, err
	}
	if len(m.graph.nodes) == 0 {
		return nil, fmt.Errorf("the graph has constants only: its output does not depend on the input")
	}
	for _, in := range m.graph.inputs {
		if f.arrays[in.name] == nil { // old opsets list arrays as inputs, too
			f.inputs = append(f.inputs, in)
		}
	}
	c := &cleaner{file: f, ids: map[string]int{}}
	clean, err := c.model(m.graph)
	if err != nil {
		return nil, err
	}
	return f, f.throughOnnxgo(clean, m.graph, c)
}

// takeConstants decodes arrays, also those of Constant nodes, which it takes out of the graph.
func (f *file) takeConstants(g *graphProto, dir string) error {
	put := func(name string, a *array) error {
		if name == "" || f.arrays[name] != nil {
			return fmt.Errorf("tensor %q: its name is empty or taken", name)
		}
		f.arrays[name] = a
		return nil
	}
	add := func(name string, t *tensorProto) error {
		a, err := t.array(dir)
		if err != nil {
			return err
		}
		return put(name, a)
	}
	for i := range g.tensors {
		if err := add(g.tensors[i].name, &g.tensors[i]); err != nil {
			return err
		}
	}
	g.tensors = nil
	nodes := g.nodes[:0]
	for _, n := range g.nodes {
		if n.op != "Constant" || n.domain != "" {
			nodes = append(nodes, n)
			continue
		}
		if len(n.outputs) != 1 || len(n.attributes) != 1 {
			return fmt.Errorf("%v: want one output and one attribute", &n)
		}
		var err error
		switch a := &n.attributes[0]; a.name {
		case "value":
			if a.t == nil {
				return fmt.Errorf("%v: it has no value", &n)
			}
			err = add(n.outputs[0], a.t)
		case "value_float":
			err = put(n.outputs[0], &array{floats: []float32{a.f}})
		case "value_floats":
			err = put(n.outputs[0], &array{dims: []int{len(a.floats)}, floats: a.floats})
		case "value_int":
			err = put(n.outputs[0], ints(nil, a.i))
		case "value_ints":
			err = put(n.outputs[0], ints([]int{len(a.ints)}, a.ints...))
		default:
			err = fmt.Errorf("attribute %q is not supported", a.name)
		}
		if err != nil {
			return fmt.Errorf("%v: %w", &n, err)
		}
	}
	g.nodes = nodes
	return nil
}

// cleaner writes what onnx-go can read: values are called by numbers, arrays are vectors of float32 or int64.
type cleaner struct {
	file  *file
	ids   map[string]int
	names []string // by number
}

// absent stands for inputs that are left out.
const absent = ""

func (c *cleaner) id(name string) string {
	k, ok := c.ids[name]
	if !ok {
		k = len(c.names)
		c.ids[name] = k
		c.names = append(c.names, name)
	}
	return strconv.Itoa(k)
}

func appendMessage(b []byte, num protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), message)
}

func appendText(b []byte, num protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), text)
}

func appendInt(b []byte, num protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), uint64(v))
}

func (c *cleaner) model(g *graphProto) ([]byte, error) {
	var b []byte
	for i := range g.nodes {
		n, err := c.node(&g.nodes[i])
		if err != nil {
			return nil, fmt.Errorf("%v: %w", &g.nodes[i], err)
		}
		b = appendMessage(b, 1, n)
	}
	for name, a := range c.file.arrays {
		if a.len() > 0 { // onnx-go has no empty ones
			b = appendMessage(b, 5, appendText(appendArray(nil, a), 8, c.id(name)))
		}
	}
	for _, in := range c.file.inputs {
		b = appendMessage(b, 11, appendText(nil, 1, c.id(in.name)))
	}
	for _, out := range c.file.outputs {
		b = appendMessage(b, 12, appendText(nil, 1, c.id(out.name)))
	}
	return appendMessage(nil, 7, b), nil
}

// appendArray appends the fields of a TensorProto that is a vector.
func appendArray(b []byte, a *array) []byte {
	b = appendInt(b, 1, int64(a.len()))
	if a.isInt() {
		size := 0
		for _, v := range a.ints {
			size += protowire.SizeVarint(uint64(v))
		}
		b = appendInt(b, 2, typeInt64)
		b = protowire.AppendVarint(protowire.AppendTag(b, 7, protowire.BytesType), uint64(size))
		for _, v := range a.ints {
			b = protowire.AppendVarint(b, uint64(v))
		}
		return b
	}
	b = appendInt(b, 2, typeFloat)
	return appendFloats(b, 4, a.floats)
}

func (c *cleaner) node(n *nodeProto) ([]byte, error) {
	var b []byte
	for _, in := range n.inputs {
		b = appendText(b, 1, c.id(in))
	}
	if len(n.outputs) == 0 {
		return nil, fmt.Errorf("it has no outputs")
	}
	for _, out := range n.outputs {
		if out == absent {
			out = fmt.Sprintf("\x00%d", len(c.names)) // nobody reads it
		}
		b = appendText(b, 2, c.id(out))
	}
	// A node without inputs gets one from onnx-go, called after the node.
	b = appendText(b, 3, "\x00"+strconv.Itoa(len(c.names)))
	b = appendText(b, 4, cmp.Or(n.op, "?"))
	for i := range n.attributes {
		a, err := n.attributes[i].clean()
		if err != nil {
			return nil, err
		}
		b = append(b, a...)
	}
	return b, nil
}

// clean returns an attribute's field, or nothing for a tensor, which the first pass has decoded.
func (a *attributeProto) clean() ([]byte, error) {
	b := appendText(nil, 1, a.name)
	switch a.kind {
	case attributeFloat:
		b = protowire.AppendFixed32(protowire.AppendTag(b, 2, protowire.Fixed32Type), bits(a.f))
	case attributeInt:
		b = appendInt(b, 3, a.i)
	case attributeString:
		b = appendText(b, 4, a.s)
	case attributeTensor:
		return nil, nil
	case attributeFloats:
		b = appendFloats(b, 7, a.floats)
	case attributeInts:
		for _, v := range a.ints {
			b = appendInt(b, 8, v)
		}
	case attributeStrings:
		for _, v := range a.strings {
			b = appendText(b, 9, v)
		}
	case attributeGraph:
		return nil, fmt.Errorf("attribute %q is a graph: control flow is not supported", a.name)
	default:
		return nil, fmt.Errorf("attribute %q is of type %d, which is not supported", a.name, a.kind)
	}
	return appendMessage(nil, 5, appendInt(b, 20, a.kind)), nil
}

// throughOnnxgo decodes clean bytes and puts together what comes out with what the first pass found.
func (f *file) throughOnnxgo(clean []byte, g *graphProto, c *cleaner) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the file cannot be decoded: %v", r)
		}
	}()
	backend := &backend{WeightedDirectedGraph: simple.NewWeightedDirectedGraph(0, 0), names: c.names}
	if err := onnxgo.NewModel(backend).UnmarshalBinary(clean); err != nil {
		return fmt.Errorf("the file cannot be decoded: %w", err)
	}
	if len(backend.ops) != len(g.nodes) {
		return fmt.Errorf("%d of %d nodes could be decoded", len(backend.ops), len(g.nodes))
	}
	for name, a := range f.arrays {
		if a.len() == 0 {
			continue
		}
		switch data := backend.arrays[name].(type) {
		case []float32:
			a.floats = data
		case []int64:
			a.ints = data
		case float32:
			a.floats = []float32{data}
		case int64:
			a.ints = []int64{data}
		default:
			return fmt.Errorf("tensor %q was decoded as %T", name, data)
		}
	}
	for i := range g.nodes {
		n := &g.nodes[i]
		op := operator{nodeProto: n, attrs: backend.ops[i].Attributes}
		if backend.ops[i].Name != cmp.Or(n.op, "?") {
			return fmt.Errorf("%v was decoded as %s", n, backend.ops[i].Name)
		}
		for _, a := range n.attributes {
			if a.t != nil {
				if op.value, err = a.t.array(""); err != nil {
					return fmt.Errorf("%v: %w", n, err)
				}
			}
		}
		f.ops = append(f.ops, op)
	}
	return nil
}

// backend takes what onnx-go decodes. It keeps operators in the order of the file; the edges say no more than
// the names of inputs that the first pass read, and may be several between two vertices, which the graph would not take.
type backend struct {
	*simple.WeightedDirectedGraph
	names  []string
	arrays map[string]any
	ops    []onnxgo.Operation
	next   int64
}

// vertex is a value: what a node gives, an input or an array.
type vertex struct {
	id      int64
	name    string
	backend *backend
}

func (v *vertex) ID() int64                { return v.id }
func (v *vertex) SetName(name string)      { v.name = name }
func (v *vertex) GetName() string          { return v.name }
func (v *vertex) GetTensor() tensor.Tensor { return nil }

// SetTensor keeps an array under its name in the file.
func (v *vertex) SetTensor(t tensor.Tensor) error {
	k, err := strconv.Atoi(v.name)
	if err != nil || k < 0 || k >= len(v.backend.names) {
		return fmt.Errorf("an array called %q", v.name)
	}
	if v.backend.arrays == nil {
		v.backend.arrays = map[string]any{}
	}
	v.backend.arrays[v.backend.names[k]] = t.Data()
	return nil
}

func (b *backend) NewNode() graph.Node {
	b.next++
	return &vertex{id: b.next, backend: b}
}

func (b *backend) SetWeightedEdge(graph.WeightedEdge) {}

func (b *backend) ApplyOperation(op onnxgo.Operation, _ ...graph.Node) error {
	b.ops = append(b.ops, op)
	return nil
}
