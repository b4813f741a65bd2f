// Package nn describes networks as a list of layers and runs them: a Training computes
// embeddings and gradients, an Inference embeddings alone. Both work out everything
// that depends on shapes once, and keep all activations in one arena.
package nn

import (
	"fmt"
	"math"
)

// Input is the name by which layers refer to the network's input.
const Input = "input"

// Kind says what a layer does.
type Kind string

// The kinds of layers.
const (
	Convolution Kind = "conv"      // y = w * x [+ bias]; w is [Out, C/Groups, Kernel, KernelWidth]
	BatchNorm   Kind = "batchnorm" // y = gain (x - mean)/sqrt(variance + Epsilon) + bias, per channel
	PReLU       Kind = "prelu"     // y = x for x > 0, slope x elsewhere, a slope per channel
	ReLU        Kind = "relu"      // y = max(0, x)
	Add         Kind = "add"       // y = a + b
	Flatten     Kind = "flatten"   // [C,H,W] to a vector, in that order
	Linear      Kind = "linear"    // y = W x [+ bias]; W is [Out, in]
)

// kinds.go has more of them, which come from other programs' models.

// BatchNorm's constants unless a layer says otherwise: PyTorch's.
const (
	defaultEpsilon  = 1e-5
	defaultMomentum = 0.1
)

// Layer is one step of a network. Its output goes by its name.
type Layer struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Inputs are names of earlier layers, or Input. None means the layer before.
	Inputs []string `json:"inputs,omitempty"`

	Out    int `json:"out,omitempty"`    // channels that a Convolution, or numbers that a Linear gives
	Kernel int `json:"kernel,omitempty"` // height of a Convolution's kernel
	// KernelWidth is its width; 0 means square.
	KernelWidth int  `json:"kernel_width,omitempty"`
	Stride      int  `json:"stride,omitempty"` // of a Convolution; 0 means 1
	Pad         int  `json:"pad,omitempty"`    // zeros on each side, of a Convolution
	Groups      int  `json:"groups,omitempty"` // of a Convolution; 0 means 1
	Bias        bool `json:"bias,omitempty"`   // of a Convolution or Linear

	Epsilon float64 `json:"epsilon,omitempty"` // of a BatchNorm; 0 means 1e-5

	More
}

// Shape is the size of an image, or of a vector, which has H = W = 1.
type Shape struct {
	C int `json:"c"`
	H int `json:"h"`
	W int `json:"w"`
}

// Len returns C*H*W.
func (s Shape) Len() int { return s.C * s.H * s.W }

func (s Shape) String() string { return fmt.Sprintf("%dx%dx%d", s.C, s.H, s.W) }

// Network is a description: a list of layers, each after those it reads. The last one's output
// is the network's.
type Network struct {
	Name   string  `json:"name"`
	Input  Shape   `json:"input"`
	Layers []Layer `json:"layers"`
	// Outputs names layers whose outputs are wanted too, of any shape: a detector has several. Inference.Output
	// gives them.
	Outputs []string `json:"outputs,omitempty"`
}

// Param is a tensor of the network and its place in a flat slice: the parameters that are
// trained in one, the buffers (running statistics) in another.
type Param struct {
	Name   string // layer's name and role, such as "conv1.weight"
	Shape  []int  // in PyTorch's order
	Offset int
	Len    int

	// Decay says whether weight decay applies: to weights of convolutions and Linears, not
	// to biases, norms and slopes.
	Decay bool

	low, high float32 // initial values: uniform on [low, high), or low where both are equal
}

// node is a layer with everything about it worked out.
type node struct {
	Layer
	in     []int // nodes; 0 is the network's input
	from   Shape // of the first input
	shape  Shape // of the output
	flat   bool  // an image made a vector: in memory its numbers are still pixel by pixel
	win    window
	params []int // indices in resolved.params
	stats  []int // indices in resolved.buffers
}

// resolved is a network that has been checked.
type resolved struct {
	nodes   []node // the input, then one for each layer
	outputs []int  // nodes of Network.Outputs
	params  []Param
	buffers []Param
}

// maxOut bounds what one layer may give: a description that asks for more is hostile or
// damaged.
const maxOut = 1 << 24

