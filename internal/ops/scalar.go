package ops

import (
	"errors"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ScalarFunc is a loss over a batch: it returns the value of the predictions x and overwrites dx with its
// gradient. Of target and labels one is nil.
type ScalarFunc func(dx, x, target []float64, labels []int) (float64, error)

// Scalar returns the node of a loss, a float32 scalar, that is computed in float64. x is a
// float32 tensor; target is one of the same shape, or the labels of its first dimension, int [N], and
// is not differentiated.
func Scalar(name string, f ScalarFunc, x, target *gorgonia.Node) (*gorgonia.Node, error) {
	if x == nil || x.Dtype() != tensor.Float32 || x.Dims() == 0 {
		return nil, errors.New("ops: a loss needs a float32 tensor of predictions")
	}
	op := &scalar{f: f, d: newTensor(nil, x.Shape()...), value: gorgonia.NewF32(0)}
	op.x, op.dx = make([]float64, x.Shape().TotalSize()), make([]float64, x.Shape().TotalSize())
	second := labelsType
	if target != nil && target.Dtype() == tensor.Float32 {
		second = tensorType(x.Dims())
		op.target = make([]float64, len(op.x))
		if err := checkShape("target", target, tensor.Float32, x.Shape()...); err != nil {
			return nil, err
		}
	} else if err := checkShape("labels", target, tensor.Int, x.Shape()[0]); err != nil {
		return nil, err
	}
	op.operator = newOperator(name, tensor.ScalarShape(), hm.Type(tensor.Float32), tensorType(x.Dims()), second)
	return gorgonia.ApplyOp(op, x, target)
}

type scalar struct {
	operator
	f             ScalarFunc
	x, dx, target []float64
	value         *gorgonia.F32
	d             *tensor.Dense // the gradient that was passed on
}

func (op *scalar) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	widen(op.x, float32s(in[0]))
	var labels []int
	if op.target == nil {
		labels = in[1].Data().([]int)
	} else {
		widen(op.target, float32s(in[1]))
	}
	v, err := op.f(op.dx, op.x, op.target, labels)
	if err != nil {
		return nil, err
	}
	*op.value = gorgonia.F32(v)
	return op.value, nil
}

func widen(dst []float64, src []float32) {
	for i, v := range src {
		dst[i] = float64(v)
	}
}

func (op *scalar) DiffWRT(int) []bool { return []bool{true, false} }

func (op *scalar) SymDiff(in gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	types := append(op.in[:len(op.in):len(op.in)], op.out, op.out)
	g := &scalarGradient{newOperator(op.name+"Gradient", op.d.Shape(), op.in[0], types...), op}
	d, err := gorgonia.ApplyOp(g, in[0], in[1], out, grad)
	return gorgonia.Nodes{d, nil}, err
}

type scalarGradient struct {
	operator
	forward *scalar
}

func (op *scalarGradient) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	upstream := float64(in[3].Data().(float32))
	d := float32s(op.forward.d)
	for i, v := range op.forward.dx {
		d[i] = float32(upstream * v)
	}
	return op.forward.d, nil
}
