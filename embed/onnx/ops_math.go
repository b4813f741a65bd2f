package onnx

import (
	"fmt"
	"math"
	"slices"

	"github.com/faceverify/fv/internal/nn"
)

// unlimited is a bound of a clip that has none.
const unlimited = math.MaxFloat32

func init() {
	apply := func(op, function string, a, b float64) {
		converters[op] = one(func(im *importer, in []*value) (*value, error) {
			return im.apply(in[0], function, im.op.float("alpha", a), im.op.float("beta", b))
		})
	}
	apply("Sigmoid", "sigmoid", 0, 0)
	apply("Tanh", "tanh", 0, 0)
	apply("Softplus", "softplus", 0, 0)
	apply("Softsign", "softsign", 0, 0)
	apply("Exp", "exp", 0, 0)
	apply("Log", "log", 0, 0)
	apply("Sqrt", "sqrt", 0, 0)
	apply("Reciprocal", "inverse", 0, 0)
	apply("Abs", "abs", 0, 0)
	apply("Neg", "linear", -1, 0)
	apply("Floor", "floor", 0, 0)
	apply("Ceil", "ceil", 0, 0)
	apply("Round", "round", 0, 0)
	apply("Erf", "erf", 0, 0)
	apply("Mish", "mish", 0, 0)
	apply("Elu", "elu", 1, 0)
	apply("Celu", "celu", 1, 0)
	apply("ThresholdedRelu", "threshold", 1, 0)
	apply("HardSigmoid", "hardsigmoid", 0.2, 0.5)
	apply("HardSwish", "hardswish", 1./6, 0.5)
	converters["Selu"] = one(func(im *importer, in []*value) (*value, error) {
		return im.apply(in[0], "selu", im.op.float("alpha", 1.67326319217681884765625), im.op.float("gamma", 1.05070102214813232421875))
	})
	converters["Gelu"] = one(func(im *importer, in []*value) (*value, error) {
		if im.op.str("approximate", "none") != "none" {
			return nil, fmt.Errorf("approximate %q is not supported", im.op.str("approximate", ""))
		}
		return im.apply(in[0], "gelu", 0, 0)
	})
	converters["Relu"] = one(func(im *importer, in []*value) (*value, error) {
		return im.number(in[0], nn.Layer{Kind: nn.ReLU})
	})
	converters["LeakyRelu"] = one(func(im *importer, in []*value) (*value, error) {
		return im.number(in[0], nn.Layer{Kind: nn.LeakyReLU, More: nn.More{Alpha: im.op.float("alpha", 0.01)}})
	})
	converters["Clip"] = one(clip)
	for op, function := range map[string]string{"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Pow": "pow"} {
		converters[op] = one(func(im *importer, in []*value) (*value, error) {
			if len(in) != 2 || in[1] == nil {
				return nil, fmt.Errorf("it has %d inputs, want 2", len(in))
			}
			return im.binary(function, in[0], in[1])
		})
	}
	for op, function := range map[string]string{"Max": "max", "Min": "min", "Sum": "add", "Mean": "add"} {
		converters[op] = one(func(im *importer, in []*value) (*value, error) {
			v := in[0]
			var err error
			for _, w := range in[1:] {
				if w == nil {
					return nil, fmt.Errorf("one of its inputs is left out")
				}
				if v, err = im.binary(function, v, w); err != nil {
					return nil, err
				}
			}
			if op == "Mean" {
				return im.apply(v, "linear", 1/float64(len(in)), 0)
			}
			return v, nil
		})
	}
}

// number adds a layer that treats all numbers alike, wherever they are.
func (im *importer) number(v *value, l nn.Layer) (*value, error) {
	if v.expand != nil {
		var err error
		if v, err = im.solid(v); err != nil {
			return nil, err
		}
	}
	if v.c != nil {
		name, err := im.layer(v, v.dims, place(v.dims))
		if err != nil {
			return nil, err
		}
		v = &value{dims: v.dims, layer: name, shape: im.shapes[name]}
	}
	l.Inputs = []string{v.layer}
	w, err := im.push(l, v.dims)
	if err != nil {
		return nil, err
	}
	w.from, w.perm = v.from, v.perm
	return w, nil
}

func (im *importer) apply(v *value, function string, a, b float64) (*value, error) {
	return im.number(v, nn.Layer{Kind: nn.Apply, More: nn.More{Function: function, Alpha: a, Beta: b}})
}

func clip(im *importer, in []*value) (*value, error) {
	lo, hi := im.op.float("min", -unlimited), im.op.float("max", unlimited)
	for i, bound := range []*float64{&lo, &hi} {
		a, err := im.constant(in, i+1)
		if err != nil {
			return nil, err
		}
		if a != nil {
			if a.len() != 1 {
				return nil, fmt.Errorf("a bound of %v; want one number", a.dims)
			}
			*bound = min(max(a.at(0), -unlimited), unlimited)
		}
	}
	if lo == 0 && hi == unlimited {
		return im.number(in[0], nn.Layer{Kind: nn.ReLU})
	}
	return im.apply(in[0], "clip", lo, hi)
}

// broadcast returns the sides of what arrays of two shapes give number by number.
func broadcast(a, b []int) ([]int, error) {
	rank := max(len(a), len(b))
	a, b = padDims(a, rank), padDims(b, rank)
	out := make([]int, rank)
	for i := range out {
		switch {
		case a[i] == b[i] || b[i] == 1:
			out[i] = a[i]
		case a[i] == 1:
			out[i] = b[i]
		default:
			return nil, fmt.Errorf("arrays of %v and %v do not go together", a, b)
		}
	}
	return out, nil
}

