package ops

import (
	"errors"
	"fmt"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/faceverify/fv/internal/kernel"
)

// HeadNodes are the inputs of a head's node.
type HeadNodes struct {
	Embedding *gorgonia.Node // [N,D] float32
	Weight    *gorgonia.Node // [C,D] float32, or [C,K,D] of a head with K sub-centers
	Bias      *gorgonia.Node // [C] or [1] float32; nil unless the head has a bias
	Labels    *gorgonia.Node // [N] int, not differentiable
}

// HeadOptions are settings of a head's node beside the head's own.
type HeadOptions struct {
	// Filter is the cosine above which that between a sample and another class is taken for 0: the sample
	// may be mislabelled, and is not pushed away from a class that it may be of. 0 means none; a head whose loss is binary has none.
	Filter float64

	// Split says which of the classes the weights are of, if other processes have the others; nil: of all.
	Split *Split

	Pool *kernel.Pool // nil: a pool of its own with a thread for each processor
	// Memory that the gradients are written to, of the lengths of weights and bias; nil: the
	// operator's own.
	DWeight, DBias []float32
}

// check returns an error where the options do not go with a head.
func (o HeadOptions) check(h Head) error {
	switch {
	case !(o.Filter >= 0 && o.Filter < 1):
		return fmt.Errorf("ops: a filter at the cosine %v, want one above 0 and below 1, or 0 for none", o.Filter)
	case o.Filter != 0 && h.Geometry().Binary != 0:
		return errors.New("ops: the head's loss is binary; a filter between classes is for a softmax")
	}
	return nil
}

// check returns the sizes of the batch, or an error that names the node at fault.
func (in HeadNodes) check(g Geometry) (n, classes, dim int, err error) {
	if in.Embedding == nil || in.Weight == nil || in.Embedding.Dims() != 2 || in.Weight.Dims() < 2 {
		return 0, 0, 0, errors.New("ops: a head needs embeddings [N,D] and weights [C,D]")
	}
	n, dim = in.Embedding.Shape()[0], in.Embedding.Shape()[1]
	classes = in.Weight.Shape()[0]
	err = errors.Join(
		checkShape("embedding", in.Embedding, tensor.Float32, n, dim),
		checkShape("weight", in.Weight, tensor.Float32, g.WeightShape(classes, dim)...),
		checkShape("labels", in.Labels, tensor.Int, n))
	if size := g.BiasLen(classes); size > 0 {
		err = errors.Join(err, checkShape("bias", in.Bias, tensor.Float32, size))
	} else if in.Bias != nil {
		err = errors.Join(err, errors.New("ops: a bias is given to a head that has none"))
	}
	return n, classes, dim, err
}

// nodes returns the inputs in the order of the operators' arguments.
func (in HeadNodes) nodes() gorgonia.Nodes {
	ns := gorgonia.Nodes{in.Embedding, in.Weight, in.Labels}
	if in.Bias != nil {
		ns = append(ns, in.Bias)
	}
	return ns
}

// headOperator is what the nodes of the loss and of the logits share: the
// gradients, which one computation makes and up to three nodes return.
type headOperator struct {
	operator
	bias          bool
	dx, dw, dbias *tensor.Dense
	stale         bool // the gradients are not those of the last forward pass
	gradient      func(upstream gorgonia.Value, w, bias []float32)
}

func (op *headOperator) init(name string, shape tensor.Shape, in HeadNodes, o HeadOptions) {
	types := []hm.Type{tensorType(2), tensorType(in.Weight.Dims()), labelsType}
	op.dx = newTensor(nil, in.Embedding.Shape()...)
	op.dw = newTensor(o.DWeight, in.Weight.Shape()...)
	if op.bias = in.Bias != nil; op.bias {
		types = append(types, tensorType(1))
		op.dbias = newTensor(o.DBias, in.Bias.Shape()...)
	}
	out := hm.Type(tensor.Float32)
	if shape.Dims() > 0 {
		out = tensorType(shape.Dims())
	}
	op.operator = newOperator(name, shape, out, types...)
}

func (op *headOperator) DiffWRT(int) []bool { return []bool{true, true, false, true}[:len(op.in)] }

func (op *headOperator) SymDiff(in gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	args := append(in[:len(in):len(in)], out, grad)
	types := append(op.in[:len(op.in):len(op.in)], op.out, op.out)
	ds := make(gorgonia.Nodes, len(in))
	for i, result := range []*tensor.Dense{op.dx, op.dw, nil, op.dbias}[:len(in)] {
		if result == nil {
			continue
		}
		d := &headGradient{newOperator(op.name+"Gradient", result.Shape(), tensorType(result.Dims()), types...), op, result}
		var err error
		if ds[i], err = gorgonia.ApplyOp(d, args...); err != nil {
			return nil, err
		}
	}
	return ds, nil
}

// arguments returns the memory of a call's inputs; bias is nil for a head without one.
func (op *headOperator) arguments(in []gorgonia.Value) (x, w, bias []float32, labels []int) {
	if op.bias {
		bias = float32s(in[3])
	}
	return float32s(in[0]), float32s(in[1]), bias, in[2].Data().([]int)
}

// headGradient returns one of the gradients. Whichever of a head's runs first
// computes them all.
type headGradient struct {
	operator
	forward *headOperator
	result  *tensor.Dense
}

func (op *headGradient) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	if f := op.forward; f.stale {
		_, w, bias, _ := f.arguments(in)
		f.gradient(in[len(in)-1], w, bias)
		f.stale = false
	}
	return op.result, nil
}

// Loss returns the node of the head's mean cross-entropy over the batch, a float32
// scalar: see CrossEntropy. The logits are never stored.
func Loss(h Head, in HeadNodes, o HeadOptions) (*gorgonia.Node, error) {
	n, classes, dim, err := in.check(h.Geometry())
	if err != nil {
		return nil, err
	}
	if o.Pool == nil {
		o.Pool = kernel.NewPool(0)
	}
	if err := o.check(h); err != nil {
		return nil, err
	}
	op := &loss{ce: NewCrossEntropyWith(h, n, classes, dim, o), value: gorgonia.NewF32(0)}
	op.init("CrossEntropy", tensor.ScalarShape(), in, o)
	op.gradient = func(upstream gorgonia.Value, w, bias []float32) {
		op.ce.Backward(float64(upstream.Data().(float32)), w, bias, float32s(op.dx), float32s(op.dw), op.biasGradient())
	}
	return gorgonia.ApplyOp(op, in.nodes()...)
}

func (op *headOperator) biasGradient() []float32 {
	if op.dbias == nil {
		return nil
	}
	return float32s(op.dbias)
}

type loss struct {
	headOperator
	ce    *CrossEntropy
	value *gorgonia.F32
}

func (op *loss) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	x, w, bias, labels := op.arguments(in)
	l, err := op.ce.Forward(x, w, bias, labels)
	if err != nil {
		return nil, err
	}
	*op.value = gorgonia.F32(l)
	op.stale = true
	return op.value, nil
}
