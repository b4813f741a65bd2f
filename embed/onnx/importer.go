package onnx

import (
	"fmt"
	"slices"

	"github.com/faceverify/fv/internal/nn"
)

// importer makes layers of operators.
type importer struct {
	file    *file
	net     *nn.Network
	values  map[string]*value
	needed  map[string]bool // values that some node or output reads
	weights map[string][]float32
	shapes  map[string]nn.Shape // of layers
	taken   map[string]bool     // names of layers
	batch   int                 // of the input in the file; below 1 for any
	budget  int                 // elements of constants that may still be made
	op      *operator           // under way
}

// newImporter returns an importer of a file of so many bytes.
func newImporter(f *file, size int) *importer {
	return &importer{file: f, net: &nn.Network{Name: "onnx"}, values: map[string]*value{}, weights: map[string][]float32{},
		shapes: map[string]nn.Shape{}, taken: map[string]bool{nn.Input: true}, budget: maxElements + size}
}

// value is what an operator reads or gives, for one image.
type value struct {
	dims []int
	c    *array // a constant, or else

	// the numbers of a layer, in the order of C, H, W of its shape,
	layer string
	shape nn.Shape
	// seen as an array of these sides, whose axes are permuted; nil if not.
	from, perm []int
	flatten    string // the node that made a vector of an image, if one did
	// expand are the sides that the value is to be repeated to; nil for none.
	expand []int
}

// place returns how many leading sides of dims stand for no axis of an image: the batch's, which is 1. Axes that are
// named are not left out.
func place(dims []int, axes ...int) int {
	k := 0
	for k < len(dims)-1 && dims[k] == 1 && (k == 0 || len(dims)-k > 3) && !slices.Contains(axes, k) {
		k++
	}
	return k
}

// shapeAt returns the image whose axes are the sides of dims from k on.
func shapeAt(dims []int, k int) (nn.Shape, error) {
	s := [3]int{1, 1, 1}
	if len(dims)-k > 3 || count(dims) < 1 || count(dims[:k]) != 1 {
		return nn.Shape{}, fmt.Errorf("an array of %v is no image", dims)
	}
	copy(s[:], dims[k:])
	return nn.Shape{C: s[0], H: s[1], W: s[2]}, nil
}

// convert makes the values that an operator gives.
func (im *importer) convert(op *operator) error {
	im.op = op
	in := make([]*value, len(op.inputs))
	constants := true
	for i, name := range op.inputs {
		if name == absent {
			continue
		}
		if in[i] = im.values[name]; in[i] == nil {
			return fmt.Errorf("its input %q is given by no node before it", name)
		}
		constants = constants && in[i].c != nil
	}
	var out []*value
	var err error
	folder, folds := folders[op.op]
	switch {
	case constants && folds:
		out, err = im.fold(folder, in)
	case op.op == "Shape":
		out, err = im.shapeOf(in)
	case converters[op.op] == nil:
		return fmt.Errorf("operator %s of opset %d is supported of constants only", op.op, im.file.opset)
	default:
		if len(in) == 0 || in[0] == nil {
			return fmt.Errorf("it has no input")
		}
		if !passesExpand[op.op] {
			for i := range in {
				if in[i] != nil {
					if in[i], err = im.solid(in[i]); err != nil {
						return err
					}
				}
			}
		}
		out, err = converters[op.op](im, in)
	}
	if err != nil {
		return err
	}
	for i, name := range op.outputs {
		if name == absent {
			continue
		}
		if i >= len(out) || out[i] == nil {
			if im.needed[name] {
				return fmt.Errorf("its output %q is not supported", name)
			}
			continue
		}
		if im.values[name] != nil {
			return fmt.Errorf("two nodes give %q", name)
		}
		im.values[name] = out[i]
	}
	return nil
}

// passesExpand are the operators that take values that are to be repeated as they are.
var passesExpand = map[string]bool{"Add": true, "Sub": true, "Mul": true, "Div": true, "Pow": true, "Max": true, "Min": true}

// input returns input i, nil if it is left out or there is none.
func input(in []*value, i int) *value {
	if i < 0 || i >= len(in) {
		return nil
	}
	return in[i]
}

// constant returns input i, which must be a constant; nil if it is left out.
func (im *importer) constant(in []*value, i int) (*array, error) {
	v := input(in, i)
	if v == nil {
		return nil, nil
	}
	if v.c == nil {
		return nil, fmt.Errorf("its input %d (%q) depends on the images, which is not supported", i+1, im.op.inputs[i])
	}
	return v.c, nil
}

// name returns a name for a layer that is not taken.
func (im *importer) name(suffix string) string {
	base := im.op.name
	if base == "" && len(im.op.outputs) > 0 {
		base = im.op.outputs[0]
	}
	if base == "" {
		base = im.op.op
	}
	base += suffix
	name := base
	for i := 2; im.taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	im.taken[name] = true
	return name
}

// push adds a layer and returns its value of the given dims, or of dims as large as what the layer gives.
func (im *importer) push(l nn.Layer, dims []int) (*value, error) {
	if l.Name == "" {
		l.Name = im.name("")
	}
	var inputs []nn.Shape
	for _, name := range l.Inputs {
		inputs = append(inputs, im.shapes[name])
	}
	s, err := l.Output(inputs...)
	if err != nil {
		return nil, err
	}
	if dims == nil {
		dims = []int{1, s.C, s.H, s.W}
	}
	if count(dims) != s.Len() {
		return nil, fmt.Errorf("gives %v where %v is wanted", s, dims)
	}
	im.net.Layers = append(im.net.Layers, l)
	im.shapes[l.Name] = s
	return &value{dims: dims, layer: l.Name, shape: s}, nil
}