func (n *Network) resolve() (*resolved, error) {
	if n.Input.C < 1 || n.Input.H < 1 || n.Input.W < 1 || n.Input.Len() > maxOut {
		return nil, fmt.Errorf("nn: input of %v", n.Input)
	}
	if len(n.Layers) == 0 {
		return nil, fmt.Errorf("nn: a network without layers")
	}
	r := &resolved{nodes: []node{{Layer: Layer{Name: Input}, shape: n.Input}}}
	index := map[string]int{Input: 0}
	for i, l := range n.Layers {
		bad := func(format string, args ...any) error {
			return fmt.Errorf("nn: layer %d (%s %q): %s", i+1, l.Kind, l.Name, fmt.Sprintf(format, args...))
		}
		if _, taken := index[l.Name]; taken || l.Name == "" {
			return nil, bad("its name is taken or empty")
		}
		d := node{Layer: l}
		if len(l.Inputs) == 0 && l.Kind != Constant {
			d.in = []int{i}
		}
		for _, name := range l.Inputs {
			k, ok := index[name]
			if !ok {
				return nil, bad("there is no earlier layer %q", name)
			}
			d.in = append(d.in, k)
		}
		for _, k := range d.in {
			if r.nodes[k].flat && l.Kind != Linear {
				return nil, bad("%q is a flattened image, which only a linear layer can read", r.nodes[k].Name)
			}
		}
		if len(d.in) > 0 {
			d.from = r.nodes[d.in[0]].shape
		}
		if err := d.infer(r); err != nil {
			return nil, bad("%v", err)
		}
		if l := d.shape.Len(); l < 1 || l > maxOut {
			return nil, bad("gives %v", d.shape)
		}
		index[l.Name] = i + 1
		r.nodes = append(r.nodes, d)
	}
	for _, name := range n.Outputs {
		k, ok := index[name]
		if !ok || k == 0 || r.nodes[k].flat {
			return nil, fmt.Errorf("nn: output %q is no layer, or a flattened image", name)
		}
		r.outputs = append(r.outputs, k)
	}
	if last := r.nodes[len(r.nodes)-1]; last.flat {
		return nil, fmt.Errorf("nn: layer %q is a flattened image: a linear layer must follow", last.Name)
	}
	return r, nil
}

// infer works out the layer's shape and declares its parameters.
func (d *node) infer(r *resolved) error {
	if more, ok := moreKinds[d.Kind]; ok {
		return more.infer(d, r)
	}
	want := 1
	if d.Kind == Add {
		want = 2
	}
	if len(d.in) != want {
		return fmt.Errorf("has %d inputs, want %d", len(d.in), want)
	}
	from := d.from
	d.shape = from
	switch d.Kind {
	case Convolution:
		w, err := d.window()
		if err != nil {
			return err
		}
		d.Groups = max(1, d.Groups)
		switch {
		case d.Out < 1 || d.Out > maxOut:
			return fmt.Errorf("out %d, kernel %dx%d, stride %d, pad %d are not a convolution", d.Out, d.Kernel, d.KernelWidth, d.Stride, d.Pad)
		case w.pads[0] != w.pads[2] || w.pads[1] != w.pads[3]:
			return fmt.Errorf("pads are %v; a convolution pads both sides alike", w.pads)
		case from.C%d.Groups != 0 || d.Out%d.Groups != 0:
			return fmt.Errorf("%d groups divide not both %d and %d channels", d.Groups, from.C, d.Out)
		}
		d.shape = Shape{d.Out, w.h, w.w}
		cg := from.C / d.Groups
		d.weights(r, cg*d.Kernel*d.KernelWidth, d.Out, cg, d.Kernel, d.KernelWidth)
	case Linear:
		if from.H != 1 || from.W != 1 {
			return fmt.Errorf("wants a vector, gets %v: put a flatten before it", from)
		}
		if d.Out < 1 || d.Out > maxOut || from.C > math.MaxInt32/d.Out {
			return fmt.Errorf("%d outputs of %d inputs", d.Out, from.C)
		}
		d.shape = Shape{d.Out, 1, 1}
		d.weights(r, from.C, d.Out, from.C)
	case BatchNorm:
		if d.Epsilon == 0 {
			d.Epsilon = defaultEpsilon
		}
		if !(d.Epsilon > 0 && d.Epsilon < 1) {
			return fmt.Errorf("epsilon is %v", d.Epsilon)
		}
		d.params = append(d.params,
			declare(&r.params, Param{Name: d.Name + ".weight", Shape: []int{from.C}, low: 1, high: 1}),
			declare(&r.params, Param{Name: d.Name + ".bias", Shape: []int{from.C}}))
		d.stats = append(d.stats,
			declare(&r.buffers, Param{Name: d.Name + ".running_mean", Shape: []int{from.C}}),
			declare(&r.buffers, Param{Name: d.Name + ".running_var", Shape: []int{from.C}, low: 1, high: 1}))
	case PReLU:
		d.params = append(d.params, declare(&r.params, Param{Name: d.Name + ".weight", Shape: []int{from.C}, low: 0.25, high: 0.25}))
	case ReLU:
	case Flatten:
		d.shape = Shape{from.Len(), 1, 1}
		d.flat = from.H*from.W > 1
	case Add:
		if other := r.nodes[d.in[1]].shape; other != from {
			return fmt.Errorf("adds %v to %v", other, from)
		}
		if d.in[0] == d.in[1] {
			return fmt.Errorf("adds %q to itself", r.nodes[d.in[0]].Name)
		}
	default:
		return fmt.Errorf("there is no such kind of layer")
	}
	return nil
}

