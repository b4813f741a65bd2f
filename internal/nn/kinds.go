package nn

import (
	"fmt"
	"slices"
)

// More kinds of layers, which models from other programs are made of. Those that Trains names can be trained through;
// a Training of a network with any other is an error.
const (
	// Scale is y = gain x + bias, per channel: a batch norm without statistics.
	Scale Kind = "scale"
	// Apply is y = Function(x), number by number.
	Apply Kind = "apply"
	// Combine is y = Function(a, b), number by number. A side of 1 of either is repeated.
	Combine Kind = "combine"
	// MaxPool is the largest in each window. What lies outside of the image does not count.
	MaxPool Kind = "maxpool"
	// AveragePool is the mean of each window; CountPad says whether what lies outside counts as zeros.
	AveragePool Kind = "averagepool"
	// Reduce is Function (mean, sum, max, min, l1, l2, sumsquare, prod, logsumexp) of all numbers along Axes, which become 1 long.
	Reduce Kind = "reduce"
	// Reshape takes the numbers of [C,H,W], in that order, as an array of Dims, whose axes it permutes: axis i of
	// the result is axis Perm[i] of it. The result's numbers, in their order, are an image of size To.
	Reshape Kind = "reshape"
	// Concat puts its inputs one after another along Axis.
	Concat Kind = "concat"
	// Slice takes, along each axis of [C,H,W], To numbers from Start on, Step apart; a Step may be negative.
	Slice Kind = "slice"
	// Border puts Pads around an image: zeros, or Alpha (constant), or its own pixels (reflect, edge, wrap), as Function says.
	// Negative pads cut off. Six pads go around the channels, too.
	Border Kind = "border"
	// Resize makes an image of another height and width: nearest, linear or cubic, as Function says, where Coordinates
	// is ONNX's coordinate_transformation_mode and Rounding its nearest_mode; ScaleH and ScaleW are its scales.
	Resize Kind = "resize"
	// Softmax is e^x / sum e^x along Axis.
	Softmax Kind = "softmax"
	// Normalize divides by the norm along Axis: of order 1 or 2, which is Alpha; a norm below Beta counts as Beta.
	Normalize Kind = "normalize"
	// Transposed is a transposed convolution: each number of x times its kernel is added to y. w is [C, Out/Groups, Kernel, KernelWidth];
	// Pads are cut off at the edges, and ExtraH and ExtraW rows and columns added at the bottom and the right.
	Transposed Kind = "convtranspose"
	// Constant is an array of size To that does not depend on the input.
	Constant Kind = "constant"
)

// Axes of [C,H,W].
const (
	AxisC = iota
	AxisH
	AxisW
)

// More are the settings of the kinds above.
type More struct {
	StrideWidth   int   `json:"stride_width,omitempty"`   // of windows; 0 means Stride
	Pads          []int `json:"pads,omitempty"`           // top, left, bottom, right, in place of Pad; of a Border also, if there are six, before and after the channels
	Dilation      int   `json:"dilation,omitempty"`       // distance of a kernel's rows; 0 means 1
	DilationWidth int   `json:"dilation_width,omitempty"` // of its columns; 0 means Dilation
	CountPad      bool  `json:"count_pad,omitempty"`
	ExtraH        int   `json:"extra_h,omitempty"`
	ExtraW        int   `json:"extra_w,omitempty"`

	Function string  `json:"function,omitempty"`
	Alpha    float64 `json:"alpha,omitempty"` // settings of a Function
	Beta     float64 `json:"beta,omitempty"`

	Axis  int    `json:"axis,omitempty"` // AxisC, AxisH or AxisW
	Axes  []int  `json:"axes,omitempty"`
	To    *Shape `json:"to,omitempty"`
	Dims  []int  `json:"dims,omitempty"`
	Perm  []int  `json:"perm,omitempty"`
	Start []int  `json:"start,omitempty"` // one for each of C, H and W
	Step  []int  `json:"step,omitempty"`

	Coordinates string  `json:"coordinates,omitempty"`
	Rounding    string  `json:"rounding,omitempty"`
	ScaleH      float64 `json:"scale_h,omitempty"`
	ScaleW      float64 `json:"scale_w,omitempty"`
}

// operation computes what a general layer gives. Forward passes read and write float32 pixel by pixel: [n,H,W,C].
type operation interface {
	// init is called once, when memory for u's batch is there.
	init(e *engine, u *general)
	forward(e *engine, u *general)
}

// trainable is an operation with a gradient.
type trainable interface {
	operation
	// backward writes the gradients of the inputs that have one, or adds to them: u.adds says which.
	backward(e *engine, u *general)
}

// kindOf says how a kind of layer is checked and executed.
type kindOf struct {
	infer func(d *node, r *resolved) error
	make  func(d *node) operation
}

// moreKinds is filled by the files of the kinds.
var moreKinds = map[Kind]kindOf{}

