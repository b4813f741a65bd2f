package onnx

import (
	"fmt"

	"github.com/faceverify/fv/internal/nn"
)

// converter makes the values that an operator gives.
type converter func(im *importer, in []*value) ([]*value, error)

// converters are filled by the files of the operators.
var converters = map[string]converter{}

// one makes a converter of a function that gives one value.
func one(f func(im *importer, in []*value) (*value, error)) converter {
	return func(im *importer, in []*value) ([]*value, error) {
		v, err := f(im, in)
		if err != nil {
			return nil, err
		}
		return []*value{v}, nil
	}
}

func init() {
	converters["Conv"] = one(convolution)
	converters["ConvTranspose"] = one(transposedConvolution)
	converters["MaxPool"] = one(func(im *importer, in []*value) (*value, error) { return im.pool(in, nn.MaxPool) })
	converters["AveragePool"] = one(func(im *importer, in []*value) (*value, error) { return im.pool(in, nn.AveragePool) })
	converters["GlobalAveragePool"] = one(func(im *importer, in []*value) (*value, error) { return im.global(in, "mean") })
	converters["GlobalMaxPool"] = one(func(im *importer, in []*value) (*value, error) { return im.global(in, "max") })
}

// window is the geometry that Conv and pools have in their attributes.
type window struct {
	kernel, strides, dilations [2]int
	pads                       [4]int // top, left, bottom, right
}

// pair returns a list of two, or def for both if there is none.
func (op *operator) pair(name string, def int) ([2]int, error) {
	v := op.list(name)
	if v == nil {
		return [2]int{def, def}, nil
	}
	if len(v) != 2 || min(v[0], v[1]) < 0 || max(v[0], v[1]) > 1<<12 {
		return [2]int{}, fmt.Errorf("%s is %v; want two numbers", name, v)
	}
	return [2]int(v), nil
}

// window reads the attributes; kernel is what a weight says, 0 for none.
func (im *importer) window(kernel [2]int) (w window, err error) {
	op := im.op
	if w.kernel, err = op.pair("kernel_shape", 0); err != nil {
		return w, err
	}
	if kernel[0] > 0 {
		if op.has("kernel_shape") && w.kernel != kernel {
			return w, fmt.Errorf("kernel_shape is %v, the weight's is %v", w.kernel, kernel)
		}
		w.kernel = kernel
	}
	if w.strides, err = op.pair("strides", 1); err != nil {
		return w, err
	}
	if w.dilations, err = op.pair("dilations", 1); err != nil {
		return w, err
	}
	for i := range 2 {
		if min(w.kernel[i], w.strides[i], w.dilations[i]) < 1 {
			return w, fmt.Errorf("kernel %v, strides %v, dilations %v; want 1 or more", w.kernel, w.strides, w.dilations)
		}
	}
	if pads := op.list("pads"); pads != nil {
		if len(pads) != 4 {
			return w, fmt.Errorf("pads are %v; want four", pads)
		}
		for i, p := range pads {
			if p < 0 || p > 1<<12 {
				return w, fmt.Errorf("pads are %v", pads)
			}
			w.pads[i] = p
		}
	}
	return w, nil
}

// span returns the length of the kernel along an axis, with its holes.
func (w *window) span(i int) int { return (w.kernel[i]-1)*w.dilations[i] + 1 }

// autoPad makes pads of the attribute auto_pad for images of the given sides.
func (w *window) autoPad(mode string, sides [2]int) error {
	switch mode {
	case "NOTSET", "":
		return nil
	case "VALID":
		w.pads = [4]int{}
		return nil
	case "SAME_UPPER", "SAME_LOWER":
	default:
		return fmt.Errorf("auto_pad is %q", mode)
	}
	for i := range 2 {
		out := (sides[i] + w.strides[i] - 1) / w.strides[i]
		total := max(0, (out-1)*w.strides[i]+w.span(i)-sides[i])
		w.pads[i], w.pads[i+2] = total/2, total-total/2
		if mode == "SAME_LOWER" {
			w.pads[i], w.pads[i+2] = total-total/2, total/2
		}
	}
	return nil
}

