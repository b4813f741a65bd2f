package onnx

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/faceverify/fv/internal/nn"
)

// Options say what a file leaves open.
type Options struct {
	// Height and Width are the input's, where the file gives none; where it does they must be the same. 0 means as the file says.
	Height, Width int
	// Outputs names the outputs that are wanted; none means all. A network for embeddings has one.
	Outputs []string
	// Exact takes the input's shape as it is, also a first side that is not 1 and would be a batch.
	Exact bool
}

// Model is a file's network with its weights.
type Model struct {
	Network  *nn.Network
	Theta    []float32
	Buffers  []float32
	Metadata map[string]string
	Producer string
	Opset    int
	Input    string
	// Outputs are the outputs' names, in the order of Network.Outputs, or of the only one; Dims their shapes for
	// one image.
	Outputs []string
	Dims    [][]int
}

// ErrAnySize is what Read returns, wrapped, for a file that takes images of any size, if the options name none.
var ErrAnySize = errors.New("it takes any height and width: a size must be given")

// maxFile bounds files that are read: protocol buffers end at 2 GiB.
const maxFile = 1<<31 - 1

// Read reads an ONNX file.
func Read(path string, o Options) (*Model, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: %d bytes; an ONNX file has at most %d", path, info.Size(), maxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := Decode(b, filepath.Dir(path), o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Decode makes a network of a file's bytes. External data are read from files in dir.
func Decode(b []byte, dir string, o Options) (m *Model, err error) {
	// Fuzzing finds what panics; what it has not found shall not end the program either.
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, fmt.Errorf("the file cannot be used: %v", r)
		}
	}()
	return decodeNetwork(b, dir, o)
}

func decodeNetwork(b []byte, dir string, o Options) (*Model, error) {
	f, err := decode(b, dir)
	if err != nil {
		return nil, err
	}
	im := newImporter(f, len(b))
	if err := im.supported(); err != nil {
		return nil, err
	}
	if err := im.begin(o); err != nil {
		return nil, err
	}
	for i := range f.ops {
		if err := im.convert(&f.ops[i]); err != nil {
			return nil, fmt.Errorf("%v: %w", &f.ops[i], err)
		}
	}
	m := &Model{Network: im.net, Metadata: f.metadata, Producer: f.producer, Opset: f.opset, Input: f.inputs[0].name}
	if err := im.finish(m, o); err != nil {
		return nil, err
	}
	return m, nil
}

// supported returns an error that names the operators that are missing, and one node of each.
func (im *importer) supported() error {
	var errs []error
	seen := map[string]bool{}
	for i := range im.file.ops {
		op := &im.file.ops[i]
		key := op.domain + "." + op.op
		if _, ok := converters[op.op]; (ok || op.op == "Shape") && op.domain == "" || seen[key] {
			continue
		}
		if _, ok := folders[op.op]; ok && op.domain == "" {
			continue // of constants only, which shows later
		}
		seen[key] = true
		of := fmt.Sprintf("of opset %d", im.file.opset)
		if op.domain != "" {
			of = fmt.Sprintf("of domain %q", op.domain)
		}
		errs = append(errs, fmt.Errorf("%v: operator %s %s is not supported", op, op.op, of))
	}
	return errors.Join(errs...)
}

// begin makes the values that are there before the first node, and leaves nodes out that no output needs.
func (im *importer) begin(o Options) error {
	for name, a := range im.file.arrays {
		if err := checkDims(a.dims, math.MaxInt32); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		im.values[name] = &value{dims: a.dims, c: a}
	}
	for _, want := range o.Outputs {
		if !slices.ContainsFunc(im.file.outputs, func(v valueProto) bool { return v.name == want }) {
			var names []string
			for _, v := range im.file.outputs {
				names = append(names, v.name)
			}
			return fmt.Errorf("there is no output %q; there are %s", want, strings.Join(names, ", "))
		}
	}
	im.prune(o)
	used := map[string]bool{}
	for _, op := range im.file.ops {
		for _, in := range op.inputs {
			used[in] = true
		}
	}
	ins := slices.DeleteFunc(slices.Clone(im.file.inputs), func(v valueProto) bool { return !used[v.name] })
	if len(ins) != 1 {
		var names []string
		for _, v := range ins {
			names = append(names, v.name)
		}
		return fmt.Errorf("the graph has %d inputs %q; want one, the images", len(ins), names)
	}
	im.file.inputs = ins
	return im.input(ins[0], o)
}

// prune keeps the nodes that wanted outputs need.
func (im *importer) prune(o Options) {
	need := map[string]bool{}
	for _, out := range im.file.outputs {
		if len(o.Outputs) == 0 || slices.Contains(o.Outputs, out.name) {
			need[out.name] = true
		}
	}
	keep := make([]bool, len(im.file.ops))
	for i, op := range slices.Backward(im.file.ops) {
		if slices.ContainsFunc(op.outputs, func(s string) bool { return s != absent && need[s] }) {
			keep[i] = true
			for _, in := range op.inputs {
				need[in] = true
			}
		}
	}
	var ops []operator
	for i, op := range im.file.ops {
		if keep[i] {
			ops = append(ops, op)
		}
	}
	im.file.ops = ops
	im.needed = need
}

