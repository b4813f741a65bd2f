package onnx

import (
	"fmt"
	"slices"

	"github.com/faceverify/fv/internal/nn"
)

// blocks returns blocksize, if it divides.
func (im *importer) blocks(dims []int) (int, error) {
	b := int(im.op.int("blocksize", 0))
	if len(dims) != 4 || b < 1 || b > 1<<10 {
		return 0, fmt.Errorf("blocksize %d for an array of %v", b, dims)
	}
	return b, nil
}

func depthToSpace(im *importer, in []*value) (*value, error) {
	d := in[0].dims
	b, err := im.blocks(d)
	if err != nil {
		return nil, err
	}
	if d[1]%(b*b) != 0 {
		return nil, fmt.Errorf("blocksize %d for an array of %v", b, d)
	}
	c := d[1] / (b * b)
	seen, perm := []int{d[0], b, b, c, d[2], d[3]}, []int{0, 3, 4, 1, 5, 2}
	if im.op.str("mode", "DCR") == "CRD" {
		seen, perm = []int{d[0], c, b, b, d[2], d[3]}, []int{0, 1, 4, 2, 5, 3}
	}
	y, err := im.transposed(reshaped(in[0], seen), perm)
	if err != nil {
		return nil, err
	}
	return reshaped(y, []int{d[0], c, d[2] * b, d[3] * b}), nil
}

func spaceToDepth(im *importer, in []*value) (*value, error) {
	d := in[0].dims
	b, err := im.blocks(d)
	if err != nil {
		return nil, err
	}
	if d[2]%b != 0 || d[3]%b != 0 {
		return nil, fmt.Errorf("blocksize %d for an array of %v", b, d)
	}
	perm := []int{0, 3, 5, 1, 2, 4}
	if im.op.str("mode", "DCR") == "CRD" {
		perm = []int{0, 1, 3, 5, 2, 4}
	}
	y, err := im.transposed(reshaped(in[0], []int{d[0], d[1], d[2] / b, b, d[3] / b, b}), perm)
	if err != nil {
		return nil, err
	}
	return reshaped(y, []int{d[0], d[1] * b * b, d[2] / b, d[3] / b}), nil
}

func resize(im *importer, in []*value) (*value, error) {
	x, err := im.image(in[0])
	if err != nil {
		return nil, err
	}
	op, s := im.op, im.shapes[x]
	l := nn.Layer{Kind: nn.Resize, Inputs: []string{x}, More: nn.More{Coordinates: "asymmetric", Rounding: "floor"}}
	scalesAt, sizesAt := 1, -1
	if op.op == "Resize" && im.file.opset >= 11 {
		scalesAt, sizesAt = 2, 3
		l.Coordinates = op.str("coordinate_transformation_mode", "half_pixel")
		l.Rounding = op.str("nearest_mode", "round_prefer_floor")
	}
	switch mode := op.str("mode", "nearest"); mode {
	case "nearest":
		l.Function = "nearest"
	case "linear", "bilinear":
		l.Function, l.Rounding = "linear", ""
	case "cubic":
		l.Function, l.Rounding, l.Alpha = "cubic", "", op.float("cubic_coeff_a", -0.75)
	default:
		return nil, fmt.Errorf("mode %q is not supported", mode)
	}
	if op.int("exclude_outside", 0) != 0 || op.int("antialias", 0) != 0 || op.str("keep_aspect_ratio_policy", "stretch") != "stretch" {
		return nil, fmt.Errorf("exclude_outside, antialias and keep_aspect_ratio_policy are not supported")
	}
	where := []int{0, 1, 2, 3}
	if on := op.list("axes"); on != nil {
		if where, err = axes(on, 4); err != nil {
			return nil, err
		}
	}
	dims := slices.Clone(in[0].dims)
	scale := []float64{1, 1, 1, 1}
	if l.Coordinates == "tf_crop_and_resize" {
		return nil, fmt.Errorf("coordinate_transformation_mode %q is not supported", l.Coordinates)
	}
	sizes, err := im.constant(in, sizesAt)
	if err != nil {
		return nil, err
	}
	if sizes != nil && sizes.len() > 0 {
		list, err := sizes.list()
		if err != nil {
			return nil, err
		}
		if len(list) != len(where) {
			return nil, fmt.Errorf("sizes are %v", list)
		}
		for i, a := range where {
			if a < 2 {
				continue // the batch and the channels, which stay
			}
			scale[a], dims[a] = float64(list[i])/float64(dims[a]), list[i]
		}
	} else {
		scales, err := im.constant(in, scalesAt)
		if err != nil {
			return nil, err
		}
		if v, ok := op.attrs["scales"].([]float32); ok {
			scales = &array{dims: []int{len(v)}, floats: v}
		}
		if scales == nil || scales.len() != len(where) {
			return nil, fmt.Errorf("it has neither sizes nor scales for %d axes", len(where))
		}
		for i, a := range where {
			f := scales.at(i)
			if !(f > 0 && f < 1<<12) || a < 2 && f != 1 {
				return nil, fmt.Errorf("scale %v of axis %d", f, a)
			}
			scale[a], dims[a] = f, int(float64(dims[a])*f)
		}
	}
	if err := checkDims(dims, 1<<24); err != nil {
		return nil, err
	}
	l.To = &nn.Shape{C: s.C, H: dims[2], W: dims[3]}
	l.ScaleH, l.ScaleW = scale[2], scale[3]
	return im.push(l, dims)
}