// spend takes elements from the budget of constants.
func (im *importer) spend(n int) error {
	if im.budget -= n; n < 0 || im.budget < 0 {
		return fmt.Errorf("its constants are too large for a file of this size")
	}
	return nil
}

// take checks the dims of an array to be made, and spends its elements.
func (im *importer) take(dims []int) error {
	if err := checkDims(dims, maxElements); err != nil {
		return err
	}
	return im.spend(count(dims))
}

// layer returns the name of a layer that gives v's numbers, seen as dims, as an image whose axes are the sides from k on.
func (im *importer) layer(v *value, dims []int, k int) (string, error) {
	s, err := shapeAt(dims, k)
	if err != nil {
		return "", err
	}
	if v.c != nil {
		if v.c.len() != s.Len() {
			return "", fmt.Errorf("a constant of %v is not one of %v", v.c.dims, dims)
		}
		if err := im.spend(s.Len()); err != nil {
			return "", err
		}
		c, err := im.push(nn.Layer{Name: im.name("/constant"), Kind: nn.Constant, More: nn.More{To: &s}}, dims)
		if err != nil {
			return "", err
		}
		im.weights[c.layer+".value"] = v.c.float()
		return c.layer, nil
	}
	if v.perm == nil && v.shape == s {
		return v.layer, nil
	}
	l := nn.Layer{Name: im.name("/reshape"), Kind: nn.Reshape, Inputs: []string{v.layer}, More: nn.More{To: &s}}
	if v.perm != nil {
		l.Dims, l.Perm = v.from, v.perm
	}
	r, err := im.push(l, dims)
	if err != nil {
		return "", err
	}
	return r.layer, nil
}

// image returns the layer of v, which must be an image of four sides, the first of them 1.
func (im *importer) image(v *value) (string, error) {
	if len(v.dims) != 4 || v.dims[0] != 1 {
		return "", fmt.Errorf("it reads an array of %v; want images [1,C,H,W]", v.dims)
	}
	return im.layer(v, v.dims, 1)
}

// solid returns v repeated to what it is to be repeated to.
func (im *importer) solid(v *value) (*value, error) {
	if v.expand == nil {
		return v, nil
	}
	dims := v.expand
	k := place(dims)
	if err := checkDims(dims, 1<<24); err != nil {
		return nil, err
	}
	a, err := im.operand(&value{dims: v.dims, layer: v.layer, shape: v.shape, from: v.from, perm: v.perm}, dims, k)
	if err != nil {
		return nil, err
	}
	zero := &value{dims: dims, c: &array{dims: dims, floats: make([]float32, count(dims))}}
	b, err := im.layer(zero, dims, k)
	if err != nil {
		return nil, err
	}
	return im.push(nn.Layer{Name: im.name("/expand"), Kind: nn.Combine, Inputs: []string{a, b}, More: nn.More{Function: "add"}}, dims)
}

// padDims returns dims with leading sides of 1, as many as rank wants.
func padDims(dims []int, rank int) []int {
	return append(slices.Repeat([]int{1}, max(0, rank-len(dims))), dims...)
}

// operand returns the layer of v as an operand of an operation that gives dims, whose axes begin at k.
func (im *importer) operand(v *value, dims []int, k int) (string, error) {
	return im.layer(v, padDims(v.dims, len(dims)), k)
}

// reshape returns v with other sides.
func reshaped(v *value, dims []int) *value {
	w := *v
	w.dims = dims
	if v.c != nil {
		c := *v.c
		c.dims = dims
		w.c = &c
	}
	return &w
}

// transposed returns v with its axes permuted.
func (im *importer) transposed(v *value, perm []int) (*value, error) {
	if len(perm) != len(v.dims) {
		return nil, fmt.Errorf("permutes %v by %v", v.dims, perm)
	}
	dims := make([]int, len(perm))
	last := -1
	same := true // but for sides of 1, nothing moves
	for i, axis := range perm {
		if axis < 0 || axis >= len(perm) || slices.Contains(perm[:i], axis) {
			return nil, fmt.Errorf("permutes %v by %v", v.dims, perm)
		}
		dims[i] = v.dims[axis]
		if dims[i] != 1 {
			same = same && axis > last
			last = axis
		}
	}
	if same {
		return reshaped(v, dims), nil
	}
	w := *v
	w.dims = dims
	switch {
	case v.perm == nil:
		w.from, w.perm = v.dims, perm
	case len(v.perm) == len(perm) && slices.Equal(v.dims, permute(v.from, v.perm)):
		w.from, w.perm = v.from, permute(v.perm, perm)
	default:
		flat := []int{1, count(v.dims)}
		name, err := im.layer(v, flat, 1)
		if err != nil {
			return nil, err
		}
		w.layer, w.shape = name, im.shapes[name]
		w.from, w.perm = v.dims, perm
	}
	return &w, nil
}

func permute(dims, perm []int) []int {
	out := make([]int, len(perm))
	for i, axis := range perm {
		out[i] = dims[axis]
	}
	return out
}

// shapeOf is the operator Shape.
func (im *importer) shapeOf(in []*value) ([]*value, error) {
	if len(in) != 1 || in[0] == nil {
		return nil, fmt.Errorf("it has no input")
	}
	dims := in[0].dims
	if in[0].expand != nil {
		dims = in[0].expand
	}
	n := int64(len(dims))
	bound := func(name string, def int64) int64 {
		v := im.op.int(name, def)
		if v < 0 {
			v += n
		}
		return min(max(v, 0), n)
	}
	start, end := bound("start", 0), bound("end", n)
	a := vectorOf(dims[start:max(start, end)])
	return []*value{{dims: a.dims, c: a}}, nil
}
