package onnx

import (
	"fmt"
	"slices"

	"github.com/faceverify/fv/internal/nn"
)

// These operators compute nothing. Most of them change how a value's numbers are seen, and make no layer.

func init() {
	converters["Identity"] = one(func(_ *importer, in []*value) (*value, error) { return in[0], nil })
	converters["Dropout"] = converters["Identity"]
	converters["Cast"] = one(func(im *importer, in []*value) (*value, error) {
		if to := im.op.int("to", 0); isInteger(to) {
			return nil, fmt.Errorf("it makes type %d of what depends on the images, which is not supported", to)
		}
		return in[0], nil
	})
	converters["Flatten"] = one(func(im *importer, in []*value) (*value, error) {
		rank := len(in[0].dims)
		a := im.op.int("axis", 1)
		if a < 0 {
			a += int64(rank)
		}
		if a < 0 || a > int64(rank) {
			return nil, fmt.Errorf("axis %d of %v", a, in[0].dims)
		}
		v := reshaped(in[0], []int{count(in[0].dims[:a]), count(in[0].dims[a:])})
		v.flatten = im.op.name
		return v, nil
	})
	converters["Reshape"] = one(reshape)
	converters["Squeeze"] = one(squeeze)
	converters["Unsqueeze"] = one(unsqueeze)
	converters["Transpose"] = one(func(im *importer, in []*value) (*value, error) {
		perm := im.op.list("perm")
		if perm == nil {
			for i := range in[0].dims {
				perm = append([]int{i}, perm...)
			}
		}
		return im.transposed(in[0], perm)
	})
	converters["Expand"] = one(expand)
	converters["Concat"] = one(concat)
	converters["Slice"] = one(slice)
	converters["Split"] = split
	converters["Gather"] = one(gather)
	converters["DepthToSpace"] = one(depthToSpace)
	converters["SpaceToDepth"] = one(spaceToDepth)
	converters["Resize"] = one(resize)
	converters["Upsample"] = one(resize)
}

func reshape(im *importer, in []*value) (*value, error) {
	v := in[0]
	to, err := im.listOrInput("shape", in, 1)
	if err != nil {
		return nil, err
	}
	return im.reshapeTo(v, to)
}

// reshapeTo is Reshape: 0 takes a side over, -1 is what is left.
func (im *importer) reshapeTo(v *value, to []int) (*value, error) {
	n := count(v.dims)
	dims, open := make([]int, len(to)), -1
	known := 1
	for i, d := range to {
		switch {
		case d == 0 && im.op.int("allowzero", 0) == 0:
			if i >= len(v.dims) {
				return nil, fmt.Errorf("a shape of %v for an array of %v", to, v.dims)
			}
			d = v.dims[i]
		case d == -1 && open < 0:
			open = i
			continue
		case d < 0:
			return nil, fmt.Errorf("a shape of %v", to)
		}
		dims[i] = d
		if known *= d; known > 1<<40 {
			return nil, fmt.Errorf("a shape of %v", to)
		}
	}
	if open >= 0 {
		if known == 0 {
			return nil, fmt.Errorf("a shape of %v for an array of %v", to, v.dims)
		}
		dims[open] = n / known
		known *= dims[open]
	}
	// A file for a batch of its own may say how many images there are.
	if v.c == nil && im.batch > 1 && known == n*im.batch && dims[0] == im.batch {
		dims[0], known = 1, n
	}
	if known != n {
		return nil, fmt.Errorf("a shape of %v for an array of %v", to, v.dims)
	}
	return reshaped(v, dims), nil
}

func squeeze(im *importer, in []*value) (*value, error) {
	v := in[0]
	list, err := im.listOrInput("axes", in, 1)
	if err != nil {
		return nil, err
	}
	all := list == nil
	if list, err = axes(list, len(v.dims)); err != nil {
		return nil, err
	}
	dims := []int{}
	for i, d := range v.dims {
		switch {
		case slices.Contains(list, i) && d != 1:
			return nil, fmt.Errorf("axis %d of %v is not 1", i, v.dims)
		case !slices.Contains(list, i) && (d != 1 || !all):
			dims = append(dims, d)
		}
	}
	return reshaped(v, dims), nil
}

