package onnx

import "fmt"

// int returns an integer attribute, or def.
func (op *operator) int(name string, def int64) int64 {
	if v, ok := op.attrs[name].(int64); ok {
		return v
	}
	return def
}

func (op *operator) float(name string, def float64) float64 {
	if v, ok := op.attrs[name].(float32); ok {
		return float64(v)
	}
	return def
}

func (op *operator) str(name, def string) string {
	if v, ok := op.attrs[name].(string); ok {
		return v
	}
	return def
}

// list returns a list of integers, nil if there is none.
func (op *operator) list(name string) []int {
	v, ok := op.attrs[name].([]int64)
	if !ok {
		return nil
	}
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
	}
	return out
}

// has reports whether the attribute is there.
func (op *operator) has(name string) bool { _, ok := op.attrs[name]; return ok }

// axis returns an axis, which may count from the end, of an array of that rank.
func axis(v int64, rank int) (int, error) {
	if v < 0 {
		v += int64(rank)
	}
	if v < 0 || v >= int64(rank) {
		return 0, fmt.Errorf("axis %d of an array of %d sides", v, rank)
	}
	return int(v), nil
}

// axes is axis for several.
func axes(list []int, rank int) ([]int, error) {
	out := make([]int, len(list))
	for i, v := range list {
		a, err := axis(int64(v), rank)
		if err != nil {
			return nil, err
		}
		out[i] = a
	}
	return out, nil
}

// listOrInput returns integers that are an attribute in old opsets and input i in new ones; nil if there are none.
func (im *importer) listOrInput(name string, in []*value, i int) ([]int, error) {
	if im.op.has(name) {
		return im.op.list(name), nil
	}
	a, err := im.constant(in, i)
	if a == nil || err != nil {
		return nil, err
	}
	return a.list()
}
