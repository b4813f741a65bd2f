package onnx

import (
	"fmt"
	"slices"

	"github.com/faceverify/fv/internal/nn"
)

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
