package onnx

import (
	"fmt"
	"math"
	"slices"
)

// folder computes an operator of constants. in may hold nils.
type folder func(im *importer, in []*array) ([]*array, error)

// folders are the operators that can be computed of constants alone: shape arithmetic, mostly.
var folders map[string]folder

func init() {
	folders = map[string]folder{
		"Cast": one1(func(im *importer, a *array) (*array, error) { return cast(a, isInteger(im.op.int("to", 0))), nil }),
		"ConstantOfShape": one1(func(im *importer, a *array) (*array, error) {
			dims, err := a.list()
			if err != nil {
				return nil, err
			}
			if err := im.take(dims); err != nil {
				return nil, err
			}
			v := im.op.value
			if v == nil {
				v = &array{dims: []int{1}, floats: []float32{0}}
			}
			if v.len() != 1 {
				return nil, fmt.Errorf("its value is not one number")
			}
			return pick(&array{dims: dims}, v, func(int) int { return 0 }), nil
		}),
		"DequantizeLinear": dequantize,
		"Range":            rangeOf,
		"Where":            where,
		"Size":             one1(func(_ *importer, a *array) (*array, error) { return ints(nil, int64(a.len())), nil }),
		"Tile":             tile,
	}
	for op, f := range map[string]func(a, b float64) float64{
		"Add": func(a, b float64) float64 { return a + b }, "Sub": func(a, b float64) float64 { return a - b },
		"Mul": func(a, b float64) float64 { return a * b }, "Div": func(a, b float64) float64 { return a / b },
		"Pow": math.Pow, "Max": math.Max, "Min": math.Min, "Mod": func(a, b float64) float64 { return a - b*math.Floor(a/b) },
		"Equal": truth(func(a, b float64) bool { return a == b }), "Less": truth(func(a, b float64) bool { return a < b }),
		"Greater": truth(func(a, b float64) bool { return a > b }), "GreaterOrEqual": truth(func(a, b float64) bool { return a >= b }),
		"LessOrEqual": truth(func(a, b float64) bool { return a <= b }),
		"And":         truth(func(a, b float64) bool { return a != 0 && b != 0 }), "Or": truth(func(a, b float64) bool { return a != 0 || b != 0 }),
	} {
		folders[op] = func(im *importer, in []*array) ([]*array, error) { return foldBinary(im, op, f, in) }
	}
	for op, f := range map[string]func(x float64) float64{
		"Neg": func(x float64) float64 { return -x }, "Abs": math.Abs, "Floor": math.Floor, "Ceil": math.Ceil, "Round": math.RoundToEven,
		"Sqrt": math.Sqrt, "Exp": math.Exp, "Log": math.Log, "Reciprocal": func(x float64) float64 { return 1 / x },
		"Not": func(x float64) float64 { return 1 - min(1, math.Abs(x)) },
	} {
		folders[op] = one1(func(im *importer, a *array) (*array, error) {
			out := &array{dims: a.dims}
			return out, im.fillWith(out, a.isInt(), func(i int) float64 { return f(a.at(i)) })
		})
	}
	// What moves numbers moves those of constants by their places.
	for _, op := range []string{"Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Dropout"} {
		folders[op] = func(im *importer, in []*array) ([]*array, error) {
			out, err := converters[op](im, asValues(in))
			if err != nil {
				return nil, err
			}
			return []*array{out[0].c}, nil
		}
	}
	folders["Transpose"] = one1(foldTranspose)
	folders["Expand"] = foldExpand
	folders["Slice"] = foldSlice
	folders["Gather"] = foldGather
	folders["Concat"] = foldConcat
	folders["Pad"] = foldPad
	folders["Split"] = foldSplit
	for _, op := range []string{"ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean"} {
		folders[op] = foldReduce
	}
}

func one1(f func(im *importer, a *array) (*array, error)) folder {
	return func(im *importer, in []*array) ([]*array, error) {
		if len(in) == 0 || in[0] == nil {
			return nil, fmt.Errorf("it has no input")
		}
		a, err := f(im, in[0])
		return []*array{a}, err
	}
}

func truth(f func(a, b float64) bool) func(a, b float64) float64 {
	return func(a, b float64) float64 {
		if f(a, b) {
			return 1
		}
		return 0
	}
}

