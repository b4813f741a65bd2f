// Package ops holds the Gorgonia operators that a training step is made of: a
// whole backbone, and a classification head with its cross-entropy. Each is one
// node with one more for its gradient, so nothing hot goes through
// Gorgonia's own operators.
//
// Operators own the tensors that they return and reuse them in the next run. The
// rules that follow from it:
//
//   - One operator serves one forward node. Its gradient reads what the last run
//     of the forward node left behind.
//   - A gradient node that gorgonia.Grad returned holds, after RunAll, the very tensor
//     that the operator owns. Build the machine without BindDualValues:
//     with it Gorgonia copies every gradient and adds over steps.
//   - Values are valid until the machine runs again.
//   - Input nodes must have different names: Gorgonia merges nodes of equal
//     name, type and shape.
package ops

import (
	"encoding/binary"
	"fmt"
	"hash"
	"hash/fnv"
	"sync/atomic"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	// Gorgonia needs a version that knows this Go; the import keeps go.mod's
	// requirement, without which every program that imports Gorgonia panics at start.
	_ "go4.org/unsafe/assume-no-moving-gc"
)

var operators atomic.Uint32

// operator is what all operators share. Its number keeps Gorgonia, which takes
// nodes of equal hash for the same, from merging two of them.
type operator struct {
	name   string
	number uint32
	in     []hm.Type
	out    hm.Type
	shape  tensor.Shape
}

func newOperator(name string, shape tensor.Shape, out hm.Type, in ...hm.Type) operator {
	return operator{name, operators.Add(1), in, out, shape}
}

func (o *operator) Arity() int { return len(o.in) }

func (o *operator) Type() hm.Type { return hm.NewFnType(append(o.in[:len(o.in):len(o.in)], o.out)...) }

func (o *operator) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return o.shape.Clone(), nil
}

func (o *operator) ReturnsPtr() bool     { return true }
func (o *operator) CallsExtern() bool    { return false }
func (o *operator) OverwritesInput() int { return -1 }
func (o *operator) String() string       { return o.name }

func (o *operator) WriteHash(h hash.Hash) {
	h.Write(binary.LittleEndian.AppendUint32([]byte(o.name), o.number))
}

func (o *operator) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

// tensorType is the type of float32 tensors with the given number of dimensions.
func tensorType(dims int) hm.Type { return gorgonia.TensorType{Dims: dims, Of: tensor.Float32} }

// labelsType is the type of a vector of class numbers.
var labelsType hm.Type = gorgonia.TensorType{Dims: 1, Of: tensor.Int}

// newTensor returns a tensor over data, which may be nil for fresh memory.
func newTensor(data []float32, shape ...int) *tensor.Dense {
	size := tensor.Shape(shape).TotalSize()
	if data == nil {
		data = make([]float32, size)
	}
	if len(data) != size {
		panic(fmt.Sprintf("ops: memory of %d floats for a tensor of shape %v", len(data), shape))
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
}

// float32s returns the memory of a float32 tensor.
func float32s(v gorgonia.Value) []float32 { return v.Data().([]float32) }

// checkShape returns an error unless the node has the given type and shape.
func checkShape(what string, n *gorgonia.Node, dt tensor.Dtype, shape ...int) error {
	if n == nil {
		return fmt.Errorf("ops: %s is missing", what)
	}
	if n.Dtype() != dt || !n.Shape().Eq(tensor.Shape(shape)) {
		return fmt.Errorf("ops: %s is %v%v, want %v%v", what, n.Dtype(), n.Shape(), dt, tensor.Shape(shape))
	}
	return nil
}
