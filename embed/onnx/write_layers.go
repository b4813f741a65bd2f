package onnx

import (
	"fmt"
	"math"
	"slices"

	"github.com/faceverify/fv/internal/nn"
)

// affine returns a batch norm as y = scale x + shift.
func (x *exporter) affine(l *nn.Layer) (scale, shift []float64) {
	gain, bias := x.weights[l.Name+".weight"], x.weights[l.Name+".bias"]
	mean, variance := x.weights[l.Name+".running_mean"], x.weights[l.Name+".running_var"]
	for c := range gain {
		s := float64(gain[c]) / math.Sqrt(float64(variance[c])+epsilonOf(l))
		scale, shift = append(scale, s), append(shift, float64(bias[c])-float64(mean[c])*s)
	}
	return scale, shift
}

func epsilonOf(l *nn.Layer) float64 {
	if l.Epsilon == 0 {
		return 1e-5
	}
	return l.Epsilon
}

// layer adds the nodes of a layer.
func (x *exporter) layer(l nn.Layer) error {
	var in []exported
	var shapes []nn.Shape
	vectors := 0
	for _, name := range l.Inputs {
		v := x.values[name]
		in, shapes = append(in, v), append(shapes, v.shape)
		if v.vector {
			vectors++
		}
	}
	shape, err := l.Output(shapes...)
	if err != nil {
		return err
	}
	// A layer's inputs are alike: vectors if one is, as is what a linear layer reads.
	flat := vectors > 0 || l.Kind == nn.Linear
	if flat && l.Kind != nn.Reshape {
		for i, v := range in {
			if !v.vector {
				in[i].name = x.own(l.Name + "/flatten")
				x.node("Flatten", in[i].name, in[i].name, []string{v.name}, attribute{"axis", 1})
			}
		}
	}
	y := exported{name: x.valueOf(l.Name), shape: shape, vector: flat && l.Kind != nn.Reshape || l.Kind == nn.Flatten}
	// What a network gives is a vector.
	flatten := l.Name == x.last && !y.vector
	given := y.name
	if flatten {
		y.name += "/image"
	}
	var names []string
	for _, v := range in {
		names = append(names, v.name)
	}
	if err := x.nodesOf(l, y, names, in); err != nil {
		return err
	}
	if flatten {
		x.node("Flatten", given+"/flatten", given, []string{y.name}, attribute{"axis", 1})
		y.name, y.vector = given, true
	}
	x.values[l.Name] = y
	return nil
}

// param adds a layer's parameter with one number for each channel.
func (x *exporter) param(l *nn.Layer, role string, y exported) string {
	name := l.Name + role
	w := x.weights[name]
	if y.vector {
		return x.tensor(name, []int{len(w)}, w)
	}
	return x.tensor(name, []int{len(w), 1, 1}, w)
}

// windowOf returns the attributes of a window.
func windowOf(l *nn.Layer) []attribute {
	or := func(v, def int) int {
		if v == 0 {
			return def
		}
		return v
	}
	h, stride, dilation := l.Kernel, or(l.Stride, 1), or(l.Dilation, 1)
	pads := l.Pads
	if pads == nil {
		pads = []int{l.Pad, l.Pad, l.Pad, l.Pad}
	}
	a := []attribute{{"kernel_shape", []int{h, or(l.KernelWidth, h)}}, {"strides", []int{stride, or(l.StrideWidth, stride)}}, {"pads", pads}}
	if d := []int{dilation, or(l.DilationWidth, dilation)}; d[0] > 1 || d[1] > 1 {
		a = append(a, attribute{"dilations", d})
	}
	return a
}