// grown returns the sides of a value, repeated.
func (v *value) grown() []int {
	if v.expand != nil {
		return v.expand
	}
	return v.dims
}

// binary is a function of two values, number by number.
func (im *importer) binary(function string, a, b *value) (*value, error) {
	dims, err := broadcast(a.grown(), b.grown())
	if err != nil {
		return nil, err
	}
	if err := checkDims(dims, 1<<24); err != nil {
		return nil, err
	}
	if a.c != nil && b.c != nil {
		return nil, fmt.Errorf("of two constants")
	}
	for i, v := range []*value{a, b} {
		other := []*value{b, a}[i]
		if v.c != nil && other.expand == nil && slices.Equal(dims, padDims(other.dims, len(dims))) {
			if w, err := im.withConstant(function, other, v.c, i == 0, dims); w != nil || err != nil {
				return w, err
			}
		}
	}
	raw := func(v *value) *value {
		w := *v
		w.expand = nil
		return &w
	}
	k := place(dims)
	if len(dims)-k > 3 && slices.Equal(a.dims, b.dims) && a.expand == nil && b.expand == nil {
		// No image, but alike: as vectors.
		flat := []int{count(dims)}
		v, err := im.binary(function, reshaped(a, flat), reshaped(b, flat))
		if err != nil {
			return nil, err
		}
		return reshaped(v, dims), nil
	}
	names := make([]string, 2)
	for i, v := range []*value{a, b} {
		if names[i], err = im.operand(raw(v), dims, k); err != nil {
			return nil, err
		}
	}
	if function == "add" && names[0] != names[1] && im.shapes[names[0]] == im.shapes[names[1]] {
		return im.push(nn.Layer{Kind: nn.Add, Inputs: names}, dims)
	}
	if out, err := shapeAt(dims, k); err != nil {
		return nil, err
	} else if y, err := (nn.Layer{Kind: nn.Combine, More: nn.More{Function: function}}).Output(im.shapes[names[0]], im.shapes[names[1]]); err == nil && y != out {
		// Both are to be repeated along some axis.
		full, err := im.solid(&value{dims: padDims(a.dims, len(dims)), layer: names[0], shape: im.shapes[names[0]], expand: dims})
		if err != nil {
			return nil, err
		}
		names[0] = full.layer
	}
	return im.push(nn.Layer{Kind: nn.Combine, Inputs: names, More: nn.More{Function: function}}, dims)
}

// withConstant is binary of a value and a constant that is one number, or one for each channel; first says that
// the constant is the first. It returns nil where that is neither.
func (im *importer) withConstant(function string, v *value, c *array, first bool, dims []int) (*value, error) {
	v = reshaped(v, dims)
	if c.len() == 1 {
		x := c.at(0)
		switch {
		case function == "add":
			return im.apply(v, "linear", 1, x)
		case function == "sub" && first:
			return im.apply(v, "linear", -1, x)
		case function == "sub":
			return im.apply(v, "linear", 1, -x)
		case function == "mul":
			return im.apply(v, "linear", x, 0)
		case function == "div" && !first:
			return im.apply(v, "linear", 1/x, 0)
		case function == "div" && x == 1:
			return im.apply(v, "inverse", 0, 0)
		case function == "pow" && !first && x == 0.5:
			return im.apply(v, "sqrt", 0, 0)
		case function == "pow" && !first:
			return im.apply(v, "pow", x, 0)
		case function == "max":
			return im.apply(v, "clip", x, unlimited)
		case function == "min":
			return im.apply(v, "clip", -unlimited, x)
		}
		return nil, nil
	}
	per, k, ok := im.perChannel(c, dims)
	if !ok || !slices.Contains([]string{"add", "sub", "mul", "div"}, function) || function == "div" && first {
		return nil, nil
	}
	gain, bias := make([]float32, len(per)), make([]float32, len(per))
	for i, x := range per {
		gain[i] = 1
		switch {
		case function == "add":
			bias[i] = x
		case function == "sub" && first:
			gain[i], bias[i] = -1, x
		case function == "sub":
			bias[i] = -x
		case function == "mul":
			gain[i] = x
		default:
			gain[i] = 1 / x
		}
	}
	name, err := im.layer(v, dims, k)
	if err != nil {
		return nil, err
	}
	l := nn.Layer{Name: im.name(""), Kind: nn.Scale, Inputs: []string{name}}
	im.weights[l.Name+".weight"], im.weights[l.Name+".bias"] = gain, bias
	return im.push(l, dims)
}

// perChannel returns a constant as one number for each channel of an image whose axes are the sides of dims from k on, if
// it is that when it is repeated to dims.
func (im *importer) perChannel(c *array, dims []int) (per []float32, k int, ok bool) {
	k = place(dims)
	if len(c.dims) > len(dims) || len(dims)-k > 3 {
		return nil, 0, false
	}
	for i, d := range padDims(c.dims, len(dims)) {
		if d != 1 && (i != k || d != dims[k]) {
			return nil, 0, false
		}
	}
	if dims[k] > 1<<20 {
		return nil, 0, false
	}
	per = make([]float32, dims[k])
	for i := range per {
		per[i] = float32(c.at(min(i, c.len()-1)))
	}
	return per, k, true
}