func asValues(in []*array) []*value {
	out := make([]*value, len(in))
	for i, a := range in {
		if a != nil {
			out[i] = &value{dims: a.dims, c: a}
		}
	}
	return out
}

// fold computes an operator.
func (im *importer) fold(f folder, in []*value) ([]*value, error) {
	arrays := make([]*array, len(in))
	for i, v := range in {
		if v != nil {
			arrays[i] = v.c
		}
	}
	out, err := f(im, arrays)
	return asValues(out), err
}

// fillWith gives out its numbers.
func (im *importer) fillWith(out *array, integer bool, f func(i int) float64) error {
	n := out.len()
	if err := im.spend(n); err != nil {
		return err
	}
	if integer {
		out.ints = make([]int64, n)
		for i := range out.ints {
			out.ints[i] = int64(f(i))
		}
		return nil
	}
	out.floats = make([]float32, n)
	for i := range out.floats {
		out.floats[i] = float32(f(i))
	}
	return nil
}

// pick gives out, whose dims are set, the number of a at from(i) for each i.
func pick(out, a *array, from func(i int) int) *array {
	n := out.len()
	if a.isInt() {
		out.ints = make([]int64, n)
		for i := range out.ints {
			out.ints[i] = a.ints[from(i)]
		}
		return out
	}
	out.floats = make([]float32, n)
	for i := range out.floats {
		out.floats[i] = a.floats[from(i)]
	}
	return out
}

func cast(a *array, integer bool) *array {
	if integer == a.isInt() {
		return a
	}
	out := &array{dims: a.dims}
	if !integer {
		out.floats = a.float()
		return out
	}
	out.ints = make([]int64, a.len())
	for i := range out.ints {
		out.ints[i] = int64(a.floats[i])
	}
	return out
}

// places returns a function that maps a place in an array of dims to one in an array of other sides, of which those of 1 are repeated.
func places(dims, of []int) func(i int) int {
	of = padDims(of, len(dims))
	return func(i int) int {
		at, stride := 0, 1
		for a := len(dims) - 1; a >= 0; a-- {
			if of[a] != 1 {
				at += i % dims[a] * stride
			}
			i /= dims[a]
			stride *= of[a]
		}
		return at
	}
}

func foldBinary(im *importer, op string, f func(a, b float64) float64, in []*array) ([]*array, error) {
	if len(in) < 2 || slices.Contains(in, nil) {
		return nil, fmt.Errorf("it has %d inputs", len(in))
	}
	a := in[0]
	for _, b := range in[1:] {
		dims, err := broadcast(a.dims, b.dims)
		if err != nil {
			return nil, err
		}
		if err := checkDims(dims, maxElements); err != nil {
			return nil, err
		}
		integer := a.isInt() && b.isInt()
		g := f
		if op == "Mod" && im.op.int("fmod", 0) == 1 {
			g = math.Mod
		}
		if integer && op == "Div" {
			g = func(a, b float64) float64 { return math.Trunc(a / b) }
			for _, v := range b.ints {
				if v == 0 {
					return nil, fmt.Errorf("it divides by 0")
				}
			}
		}
		switch op {
		case "Equal", "Less", "Greater", "GreaterOrEqual", "LessOrEqual", "And", "Or":
			integer = true
		}
		out := &array{dims: dims}
		pa, pb := places(dims, a.dims), places(dims, b.dims)
		x := a
		if err := im.fillWith(out, integer, func(i int) float64 { return g(x.at(pa(i)), b.at(pb(i))) }); err != nil {
			return nil, err
		}
		a = out
	}
	return []*array{a}, nil
}