// nodesOf adds the nodes that give y.
func (x *exporter) nodesOf(l nn.Layer, y exported, names []string, in []exported) error {
	node := func(op string, in []string, attributes ...attribute) { x.node(op, l.Name, y.name, in, attributes...) }
	switch l.Kind {
	case nn.Convolution, nn.Transposed:
		groups := max(1, l.Groups)
		dims := []int{l.Out, in[0].shape.C / groups}
		op, attributes := "Conv", append(windowOf(&l), attribute{"group", groups})
		if l.Kind == nn.Transposed {
			op, dims = "ConvTranspose", []int{in[0].shape.C, l.Out / groups}
			attributes = append(attributes, attribute{"output_padding", []int{l.ExtraH, l.ExtraW}})
		}
		width := l.KernelWidth
		if width == 0 {
			width = l.Kernel
		}
		names = append(names, x.tensor(l.Name+".weight", append(dims, l.Kernel, width), x.weights[l.Name+".weight"]))
		if l.Bias {
			names = append(names, x.tensor(l.Name+".bias", []int{l.Out}, x.weights[l.Name+".bias"]))
		}
		node(op, names, attributes...)
	case nn.Linear:
		names = append(names, x.tensor(l.Name+".weight", []int{l.Out, in[0].shape.Len()}, x.weights[l.Name+".weight"]))
		if l.Bias {
			names = append(names, x.tensor(l.Name+".bias", []int{l.Out}, x.weights[l.Name+".bias"]))
		}
		node("Gemm", names, attribute{"transB", 1})
	case nn.BatchNorm:
		for _, role := range []string{".weight", ".bias", ".running_mean", ".running_var"} {
			w := x.weights[l.Name+role]
			names = append(names, x.tensor(l.Name+role, []int{len(w)}, w))
		}
		node("BatchNormalization", names, attribute{"epsilon", epsilonOf(&l)})
	case nn.Scale:
		x.helper("Mul", l.Name+"/gain", []string{names[0], x.param(&l, ".weight", y)})
		node("Add", []string{x.own(l.Name + "/gain"), x.param(&l, ".bias", y)})
	case nn.PReLU:
		node("PRelu", []string{names[0], x.param(&l, ".weight", y)})
	case nn.ReLU:
		node("Relu", names)
	case nn.LeakyReLU:
		node("LeakyRelu", names, attribute{"alpha", l.Alpha})
	case nn.Add:
		node("Add", names)
	case nn.Flatten:
		node("Flatten", names, attribute{"axis", 1})
	case nn.Apply:
		return x.apply(&l, y.name, names[0])
	case nn.Combine:
		node(map[string]string{"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "pow": "Pow", "max": "Max", "min": "Min"}[l.Function], names)
	case nn.MaxPool:
		node("MaxPool", names, windowOf(&l)...)
	case nn.AveragePool:
		count := 0
		if l.CountPad {
			count = 1
		}
		node("AveragePool", names, append(windowOf(&l), attribute{"count_include_pad", count})...)
	case nn.Concat:
		node("Concat", names, attribute{"axis", l.Axis + 1})
	case nn.Softmax:
		if x.Opset < 13 && !(l.Axis == nn.AxisC && y.shape.H*y.shape.W == 1) {
			return fmt.Errorf("opset %d has no softmax along one axis; 13 has", x.Opset)
		}
		node("Softmax", names, attribute{"axis", l.Axis + 1})
	case nn.Normalize:
		if l.Alpha == 2 && l.Beta > 0 {
			x.norm(l.Name, names[0], y.name, l.Axis+1, l.Beta)
			return nil
		}
		node("LpNormalization", names, attribute{"axis", l.Axis + 1}, attribute{"p", int(l.Alpha)})
	case nn.Reduce:
		return x.reduce(&l, y, names[0])
	case nn.Reshape:
		x.reshape(&l, y, names[0])
	case nn.Border:
		p := append(slices.Clone(l.Pads), 0, 0)
		pads := x.list(l.Name+"/pads", 0, p[4], p[0], p[1], 0, p[5], p[2], p[3])
		node("Pad", []string{names[0], pads, x.number(l.Name+"/value", l.Alpha)}, attribute{"mode", l.Function})
	case nn.Slice:
		var ends []int
		for axis := range 3 {
			last := l.Start[axis] + ([]int{l.To.C, l.To.H, l.To.W}[axis]-1)*l.Step[axis]
			switch {
			case l.Step[axis] > 0:
				ends = append(ends, last+1)
			case last == 0:
				ends = append(ends, math.MinInt32)
			default:
				ends = append(ends, last-1)
			}
		}
		axes := []int{1, 2, 3}
		node("Slice", []string{names[0], x.list(l.Name+"/starts", l.Start...), x.list(l.Name+"/ends", ends...), x.list(l.Name+"/axes", axes...), x.list(l.Name+"/steps", l.Step...)})
	case nn.Constant:
		s := y.shape
		x.tensorAs(y.name, []int{1, s.C, s.H, s.W}, x.weights[l.Name+".value"])
	default:
		return fmt.Errorf("such a layer cannot be written")
	}
	return nil
}

// apply adds a function.
func (x *exporter) apply(l *nn.Layer, y, in string) error {
	node := func(op string, in []string, attributes ...attribute) { x.node(op, l.Name, y, in, attributes...) }
	a, b := attribute{"alpha", l.Alpha}, attribute{"beta", l.Beta}
	simple := map[string]string{"sigmoid": "Sigmoid", "tanh": "Tanh", "softplus": "Softplus", "softsign": "Softsign", "exp": "Exp", "log": "Log", "sqrt": "Sqrt",
		"inverse": "Reciprocal", "abs": "Abs", "floor": "Floor", "ceil": "Ceil", "round": "Round", "erf": "Erf"}
	switch f := l.Function; f {
	case "clip":
		// A bound that is none is left out.
		lo, hi := "", ""
		if l.Alpha > -unlimited {
			lo = x.number(l.Name+"/min", l.Alpha)
		}
		if l.Beta < unlimited {
			hi = x.number(l.Name+"/max", l.Beta)
		}
		ins := []string{in, lo, hi}
		for ins[len(ins)-1] == "" {
			ins = ins[:len(ins)-1]
		}
		node("Clip", ins)
	case "linear":
		x.helper("Mul", l.Name+"/mul", []string{in, x.number(l.Name+"/factor", l.Alpha)})
		node("Add", []string{x.own(l.Name + "/mul"), x.number(l.Name+"/term", l.Beta)})
	case "pow":
		node("Pow", []string{in, x.number(l.Name+"/exponent", l.Alpha)})
	case "elu":
		node("Elu", []string{in}, a)
	case "celu":
		if x.Opset < 12 {
			return fmt.Errorf("opset %d has no Celu; 12 has", x.Opset)
		}
		node("Celu", []string{in}, a)
	case "selu":
		node("Selu", []string{in}, a, attribute{"gamma", l.Beta})
	case "threshold":
		node("ThresholdedRelu", []string{in}, a)
	case "hardsigmoid":
		node("HardSigmoid", []string{in}, a, b)
	case "hardswish":
		x.helper("HardSigmoid", l.Name+"/gate", []string{in}, a, b)
		node("Mul", []string{in, x.own(l.Name + "/gate")})
	case "silu":
		x.helper("Sigmoid", l.Name+"/gate", []string{in})
		node("Mul", []string{in, x.own(l.Name + "/gate")})
	case "mish":
		x.helper("Softplus", l.Name+"/softplus", []string{in})
		x.helper("Tanh", l.Name+"/gate", []string{x.own(l.Name + "/softplus")})
		node("Mul", []string{in, x.own(l.Name + "/gate")})
	case "gelu": // x (erf(x/√2) + 1) / 2
		x.helper("Mul", l.Name+"/scaled", []string{in, x.number(l.Name+"/root", math.Sqrt2/2)})
		x.helper("Erf", l.Name+"/erf", []string{x.own(l.Name + "/scaled")})
		x.helper("Add", l.Name+"/plus", []string{x.own(l.Name + "/erf"), x.number(l.Name+"/one", 1)})
		x.helper("Mul", l.Name+"/gate", []string{x.own(l.Name + "/plus"), x.number(l.Name+"/half", 0.5)})
		node("Mul", []string{in, x.own(l.Name + "/gate")})
	default:
		op, ok := simple[f]
		if !ok {
			return fmt.Errorf("the function %q cannot be written", f)
		}
		node(op, []string{in})
	}
	return nil
}

// reduce adds a reduction; the mean of an image has an operator of its own.
func (x *exporter) reduce(l *nn.Layer, y exported, in string) error {
	axes := slices.Clone(l.Axes)
	for i := range axes {
		axes[i]++
	}
	if l.Function == "mean" && slices.Equal(axes, []int{2, 3}) && !y.vector {
		x.node("GlobalAveragePool", l.Name, y.name, []string{in})
		return nil
	}
	op := map[string]string{"mean": "ReduceMean", "sum": "ReduceSum", "max": "ReduceMax", "min": "ReduceMin", "prod": "ReduceProd", "l1": "ReduceL1",
		"l2": "ReduceL2", "sumsquare": "ReduceSumSquare", "logsum": "ReduceLogSum", "logsumexp": "ReduceLogSumExp"}[l.Function]
	if x.Opset >= 18 || op == "ReduceSum" && x.Opset >= 13 {
		x.node(op, l.Name, y.name, []string{in, x.list(l.Name+"/axes", axes...)}, attribute{"keepdims", 1})
	} else {
		x.node(op, l.Name, y.name, []string{in}, attribute{"axes", axes}, attribute{"keepdims", 1})
	}
	return nil
}

// reshape adds a change of shape; a 0 takes the batch over.
func (x *exporter) reshape(l *nn.Layer, y exported, in string) {
	if len(l.Perm) > 0 {
		perm := []int{0}
		for _, a := range l.Perm {
			perm = append(perm, a+1)
		}
		x.helper("Reshape", l.Name+"/seen", []string{in, x.list(l.Name+"/dims", append([]int{0}, l.Dims...)...)})
		x.helper("Transpose", l.Name+"/transposed", []string{x.own(l.Name + "/seen")}, attribute{"perm", perm})
		in = x.own(l.Name + "/transposed")
	}
	s := y.shape
	x.node("Reshape", l.Name, y.name, []string{in, x.list(l.Name+"/to", 0, s.C, s.H, s.W)})
}
