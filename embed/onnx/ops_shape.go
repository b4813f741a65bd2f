package onnx

import (
	"fmt"
	"slices"

	"github.com/faceverify/fv/internal/nn"
)

// These operators compute nothing. Most of them change how a value's numbers are seen, and make no layer.

func init() {
	converters["Identity"] = one(func(_ *importer, in []*value) (*value, error) { return in[0], nil })
	converters["Dropout"] = one(dropout)
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

// dropout passes its input on. Opset 12 and later have a switch that makes it a random function of its input.
func dropout(im *importer, in []*value) (*value, error) {
	training, err := im.constant(in, 2)
	if err != nil {
		return nil, err
	}
	ratio, err := im.constant(in, 1)
	if err != nil {
		return nil, err
	}
	none := ratio != nil && ratio.len() == 1 && ratio.at(0) == 0
	if training != nil && (training.len() != 1 || training.at(0) != 0) && !none {
		return nil, fmt.Errorf("it is in training mode, where what it gives is random, which is not supported: export the model in evaluation mode")
	}
	return in[0], nil
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