func foldReduce(im *importer, in []*array) ([]*array, error) {
	if len(in) == 0 || in[0] == nil {
		return nil, fmt.Errorf("it has no input")
	}
	a := in[0]
	list, err := im.listOrInput("axes", asValues(in), 1)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		for i := range a.dims {
			list = append(list, i)
		}
	}
	if list, err = axes(list, len(a.dims)); err != nil {
		return nil, err
	}
	kept, dims := im.reduced(a.dims, list)
	if a.len() == 0 {
		return nil, fmt.Errorf("it reduces an empty array, which is not supported")
	}
	sums, seen := make([]float64, count(kept)), make([]bool, count(kept))
	where := places(a.dims, kept)
	for i := range a.len() {
		k, v := where(i), a.at(i)
		switch {
		case !seen[k]:
			sums[k], seen[k] = v, true
		case im.op.op == "ReduceProd":
			sums[k] *= v
		case im.op.op == "ReduceMax":
			sums[k] = max(sums[k], v)
		case im.op.op == "ReduceMin":
			sums[k] = min(sums[k], v)
		default:
			sums[k] += v
		}
	}
	if im.op.op == "ReduceMean" {
		for k := range sums {
			sums[k] /= float64(a.len() / len(sums))
		}
	}
	out := &array{dims: dims}
	return []*array{out}, im.fillWith(out, a.isInt(), func(i int) float64 { return sums[i] })
}

func rangeOf(im *importer, in []*array) ([]*array, error) {
	if len(in) != 3 || slices.Contains(in, nil) || in[0].len() != 1 || in[1].len() != 1 || in[2].len() != 1 {
		return nil, fmt.Errorf("it wants three numbers")
	}
	start, limit, delta := in[0].at(0), in[1].at(0), in[2].at(0)
	n := math.Ceil((limit - start) / delta)
	if !(math.Abs(n) <= maxElements) {
		return nil, fmt.Errorf("from %v to %v by %v", start, limit, delta)
	}
	out := &array{dims: []int{max(0, int(n))}}
	return []*array{out}, im.fillWith(out, in[0].isInt(), func(i int) float64 { return start + float64(i)*delta })
}

func where(im *importer, in []*array) ([]*array, error) {
	if len(in) != 3 || slices.Contains(in, nil) {
		return nil, fmt.Errorf("it wants three inputs")
	}
	dims, err := broadcast(in[1].dims, in[2].dims)
	if err != nil {
		return nil, err
	}
	if dims, err = broadcast(dims, in[0].dims); err != nil {
		return nil, err
	}
	if err := checkDims(dims, maxElements); err != nil {
		return nil, err
	}
	p, q, r := places(dims, in[0].dims), places(dims, in[1].dims), places(dims, in[2].dims)
	out := &array{dims: dims}
	return []*array{out}, im.fillWith(out, in[1].isInt() && in[2].isInt(), func(i int) float64 {
		if in[0].at(p(i)) != 0 {
			return in[1].at(q(i))
		}
		return in[2].at(r(i))
	})
}

// dequantize is (x - zero) scale: of weights that are kept as 8-bit integers.
func dequantize(im *importer, in []*array) ([]*array, error) {
	if len(in) < 2 || in[0] == nil || in[1] == nil || im.op.int("block_size", 0) != 0 {
		return nil, fmt.Errorf("it has no scale, or one for blocks, which are not supported")
	}
	x, scale := in[0], in[1]
	zero := ints(nil, 0)
	if len(in) > 2 && in[2] != nil {
		zero = in[2]
	}
	at := func(int) int { return 0 }
	if scale.len() != 1 {
		on, err := axis(im.op.int("axis", 1), len(x.dims))
		if err != nil {
			return nil, err
		}
		if scale.len() != x.dims[on] || zero.len() != 1 && zero.len() != scale.len() {
			return nil, fmt.Errorf("%d scales for %d", scale.len(), x.dims[on])
		}
		inner := count(x.dims[on+1:])
		at = func(i int) int { return i / inner % x.dims[on] }
	}
	out := &array{dims: x.dims}
	return []*array{out}, im.fillWith(out, false, func(i int) float64 {
		k := at(i)
		return (x.at(i) - zero.at(min(k, zero.len()-1))) * scale.at(k)
	})
}

// reduced returns the dims of what is reduced along some axes, with 1 in their place, and as the operator gives it.
func (im *importer) reduced(of, along []int) (kept, dims []int) {
	kept, dims = slices.Clone(of), []int{}
	for i := range kept {
		if slices.Contains(along, i) {
			kept[i] = 1
		} else {
			dims = append(dims, kept[i])
		}
	}
	if im.op.int("keepdims", 1) == 1 {
		dims = kept
	}
	return kept, dims
}