// weights declares a weight of the given shape and its bias, both uniform on ±1/sqrt(fan in):
// PyTorch's default for convolutions and linear layers.
func (d *node) weights(r *resolved, fanIn int, shape ...int) {
	bound := float32(1 / math.Sqrt(float64(fanIn)))
	d.params = append(d.params, declare(&r.params, Param{Name: d.Name + ".weight", Shape: shape, Decay: true, low: -bound, high: bound}))
	if d.Bias {
		d.params = append(d.params, declare(&r.params, Param{Name: d.Name + ".bias", Shape: shape[:1], low: -bound, high: bound}))
	}
}

func declare(list *[]Param, p Param) int {
	p.Len = 1
	for _, s := range p.Shape {
		p.Len *= s
	}
	if n := len(*list); n > 0 {
		p.Offset = (*list)[n-1].Offset + (*list)[n-1].Len
	}
	*list = append(*list, p)
	return len(*list) - 1
}

// Check returns an error that names the first layer that cannot be.
func (n *Network) Check() error {
	_, err := n.resolve()
	return err
}

// must is resolve for a network that was checked before; it panics on any other.
func (n *Network) must() *resolved {
	r, err := n.resolve()
	if err != nil {
		panic(err)
	}
	return r
}

// Params returns the trained tensors in the order of the layers. It panics if Check
// returns an error, as do the other methods.
func (n *Network) Params() []Param { return n.must().params }

// ParamsOfPart is Params of layers that are the beginning of a network, and need not end in an embedding.
func (n *Network) ParamsOfPart() []Param {
	part := *n
	for len(part.Layers) > 0 {
		// What ends in a flattened image is no network; that layer has no parameters.
		if r, err := part.resolve(); err == nil {
			return r.params
		}
		part.Layers = part.Layers[:len(part.Layers)-1]
	}
	return nil
}

// Buffers returns the running statistics of the batch norms.
func (n *Network) Buffers() []Param { return n.must().buffers }

// Dim returns the length of the output.
func (n *Network) Dim() int {
	r := n.must()
	return r.nodes[len(r.nodes)-1].shape.Len()
}

// Len returns the number of floats that tensors take, end to end.
func Len(tensors []Param) int {
	if len(tensors) == 0 {
		return 0
	}
	last := tensors[len(tensors)-1]
	return last.Offset + last.Len
}

// Output returns the size of what the layer gives for inputs of the given sizes, or why it cannot be.
func (l Layer) Output(inputs ...Shape) (Shape, error) {
	r := &resolved{}
	d := node{Layer: l}
	for i, s := range inputs {
		r.nodes = append(r.nodes, node{shape: s})
		d.in = append(d.in, i)
	}
	if len(inputs) > 0 {
		d.from = inputs[0]
	}
	if err := d.infer(r); err != nil {
		return Shape{}, err
	}
	if n := d.shape.Len(); n < 1 || n > maxOut {
		return Shape{}, fmt.Errorf("gives %v", d.shape)
	}
	return d.shape, nil
}
