package onnx

import (
	"fmt"
	"slices"

	"github.com/faceverify/fv/internal/nn"
)

func init() { converters["Pad"] = one(pad) }

// padding is what Pad does to an array: how many numbers come before and after along each axis, fewer than 0 where some are cut
// off, and what they are.
type padding struct {
	before, after []int
	mode          string
	value         float64 // in mode constant
}

// paddingOf reads what pads an array of dims: attributes up to opset 10, inputs from opset 11 on, and the axes from opset 18 on.
func (im *importer) paddingOf(in []*value, dims []int) (p padding, err error) {
	pads, err := im.listOrInput("pads", in, 1)
	if err != nil {
		return p, err
	}
	p.value = im.op.float("value", 0)
	if c, err := im.constant(in, 2); err != nil {
		return p, err
	} else if c != nil {
		if c.len() != 1 {
			return p, fmt.Errorf("it pads with a constant of %v; want one number", c.dims)
		}
		p.value = c.at(0)
	}
	p.mode = im.op.str("mode", "constant")
	if modes := []string{"constant", "edge", "reflect", "wrap"}; !slices.Contains(modes, p.mode) {
		return p, fmt.Errorf("operator Pad of opset %d with mode %q is not supported; want one of %v", im.file.opset, p.mode, modes)
	}
	var list []int
	if which, err := im.constant(in, 3); err != nil {
		return p, err
	} else if which != nil {
		if list, err = which.list(); err != nil {
			return p, err
		}
		if list, err = axes(list, len(dims)); err != nil {
			return p, err
		}
	} else {
		for a := range dims {
			list = append(list, a)
		}
	}
	if len(pads) != 2*len(list) {
		return p, fmt.Errorf("%d pads for %d axes", len(pads), len(list))
	}
	p.before, p.after = make([]int, len(dims)), make([]int, len(dims))
	for i, a := range list {
		if slices.Contains(list[:i], a) {
			return p, fmt.Errorf("an axis of %v is named twice", list)
		}
		p.before[a], p.after[a] = pads[i], pads[len(list)+i]
	}
	return p, nil
}

// sides returns the dims of an array of dims that has been padded.
func (p *padding) sides(dims []int) ([]int, error) {
	out := make([]int, len(dims))
	for a, d := range dims {
		b, e := p.before[a], p.after[a]
		out[a] = b + d + e
		switch {
		case min(b, e) < -min(d, nn.MaxWindow) || max(b, e) > nn.MaxWindow || out[a] < 1:
			return nil, fmt.Errorf("it pads axis %d of an array of %v by %d before and %d after", a, dims, b, e)
		case p.mode == "reflect" && max(b, e) >= d:
			return nil, fmt.Errorf("it reflects %d and %d numbers of the %d along axis %d", b, e, d, a)
		}
	}
	return out, nil
}

// foldPad pads a constant.
func foldPad(im *importer, in []*array) ([]*array, error) {
	if len(in) == 0 || in[0] == nil {
		return nil, fmt.Errorf("it has no input")
	}
	a := in[0]
	p, err := im.paddingOf(asValues(in), a.dims)
	if err != nil {
		return nil, err
	}
	out := &array{}
	if out.dims, err = p.sides(a.dims); err != nil {
		return nil, err
	}
	if err := checkDims(out.dims, maxElements); err != nil {
		return nil, err
	}
	return []*array{out}, im.fillWith(out, a.isInt(), func(i int) float64 {
		at, stride := 0, 1
		for axis, d := range slices.Backward(a.dims) {
			from := nn.Inside(p.mode, i%out.dims[axis]-p.before[axis], d)
			if from < 0 {
				return p.value
			}
			at, stride, i = at+from*stride, stride*d, i/out.dims[axis]
		}
		return a.at(at)
	})
}

func pad(im *importer, in []*value) (*value, error) {
	v := in[0]
	p, err := im.paddingOf(in, v.dims)
	if err != nil {
		return nil, err
	}
	dims, err := p.sides(v.dims)
	if err != nil {
		return nil, err
	}
	k := place(v.dims)
	sides := make([]int, 6) // of C, H and W before, then after
	for a := range v.dims {
		switch {
		case a >= k && a < k+3:
			sides[a-k], sides[3+a-k] = p.before[a], p.after[a]
		case p.before[a] != 0 || p.after[a] != 0:
			return nil, fmt.Errorf("it pads axis %d; only channels, height and width can be padded", a)
		}
	}
	if !slices.ContainsFunc(sides, func(n int) bool { return n != 0 }) {
		return v, nil
	}
	x, err := im.layer(v, v.dims, k)
	if err != nil {
		return nil, err
	}
	l := nn.Layer{Kind: nn.Border, Inputs: []string{x}, More: nn.More{Function: p.mode, Alpha: p.value}}
	l.Pads = []int{sides[1], sides[2], sides[4], sides[5]}
	if sides[0] != 0 || sides[3] != 0 {
		l.Pads = append(l.Pads, sides[0], sides[3])
	}
	return im.push(l, dims)
}