// set writes the geometry to a layer, no more of it than is needed.
func (w *window) set(l *nn.Layer) {
	l.Kernel = w.kernel[0]
	if w.kernel[1] != w.kernel[0] {
		l.KernelWidth = w.kernel[1]
	}
	if w.strides != [2]int{1, 1} {
		l.Stride = w.strides[0]
	}
	if w.strides[1] != w.strides[0] {
		l.StrideWidth = w.strides[1]
	}
	if w.dilations != [2]int{1, 1} {
		l.Dilation = w.dilations[0]
	}
	if w.dilations[1] != w.dilations[0] {
		l.DilationWidth = w.dilations[1]
	}
	p := w.pads
	if p[0] == p[1] && p[0] == p[2] && p[0] == p[3] {
		l.Pad = p[0]
	} else {
		l.Pads = p[:]
	}
}

// padded puts zeros around an image where the window's pads differ from side to side, which a convolution cannot do.
func (im *importer) padded(x string, w *window, value float64) (string, error) {
	p := w.pads
	if p[0] == p[2] && p[1] == p[3] {
		return x, nil
	}
	w.pads = [4]int{}
	v, err := im.push(nn.Layer{Name: im.name("/pad"), Kind: nn.Border, Inputs: []string{x}, More: nn.More{Function: "constant", Alpha: value, Pads: p[:]}}, nil)
	if err != nil {
		return "", err
	}
	return v.layer, nil
}

// weight returns a constant of four sides.
func (im *importer) weight(in []*value) (*array, error) {
	w, err := im.constant(in, 1)
	if err != nil {
		return nil, err
	}
	if w == nil || len(w.dims) != 4 || w.len() == 0 {
		return nil, fmt.Errorf("its weight is not one of [O,I,H,W]")
	}
	return w, nil
}

// bias keeps a bias for a layer, and reports whether there is one.
func (im *importer) bias(in []*value, i int, layer string, n int) (bool, error) {
	b, err := im.constant(in, i)
	if b == nil || err != nil {
		return false, err
	}
	if b.len() != n {
		return false, fmt.Errorf("a bias of %d for %d channels", b.len(), n)
	}
	im.weights[layer+".bias"] = b.float()
	return true, nil
}

// kernel returns what a convolution, transposed or not, reads: images, its weight and how that goes over them.
func (im *importer) kernel(in []*value) (x string, weight *array, w window, err error) {
	if x, err = im.image(in[0]); err != nil {
		return "", nil, window{}, err
	}
	if weight, err = im.weight(in); err != nil {
		return "", nil, window{}, err
	}
	w, err = im.window([2]int(weight.dims[2:]))
	return x, weight, w, err
}

func convolution(im *importer, in []*value) (*value, error) {
	x, weight, w, err := im.kernel(in)
	if err != nil {
		return nil, err
	}
	s := im.shapes[x]
	if err := w.autoPad(im.op.str("auto_pad", ""), [2]int{s.H, s.W}); err != nil {
		return nil, err
	}
	if x, err = im.padded(x, &w, 0); err != nil {
		return nil, err
	}
	groups := int(im.op.int("group", 1))
	if groups < 1 || weight.dims[1]*groups != s.C {
		return nil, fmt.Errorf("a weight of %v in %d groups for images of %v", weight.dims, groups, s)
	}
	l := nn.Layer{Name: im.name(""), Kind: nn.Convolution, Inputs: []string{x}, Out: weight.dims[0]}
	if groups > 1 {
		l.Groups = groups
	}
	w.set(&l)
	if l.Bias, err = im.bias(in, 2, l.Name, l.Out); err != nil {
		return nil, err
	}
	im.weights[l.Name+".weight"] = weight.float()
	return im.push(l, nil)
}