// input makes the value of the images.
func (im *importer) input(v valueProto, o Options) error {
	if v.kind != typeFloat && v.kind != typeFloat16 && v.kind != typeDouble {
		return fmt.Errorf("input %q is of type %d; want floats", v.name, v.kind)
	}
	if !v.rank || len(v.dims) == 0 {
		return fmt.Errorf("input %q has no shape", v.name)
	}
	dims := make([]int, len(v.dims))
	for i, d := range v.dims {
		dims[i] = int(min(max(d.n, -1), math.MaxInt32))
		if d.n == 0 {
			dims[i] = -1
		}
	}
	im.batch = 1
	if !o.Exact || dims[0] < 0 {
		im.batch = dims[0]
		dims[0] = 1
	}
	// TensorFlow has channels last. An image of three columns and so many channels is none.
	nhwc := len(dims) == 4 && !o.Exact && dims[3] == 3 && (dims[1] < 0 || dims[1] > 8)
	if len(dims) == 4 {
		h, w := 2, 3
		if nhwc {
			h, w = 1, 2
		}
		if dims[1] < 0 && !nhwc {
			dims[1] = 3
		}
		for _, side := range []struct{ axis, want int }{{h, o.Height}, {w, o.Width}} {
			switch have := dims[side.axis]; {
			case have < 0 && side.want == 0:
				return fmt.Errorf("input %q: %w", v.name, ErrAnySize)
			case have < 0:
				dims[side.axis] = side.want
			case side.want != 0 && side.want != have:
				return fmt.Errorf("input %q is %dx%d (height x width), not %dx%d", v.name, dims[h], dims[w], o.Height, o.Width)
			}
		}
	}
	for i, d := range dims {
		if d < 0 {
			return fmt.Errorf("input %q has side %d of any length, which is not supported", v.name, i)
		}
	}
	if err := checkDims(dims, 1<<24); err != nil {
		return fmt.Errorf("input %q: %w", v.name, err)
	}
	in := &value{dims: dims, layer: nn.Input}
	if nhwc {
		in.shape = nn.Shape{C: dims[3], H: dims[1], W: dims[2]}
		in.from, in.perm = []int{dims[3], dims[1], dims[2]}, []int{1, 2, 0}
	} else {
		var err error
		if in.shape, err = shapeAt(dims, place(dims)); err != nil {
			return fmt.Errorf("input %q: %w", v.name, err)
		}
	}
	im.net.Input = in.shape
	im.shapes[nn.Input] = in.shape
	im.values[v.name] = in
	return nil
}

// finish makes the outputs, cleans up and fills in the weights.
func (im *importer) finish(m *Model, o Options) error {
	for _, out := range im.file.outputs {
		if len(o.Outputs) > 0 && !slices.Contains(o.Outputs, out.name) {
			continue
		}
		v := im.values[out.name]
		if v == nil {
			return fmt.Errorf("no node gives the output %q", out.name)
		}
		v, err := im.solid(v)
		if err != nil {
			return fmt.Errorf("output %q: %w", out.name, err)
		}
		if v.c != nil {
			return fmt.Errorf("output %q does not depend on the input", out.name)
		}
		name, err := im.layer(v, v.dims, place(v.dims))
		if err != nil {
			return fmt.Errorf("output %q: %w", out.name, err)
		}
		if name == nn.Input { // which is no layer
			im.op = &operator{nodeProto: &nodeProto{name: out.name}}
			same, err := im.push(nn.Layer{Kind: nn.Apply, Inputs: []string{name}, More: nn.More{Function: "linear", Alpha: 1}}, v.dims)
			if err != nil {
				return fmt.Errorf("output %q: %w", out.name, err)
			}
			name = same.layer
		}
		m.Outputs, m.Dims = append(m.Outputs, out.name), append(m.Dims, v.dims)
		im.net.Outputs = append(im.net.Outputs, name)
	}
	im.cleanUp()
	if s := im.shapes[im.net.Outputs[0]]; len(im.net.Outputs) == 1 && s.H == 1 && s.W == 1 {
		im.net.Outputs = nil // a vector, which the last layer gives
	}
	if err := im.net.Check(); err != nil {
		return err
	}
	return im.fill(m)
}

// fill puts the weights in their places.
func (im *importer) fill(m *Model) error {
	take := func(params []nn.Param) ([]float32, error) {
		all := make([]float32, 0, nn.Len(params))
		for _, p := range params {
			w, ok := im.weights[p.Name]
			if !ok || len(w) != p.Len {
				return nil, fmt.Errorf("%s has %d numbers, its layer wants %d", p.Name, len(w), p.Len)
			}
			all = append(all, w...)
		}
		return all, nil
	}
	var err error
	if m.Theta, err = take(im.net.Params()); err != nil {
		return err
	}
	m.Buffers, err = take(im.net.Buffers())
	return err
}