func unsqueeze(im *importer, in []*value) (*value, error) {
	v := in[0]
	list, err := im.listOrInput("axes", in, 1)
	if err != nil {
		return nil, err
	}
	rank := len(v.dims) + len(list)
	if list, err = axes(list, rank); err != nil {
		return nil, err
	}
	dims, next := make([]int, rank), 0
	for i := range dims {
		dims[i] = 1
		if !slices.Contains(list, i) {
			if next >= len(v.dims) {
				return nil, fmt.Errorf("axes are %v", list)
			}
			dims[i] = v.dims[next]
			next++
		}
	}
	if next != len(v.dims) {
		return nil, fmt.Errorf("axes are %v", list)
	}
	return reshaped(v, dims), nil
}

func expand(im *importer, in []*value) (*value, error) {
	shape, err := im.constant(in, 1)
	if err != nil {
		return nil, err
	}
	if shape == nil {
		return nil, fmt.Errorf("it has no shape")
	}
	to, err := shape.list()
	if err != nil {
		return nil, err
	}
	if err := checkDims(to, 1<<24); err != nil {
		return nil, err
	}
	dims, err := broadcast(in[0].dims, to)
	if err != nil {
		return nil, err
	}
	if slices.Equal(dims, padDims(in[0].dims, len(dims))) {
		return reshaped(in[0], dims), nil
	}
	w := *in[0]
	w.dims, w.expand = padDims(w.dims, len(dims)), dims
	return &w, nil
}

func concat(im *importer, in []*value) (*value, error) {
	rank := len(in[0].dims)
	a, err := axis(im.op.int("axis", 1), rank)
	if err != nil {
		return nil, err
	}
	if len(in) == 1 {
		return in[0], nil
	}
	dims := slices.Clone(in[0].dims)
	dims[a] = 0
	for _, v := range in {
		if v == nil || len(v.dims) != rank {
			return nil, fmt.Errorf("it joins arrays of different ranks")
		}
		dims[a] += v.dims[a]
	}
	k := place(dims, a)
	l := nn.Layer{Kind: nn.Concat, More: nn.More{Axis: a - k}}
	for _, v := range in {
		if v.dims[a] == 0 {
			continue
		}
		name, err := im.layer(v, v.dims, k)
		if err != nil {
			return nil, err
		}
		l.Inputs = append(l.Inputs, name)
	}
	return im.push(l, dims)
}

// cut takes, along each axis of v, count numbers from start on, step apart.
func (im *importer) cut(v *value, start, step, dims []int) (*value, error) {
	if slices.Equal(dims, v.dims) && !slices.ContainsFunc(step, func(s int) bool { return s < 0 }) {
		return v, nil
	}
	var moved []int
	for a, d := range v.dims {
		if dims[a] != d || step[a] < 0 {
			moved = append(moved, a)
		}
	}
	k := place(v.dims, moved...)
	name, err := im.layer(v, v.dims, k)
	if err != nil {
		return nil, err
	}
	s, err := shapeAt(dims, k)
	if err != nil {
		return nil, err
	}
	l := nn.Layer{Kind: nn.Slice, Inputs: []string{name}, More: nn.More{To: &s, Start: make([]int, 3), Step: []int{1, 1, 1}}}
	for a := range v.dims {
		if a >= k {
			l.Start[a-k], l.Step[a-k] = start[a], step[a]
		}
	}
	return im.push(l, dims)
}

// bounds works out what start:end:step takes of n, as ONNX says.
func bounds(start, end, step, n int) (first, count int, err error) {
	if step == 0 {
		return 0, 0, fmt.Errorf("a step of 0")
	}
	if step < -1<<30 || step > 1<<30 {
		step = min(max(step, -1<<30), 1<<30)
	}
	wrap := func(v, lo, hi int) int {
		if v < 0 {
			v = max(v, -1<<40) + n
		}
		return min(max(v, lo), hi)
	}
	if step > 0 {
		start, end = wrap(start, 0, n), wrap(end, 0, n)
		return start, max(0, (end-start+step-1)/step), nil
	}
	start, end = wrap(start, 0, n-1), wrap(end, -1, n-1)
	return start, max(0, (start-end-step-1)/-step), nil
}