func transposedConvolution(im *importer, in []*value) (*value, error) {
	x, weight, w, err := im.kernel(in)
	if err != nil {
		return nil, err
	}
	extra, err := im.op.pair("output_padding", 0)
	if err != nil {
		return nil, err
	}
	s := im.shapes[x]
	sides := [2]int{s.H, s.W}
	if weight.dims[0] != s.C {
		return nil, fmt.Errorf("a weight of %v for images of %v", weight.dims, s)
	}
	mode := im.op.str("auto_pad", "NOTSET")
	shape := im.op.list("output_shape")
	if shape == nil && (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
		shape = []int{sides[0] * w.strides[0], sides[1] * w.strides[1]}
	}
	if shape != nil {
		if len(shape) != 2 {
			return nil, fmt.Errorf("output_shape is %v; want two numbers", shape)
		}
		for i := range 2 {
			total := (sides[i]-1)*w.strides[i] + extra[i] + w.span(i) - shape[i]
			if total < 0 {
				extra[i] -= total
				total = 0
			}
			w.pads[i], w.pads[i+2] = total-total/2, total/2
			if mode == "SAME_UPPER" {
				w.pads[i], w.pads[i+2] = total/2, total-total/2
			}
		}
	}
	groups := int(im.op.int("group", 1))
	if groups < 1 || groups > s.C {
		return nil, fmt.Errorf("%d groups of %d channels", groups, s.C)
	}
	l := nn.Layer{Name: im.name(""), Kind: nn.Transposed, Inputs: []string{x}, Out: weight.dims[1] * groups, More: nn.More{ExtraH: extra[0], ExtraW: extra[1]}}
	if groups > 1 {
		l.Groups = groups
	}
	w.set(&l)
	if l.Bias, err = im.bias(in, 2, l.Name, l.Out); err != nil {
		return nil, err
	}
	im.weights[l.Name+".weight"] = weight.float()
	return im.push(l, nil)
}

func (im *importer) pool(in []*value, kind nn.Kind) (*value, error) {
	x, err := im.image(in[0])
	if err != nil {
		return nil, err
	}
	w, err := im.window([2]int{})
	if err != nil {
		return nil, err
	}
	s := im.shapes[x]
	sides := [2]int{s.H, s.W}
	if err := w.autoPad(im.op.str("auto_pad", ""), sides); err != nil {
		return nil, err
	}
	countPad := kind == nn.AveragePool && im.op.int("count_include_pad", 0) == 1
	if im.op.int("ceil_mode", 0) == 1 {
		more := [2]int{}
		for i := range 2 {
			padded := sides[i] + w.pads[i] + w.pads[i+2]
			if padded < w.span(i) {
				return nil, fmt.Errorf("a kernel of %d is larger than %d pixels", w.span(i), padded)
			}
			out := (padded-w.span(i)+w.strides[i]-1)/w.strides[i] + 1
			if (out-1)*w.strides[i] >= sides[i]+w.pads[i] { // a window that lies outside
				out--
			}
			more[i] = max(0, (out-1)*w.strides[i]+w.span(i)-padded)
		}
		if countPad && more != [2]int{} {
			// What ceil_mode adds does not count, the pads do: zeros around, then a mean of what there is.
			p := w.pads
			v, err := im.push(nn.Layer{Name: im.name("/pad"), Kind: nn.Border, Inputs: []string{x}, More: nn.More{Function: "constant", Pads: p[:]}}, nil)
			if err != nil {
				return nil, err
			}
			x, w.pads, countPad = v.layer, [4]int{}, false
		}
		w.pads[2] += more[0]
		w.pads[3] += more[1]
	}
	l := nn.Layer{Kind: kind, Inputs: []string{x}, More: nn.More{CountPad: countPad}}
	w.set(&l)
	return im.push(l, nil)
}

// global reduces an image to one number for each channel.
func (im *importer) global(in []*value, function string) (*value, error) {
	x, err := im.image(in[0])
	if err != nil {
		return nil, err
	}
	return im.push(nn.Layer{Kind: nn.Reduce, Inputs: []string{x}, More: nn.More{Function: function, Axes: []int{nn.AxisH, nn.AxisW}}}, nil)
}
