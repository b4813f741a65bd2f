package onnx

import (
	"slices"

	"github.com/faceverify/fv/internal/nn"
)

// cleanUp makes fewer layers of what exporters write in several, and drops those that nothing reads.
func (im *importer) cleanUp() {
	for _, rule := range []func(*graphRules) bool{
		(*graphRules).linear, (*graphRules).scales, (*graphRules).bias, (*graphRules).gates, (*graphRules).normalize,
	} {
		for {
			g := im.rules()
			if !rule(g) {
				break
			}
		}
	}
	im.rules()
}

// graphRules is the network with who reads what, for one pass of a rule.
type graphRules struct {
	*importer
	index   map[string]int
	readers map[string]int
}

// rules drops layers that nothing reads, and counts who reads what.
func (im *importer) rules() *graphRules {
	g := &graphRules{importer: im, readers: map[string]int{}, index: map[string]int{}}
	for _, name := range im.net.Outputs {
		g.readers[name]++
	}
	keep := make([]bool, len(im.net.Layers))
	for i, l := range slices.Backward(im.net.Layers) {
		if g.readers[l.Name] > 0 {
			keep[i] = true
			for _, in := range l.Inputs {
				g.readers[in]++
			}
		}
	}
	var layers []nn.Layer
	for i, l := range im.net.Layers {
		if keep[i] {
			g.index[l.Name] = len(layers)
			layers = append(layers, l)
		}
	}
	im.net.Layers = layers
	return g
}

// layerOf returns the layer of a name, nil for the input.
func (g *graphRules) layerOf(name string) *nn.Layer {
	i, ok := g.index[name]
	if !ok {
		return nil
	}
	return &g.net.Layers[i]
}

// alone returns the layer that l reads as input i if nobody else does.
func (g *graphRules) alone(l *nn.Layer, i int) *nn.Layer {
	in := g.layerOf(l.Inputs[i])
	if in == nil || g.readers[in.Name] != 1 {
		return nil
	}
	return in
}

func isApply(l *nn.Layer, function string) bool {
	return l != nil && l.Kind == nn.Apply && l.Function == function
}

// linear: two linear functions are one; one that changes nothing goes; a clip after a ReLU that
// makes no difference to it, and so on.
func (g *graphRules) linear() bool {
	for i := range g.net.Layers {
		l := &g.net.Layers[i]
		if isApply(l, "linear") {
			if in := g.alone(l, 0); isApply(in, "linear") {
				l.Alpha, l.Beta = l.Alpha*in.Alpha, l.Alpha*in.Beta+l.Beta
				l.Inputs = in.Inputs
				return true
			}
			// An output keeps its own layer: its name is the network's.
			if l.Alpha == 1 && l.Beta == 0 && !slices.Contains(g.net.Outputs, l.Name) {
				g.replace(l.Name, l.Inputs[0])
				return true
			}
		}
		if isApply(l, "clip") && l.Alpha == 0 {
			if in := g.alone(l, 0); in != nil && in.Kind == nn.ReLU {
				l.Inputs = in.Inputs
				return true
			}
		}
	}
	return false
}

// replace makes all that reads one layer read another.
func (g *graphRules) replace(old, by string) {
	for i := range g.net.Layers {
		l := &g.net.Layers[i]
		l.Inputs = slices.Clone(l.Inputs)
		for k, in := range l.Inputs {
			if in == old {
				l.Inputs[k] = by
			}
		}
	}
}

// scales: of two in a row, the first is made part of the second.
func (g *graphRules) scales() bool {
	for i := range g.net.Layers {
		l := &g.net.Layers[i]
		if l.Kind != nn.Scale {
			continue
		}
		in := g.alone(l, 0)
		if in == nil || in.Kind != nn.Scale {
			continue
		}
		gain, bias := g.weights[l.Name+".weight"], g.weights[l.Name+".bias"]
		before, start := g.weights[in.Name+".weight"], g.weights[in.Name+".bias"]
		for c := range gain {
			bias[c] = float32(float64(gain[c])*float64(start[c]) + float64(bias[c]))
			gain[c] *= before[c]
		}
		l.Inputs = in.Inputs
		return true
	}
	return false
}