func slice(im *importer, in []*value) (*value, error) {
	v := in[0]
	starts, steps, dims, err := im.sliceOf(in)
	if err != nil {
		return nil, err
	}
	if count(dims) == 0 {
		return nil, fmt.Errorf("it takes nothing of %v, which is not supported", v.dims)
	}
	return im.cut(v, starts, steps, dims)
}

// sliceOf reads starts, ends, axes and steps, from attributes or inputs.
func (im *importer) sliceOf(in []*value) (start, step, dims []int, err error) {
	v := in[0]
	var lists [4][]int
	for i, name := range []string{"starts", "ends", "axes", "steps"} {
		if lists[i], err = im.listOrInput(name, in, i+1); err != nil {
			return nil, nil, nil, err
		}
	}
	starts, ends, on, by := lists[0], lists[1], lists[2], lists[3]
	if on == nil {
		for i := range starts {
			on = append(on, i)
		}
	}
	if by == nil {
		by = slices.Repeat([]int{1}, len(on))
	}
	if len(starts) != len(on) || len(ends) != len(on) || len(by) != len(on) {
		return nil, nil, nil, fmt.Errorf("%d starts, %d ends, %d axes and %d steps", len(starts), len(ends), len(on), len(by))
	}
	if on, err = axes(on, len(v.dims)); err != nil {
		return nil, nil, nil, err
	}
	dims = slices.Clone(v.dims)
	start, step = make([]int, len(dims)), slices.Repeat([]int{1}, len(dims))
	for i, a := range on {
		step[a] = by[i]
		if start[a], dims[a], err = bounds(starts[i], ends[i], by[i], v.dims[a]); err != nil {
			return nil, nil, nil, err
		}
	}
	return start, step, dims, nil
}

func split(im *importer, in []*value) ([]*value, error) {
	v := in[0]
	a, err := axis(im.op.int("axis", 0), len(v.dims))
	if err != nil {
		return nil, err
	}
	sides, err := im.listOrInput("split", in, 1)
	if err != nil {
		return nil, err
	}
	n := len(im.op.outputs)
	if sides == nil {
		each := (v.dims[a] + n - 1) / n
		for i := range n {
			sides = append(sides, max(0, min(each, v.dims[a]-i*each)))
		}
	}
	var out []*value
	at := 0
	for _, side := range sides {
		if side < 0 || side > v.dims[a]-at {
			return nil, fmt.Errorf("it splits %d into %v", v.dims[a], sides)
		}
		dims, start := slices.Clone(v.dims), make([]int, len(v.dims))
		dims[a], start[a] = side, at
		at += side
		var part *value
		if len(out) < n && side > 0 && im.needed[im.op.outputs[len(out)]] {
			if part, err = im.cut(v, start, slices.Repeat([]int{1}, len(dims)), dims); err != nil {
				return nil, err
			}
		}
		out = append(out, part)
	}
	return out, nil
}

// gather takes some of what lies along an axis, a constant distance apart.
func gather(im *importer, in []*value) (*value, error) {
	v := in[0]
	index, err := im.constant(in, 1)
	if err != nil {
		return nil, err
	}
	a, err := axis(im.op.int("axis", 0), len(v.dims))
	if err != nil {
		return nil, err
	}
	if index == nil || !index.isInt() || index.len() == 0 || len(index.dims) > 1 {
		return nil, fmt.Errorf("its indices are no list of integers")
	}
	which := make([]int, index.len())
	for i, x := range index.ints {
		if which[i], err = axis(x, v.dims[a]); err != nil {
			return nil, fmt.Errorf("index %d of %d", x, v.dims[a])
		}
	}
	dims, start, step := slices.Clone(v.dims), make([]int, len(v.dims)), slices.Repeat([]int{1}, len(v.dims))
	dims[a], start[a] = len(which), which[0]
	if len(which) > 1 {
		step[a] = which[1] - which[0]
	}
	for i, x := range which {
		if x != which[0]+i*step[a] {
			return nil, fmt.Errorf("its indices %v are not equally far apart, which is not supported", which)
		}
	}
	y, err := im.cut(v, start, step, dims)
	if err != nil || len(index.dims) == 1 {
		return y, err
	}
	return reshaped(y, slices.Delete(dims, a, a+1)), nil
}

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
