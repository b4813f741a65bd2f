package onnx

import (
	"fmt"
	"slices"
)

func foldTranspose(im *importer, a *array) (*array, error) {
	perm := im.op.list("perm")
	if perm == nil {
		for i := range a.dims {
			perm = append([]int{i}, perm...)
		}
	}
	if sorted := slices.Sorted(slices.Values(perm)); len(perm) != len(a.dims) {
		return nil, fmt.Errorf("permutes %v by %v", a.dims, perm)
	} else {
		for i, k := range sorted {
			if i != k {
				return nil, fmt.Errorf("permutes %v by %v", a.dims, perm)
			}
		}
	}
	if err := im.spend(a.len()); err != nil {
		return nil, err
	}
	strides := make([]int, len(perm))
	for i, axis := range perm {
		strides[i] = count(a.dims[axis+1:])
	}
	out := &array{dims: permute(a.dims, perm)}
	return pick(out, a, func(i int) int {
		at := 0
		for k := len(perm) - 1; k >= 0; k-- {
			at += i % out.dims[k] * strides[k]
			i /= out.dims[k]
		}
		return at
	}), nil
}

func foldExpand(im *importer, in []*array) ([]*array, error) {
	if len(in) != 2 || in[0] == nil || in[1] == nil {
		return nil, fmt.Errorf("it has %d inputs, want 2", len(in))
	}
	to, err := in[1].list()
	if err != nil {
		return nil, err
	}
	if err := checkDims(to, maxElements); err != nil {
		return nil, err
	}
	dims, err := broadcast(in[0].dims, to)
	if err != nil {
		return nil, err
	}
	if err := im.take(dims); err != nil {
		return nil, err
	}
	return []*array{pick(&array{dims: dims}, in[0], places(dims, in[0].dims))}, nil
}

func tile(im *importer, in []*array) ([]*array, error) {
	if len(in) != 2 || in[0] == nil || in[1] == nil || in[1].len() != len(in[0].dims) {
		return nil, fmt.Errorf("it repeats an array by a list of another length")
	}
	repeats, err := in[1].list()
	if err != nil {
		return nil, err
	}
	if err := checkDims(repeats, maxElements); err != nil {
		return nil, err
	}
	a := in[0]
	out := &array{dims: make([]int, len(repeats))}
	for i, r := range repeats {
		out.dims[i] = a.dims[i] * r
	}
	if err := im.take(out.dims); err != nil {
		return nil, err
	}
	return []*array{pick(out, a, func(i int) int {
		at, stride := 0, 1
		for k := len(a.dims) - 1; k >= 0; k-- {
			at += i % out.dims[k] % a.dims[k] * stride
			i /= out.dims[k]
			stride *= a.dims[k]
		}
		return at
	})}, nil
}

func foldSlice(im *importer, in []*array) ([]*array, error) {
	if len(in) == 0 || in[0] == nil {
		return nil, fmt.Errorf("it has no input")
	}
	a := in[0]
	start, step, dims, err := im.sliceOf(asValues(in))
	if err != nil {
		return nil, err
	}
	if err := im.spend(count(dims)); err != nil {
		return nil, err
	}
	return []*array{pick(&array{dims: dims}, a, func(i int) int {
		at, stride := 0, 1
		for k := len(dims) - 1; k >= 0; k-- {
			at += (start[k] + i%dims[k]*step[k]) * stride
			i /= dims[k]
			stride *= a.dims[k]
		}
		return at
	})}, nil
}

func foldGather(im *importer, in []*array) ([]*array, error) {
	if len(in) != 2 || in[0] == nil || in[1] == nil || !in[1].isInt() {
		return nil, fmt.Errorf("it has no array and indices")
	}
	a, index := in[0], in[1]
	on, err := axis(im.op.int("axis", 0), len(a.dims))
	if err != nil {
		return nil, err
	}
	which := make([]int, index.len())
	for i, x := range index.ints {
		if which[i], err = axis(x, a.dims[on]); err != nil {
			return nil, fmt.Errorf("index %d of %d", x, a.dims[on])
		}
	}
	dims := slices.Concat(a.dims[:on], index.dims, a.dims[on+1:])
	if err := im.take(dims); err != nil {
		return nil, err
	}
	inner := count(a.dims[on+1:])
	return []*array{pick(&array{dims: dims}, a, func(i int) int {
		rest, k := i/inner, i%inner
		return (rest/len(which)*a.dims[on]+which[rest%len(which)])*inner + k
	})}, nil
}

func foldConcat(im *importer, in []*array) ([]*array, error) {
	if len(in) == 0 || slices.Contains(in, nil) {
		return nil, fmt.Errorf("it has no inputs")
	}
	on, err := axis(im.op.int("axis", 0), len(in[0].dims))
	if err != nil {
		return nil, err
	}
	out := &array{dims: slices.Clone(in[0].dims)}
	out.dims[on] = 0
	integer := true
	for _, a := range in {
		same := slices.Clone(a.dims)
		if len(same) != len(out.dims) {
			return nil, fmt.Errorf("it joins arrays of %v and %v", in[0].dims, a.dims)
		}
		same[on] = out.dims[on]
		if !slices.Equal(same, out.dims) {
			return nil, fmt.Errorf("it joins arrays of %v and %v", in[0].dims, a.dims)
		}
		out.dims[on] += a.dims[on]
		integer = integer && a.isInt()
	}
	if err := checkDims(out.dims, maxElements); err != nil {
		return nil, err
	}
	outer, inner := count(out.dims[:on]), count(out.dims[on+1:])
	values := make([]float64, 0, out.len())
	for o := range outer {
		for _, a := range in {
			n := a.dims[on] * inner
			for i := range n {
				values = append(values, a.at(o*n+i))
			}
		}
	}
	return []*array{out}, im.fillWith(out, integer, func(i int) float64 { return values[i] })
}

func foldSplit(im *importer, in []*array) ([]*array, error) {
	if len(in) == 0 || in[0] == nil {
		return nil, fmt.Errorf("it has no input")
	}
	a := in[0]
	on, err := axis(im.op.int("axis", 0), len(a.dims))
	if err != nil {
		return nil, err
	}
	sides, err := im.listOrInput("split", asValues(in), 1)
	if err != nil {
		return nil, err
	}
	if sides == nil {
		n := len(im.op.outputs)
		each := (a.dims[on] + n - 1) / n
		for i := range n {
			sides = append(sides, max(0, min(each, a.dims[on]-i*each)))
		}
	}
	inner := count(a.dims[on+1:])
	var out []*array
	at := 0
	for _, side := range sides {
		if side < 0 || side > a.dims[on]-at {
			return nil, fmt.Errorf("it splits %d into %v", a.dims[on], sides)
		}
		dims := slices.Clone(a.dims)
		dims[on] = side
		first := at
		at += side
		if err := im.spend(count(dims)); err != nil {
			return nil, err
		}
		out = append(out, pick(&array{dims: dims}, a, func(i int) int {
			outer, k := i/(side*inner), i%(side*inner)
			return (outer*a.dims[on]+first)*inner + k
		}))
	}
	return out, nil
}