// bias: a linear layer or convolution without bias, and a Scale that only adds one.
func (g *graphRules) bias() bool {
	for i := range g.net.Layers {
		l := &g.net.Layers[i]
		if l.Kind != nn.Scale {
			continue
		}
		in := g.alone(l, 0)
		if in == nil || in.Bias || in.Kind != nn.Linear && in.Kind != nn.Convolution {
			continue
		}
		if slices.ContainsFunc(g.weights[l.Name+".weight"], func(x float32) bool { return x != 1 }) {
			continue
		}
		in.Bias = true
		g.weights[in.Name+".bias"] = g.weights[l.Name+".bias"]
		g.take(in, l)
		return true
	}
	return false
}

// take makes what reads l read in, which does l's work now, or, if l is an output, gives in the name of l's output.
func (g *graphRules) take(in, l *nn.Layer) {
	g.replace(l.Name, in.Name)
	for i, name := range g.net.Outputs {
		if name == l.Name {
			g.net.Outputs[i] = in.Name
		}
	}
}

// gates: x·sigmoid(x) and its kin.
func (g *graphRules) gates() bool {
	for i := range g.net.Layers {
		l := &g.net.Layers[i]
		// clip(a x + b, 0, 1/s) s is a hard sigmoid.
		if isApply(l, "linear") && l.Beta == 0 {
			if c := g.alone(l, 0); isApply(c, "clip") && c.Alpha == 0 && near(c.Beta*l.Alpha, 1) {
				if in := g.alone(c, 0); isApply(in, "linear") {
					l.Function, l.Alpha, l.Beta = "hardsigmoid", in.Alpha*l.Alpha, in.Beta*l.Alpha
					l.Inputs = in.Inputs
					return true
				}
			}
			// x clip(a x + b, 0, 1/s) s is a hard swish.
			if m := g.alone(l, 0); m != nil && m.Kind == nn.Combine && m.Function == "mul" {
				for k := range 2 {
					c := g.alone(m, k)
					if !isApply(c, "clip") || c.Alpha != 0 || !near(c.Beta*l.Alpha, 1) {
						continue
					}
					if in := g.alone(c, 0); isApply(in, "linear") && in.Inputs[0] == m.Inputs[1-k] {
						l.Function, l.Alpha, l.Beta = "hardswish", in.Alpha*l.Alpha, in.Beta*l.Alpha
						l.Inputs = in.Inputs
						return true
					}
				}
			}
		}
		if l.Kind != nn.Combine || l.Function != "mul" {
			continue
		}
		for k := range 2 {
			gate := g.alone(l, k)
			if gate == nil || gate.Kind != nn.Apply || gate.Inputs[0] != l.Inputs[1-k] {
				continue
			}
			switch gate.Function {
			case "sigmoid":
				l.Function = "silu"
			case "hardsigmoid":
				l.Function, l.Alpha, l.Beta = "hardswish", gate.Alpha, gate.Beta
			default:
				continue
			}
			l.Kind, l.Inputs = nn.Apply, gate.Inputs
			return true
		}
	}
	return false
}

func near(a, b float64) bool { return a > b-1e-6 && a < b+1e-6 }

// normalize: x / max(‖x‖, ε).
func (g *graphRules) normalize() bool {
	for i := range g.net.Layers {
		l := &g.net.Layers[i]
		if l.Kind != nn.Combine || l.Function != "div" {
			continue
		}
		norm, least := g.alone(l, 1), 0.0
		if isApply(norm, "clip") && norm.Beta >= unlimited {
			least = norm.Alpha
			norm = g.alone(norm, 0)
		}
		if norm == nil || norm.Kind != nn.Reduce || norm.Function != "l2" || len(norm.Axes) != 1 || norm.Inputs[0] != l.Inputs[0] {
			continue
		}
		l.Kind, l.Function, l.Inputs = nn.Normalize, "", norm.Inputs
		l.Axis, l.Alpha, l.Beta = norm.Axes[0], 2, least
		return true
	}
	return false
}