func register(k Kind, infer func(d *node, r *resolved) error, make func(d *node) operation) {
	moreKinds[k] = kindOf{infer, make}
}

func init() {
	register(Scale, func(d *node, r *resolved) error {
		d.shape = d.from
		d.params = append(d.params,
			declare(&r.params, Param{Name: d.Name + ".weight", Shape: []int{d.from.C}, low: 1, high: 1}),
			declare(&r.params, Param{Name: d.Name + ".bias", Shape: []int{d.from.C}}))
		return d.inputs(1)
	}, nil)
}

// inputs returns an error unless the layer has n.
func (d *node) inputs(n int) error {
	if len(d.in) != n {
		return fmt.Errorf("has %d inputs, want %d", len(d.in), n)
	}
	return nil
}

// oneOf returns an error unless the layer's Function is one of those.
func (d *node) oneOf(names ...string) error {
	if !slices.Contains(names, d.Function) {
		return fmt.Errorf("there is no function %q; there are %v", d.Function, names)
	}
	return nil
}

// to returns the shape To, checked.
func (d *node) to() (Shape, error) {
	if d.To == nil {
		return Shape{}, fmt.Errorf("says nothing of the size that it gives")
	}
	s := *d.To
	if min(s.C, s.H, s.W) < 1 || max(s.C, s.H, s.W) > maxOut || s.C*s.H > maxOut || s.Len() > maxOut {
		return s, fmt.Errorf("gives %v", s)
	}
	return s, nil
}

// side returns a shape's length along an axis.
func (s Shape) side(axis int) int { return [3]int{s.C, s.H, s.W}[axis] }

func (s *Shape) set(axis, n int) { *[3]*int{&s.C, &s.H, &s.W}[axis] = n }

func (d *node) axis() error {
	if d.Axis < AxisC || d.Axis > AxisW {
		return fmt.Errorf("axis %d; want 0, 1 or 2", d.Axis)
	}
	return nil
}

// window is the geometry of what moves over an image.
type window struct {
	kernelH, kernelW     int
	strideH, strideW     int
	dilationH, dilationW int
	spanH, spanW         int    // of a kernel with its holes
	pads                 [4]int // top, left, bottom, right
	h, w                 int    // of what comes out
}

// MaxWindow bounds kernels, strides and pads.
const MaxWindow = 1024

// window works out the geometry of a convolution or pooling, and completes the layer's settings.
func (d *node) window() (window, error) {
	d.Stride = max(1, d.Stride)
	if d.KernelWidth == 0 {
		d.KernelWidth = d.Kernel
	}
	or := func(v, def int) int {
		if v == 0 {
			return def
		}
		return v
	}
	w := window{
		kernelH: d.Kernel, kernelW: d.KernelWidth, strideH: d.Stride, strideW: or(d.StrideWidth, d.Stride),
		dilationH: or(d.Dilation, 1), pads: [4]int{d.Pad, d.Pad, d.Pad, d.Pad},
	}
	w.dilationW = or(d.DilationWidth, w.dilationH)
	if d.Pads != nil {
		if len(d.Pads) != 4 {
			return w, fmt.Errorf("has %d pads, want 4", len(d.Pads))
		}
		w.pads = [4]int(d.Pads)
	}
	for _, v := range []int{w.kernelH, w.kernelW, w.strideH, w.strideW, w.dilationH, w.dilationW, 1 + w.pads[0], 1 + w.pads[1], 1 + w.pads[2], 1 + w.pads[3]} {
		if v < 1 || v > MaxWindow {
			return w, fmt.Errorf("out %d, kernel %dx%d, stride %d, pad %d are not a convolution", d.Out, d.Kernel, d.KernelWidth, d.Stride, d.Pad)
		}
	}
	w.spanH, w.spanW = (w.kernelH-1)*w.dilationH+1, (w.kernelW-1)*w.dilationW+1
	h, wide := d.from.H+w.pads[0]+w.pads[2]-w.spanH, d.from.W+w.pads[1]+w.pads[3]-w.spanW
	if h < 0 || wide < 0 {
		return w, fmt.Errorf("a kernel of %dx%d is larger than an image of %v", w.spanH, w.spanW, d.from)
	}
	w.h, w.w = h/w.strideH+1, wide/w.strideW+1
	d.win = w
	return w, nil
}

// dilate returns weights [..., kernelH, kernelW] with zeros in the holes.
func (w *window) dilate(weights []float32) []float32 {
	if w.dilationH == 1 && w.dilationW == 1 {
		return weights
	}
	taps := w.kernelH * w.kernelW
	each := w.spanH * w.spanW
	out := make([]float32, len(weights)/taps*each)
	for k := range len(weights) / taps {
		for y := range w.kernelH {
			for x := range w.kernelW {
				out[k*each+y*w.dilationH*w.spanW+x*w.dilationW] = weights[k*taps+y*w.kernelW+x]
			}
		}
	}
	return out
}
