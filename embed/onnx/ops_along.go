package onnx

import (
	"fmt"
	"slices"

	"github.com/faceverify/fv/internal/nn"
)

func init() {
	for op, function := range map[string]string{"ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "max", "ReduceMin": "min", "ReduceL1": "l1",
		"ReduceL2": "l2", "ReduceSumSquare": "sumsquare", "ReduceProd": "prod", "ReduceLogSum": "logsum", "ReduceLogSumExp": "logsumexp"} {
		converters[op] = one(func(im *importer, in []*value) (*value, error) { return im.reduce(in, function) })
	}
	converters["Softmax"] = one(softmax)
	converters["LogSoftmax"] = one(func(im *importer, in []*value) (*value, error) {
		v, err := softmax(im, in)
		if err != nil {
			return nil, err
		}
		return im.apply(v, "log", 0, 0)
	})
	converters["LpNormalization"] = one(func(im *importer, in []*value) (*value, error) {
		a, err := axis(im.op.int("axis", -1), len(in[0].dims))
		if err != nil {
			return nil, err
		}
		return im.along(in[0], a, nn.Layer{Kind: nn.Normalize, More: nn.More{Alpha: float64(im.op.int("p", 2))}})
	})
}

// along adds a layer that works along one axis of v.
func (im *importer) along(v *value, a int, l nn.Layer) (*value, error) {
	k := place(v.dims, a)
	name, err := im.layer(v, v.dims, k)
	if err != nil {
		return nil, err
	}
	l.Inputs, l.Axis = []string{name}, a-k
	return im.push(l, v.dims)
}

func softmax(im *importer, in []*value) (*value, error) {
	v := in[0]
	if im.file.opset >= 13 {
		a, err := axis(im.op.int("axis", -1), len(v.dims))
		if err != nil {
			return nil, err
		}
		return im.along(v, a, nn.Layer{Kind: nn.Softmax})
	}
	// Old opsets take all sides from the axis on together.
	a, err := axis(im.op.int("axis", 1), len(v.dims))
	if err != nil {
		return nil, err
	}
	y, err := im.along(reshaped(v, []int{count(v.dims[:a]), count(v.dims[a:])}), 1, nn.Layer{Kind: nn.Softmax})
	if err != nil {
		return nil, err
	}
	return reshaped(y, v.dims), nil
}

func (im *importer) reduce(in []*value, function string) (*value, error) {
	v := in[0]
	rank := len(v.dims)
	list, err := im.listOrInput("axes", in, 1)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		if im.op.int("noop_with_empty_axes", 0) == 1 {
			return v, nil
		}
		list = make([]int, rank)
		for i := range list {
			list[i] = i
		}
	}
	if list, err = axes(list, rank); err != nil {
		return nil, err
	}
	if rank > 1 && v.dims[0] == 1 && slices.Contains(list, 0) && im.batch != 1 {
		return nil, fmt.Errorf("it reduces over the images of a batch, which is not supported")
	}
	_, dims := im.reduced(v.dims, list)
	// An axis of one number has nothing to be reduced, but for functions that change that number.
	k := place(v.dims)
	on := slices.DeleteFunc(slices.Clone(list), func(a int) bool { return a < k })
	if len(on) == 0 {
		if len(list) == 0 {
			return v, nil
		}
		k = place(v.dims, list...)
		on = list
	}
	name, err := im.layer(v, v.dims, k)
	if err != nil {
		return nil, err
	}
	var where []int
	for _, a := range on {
		if a-k > nn.AxisW {
			return nil, fmt.Errorf("it reduces axis %d of %v", a, v.dims)
		}
		where = append(where, a-k)
	}
	slices.Sort(where)
	return im.push(nn.Layer{Kind: nn.Reduce, Inputs: []string{name}, More: nn.More{Function: function, Axes: where}}, dims)
}
