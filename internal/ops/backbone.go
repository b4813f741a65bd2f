package ops

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Backbone is a network with its gradient, worked out for batches up to some
// size. It maps images to embeddings of Dim numbers each.
type Backbone interface {
	// Forward returns the embeddings [n, Dim] of images [n, H, W, 3], under the
	// parameters theta. The backbone owns the result. It may be given a part of the images only, if others see to the rest of
	// the embeddings.
	Forward(theta, images []float32, n int) []float32
	// Backward overwrites dTheta with the gradient of the loss with respect to
	// theta, given that with respect to the result of the last Forward.
	Backward(theta, dEmbedding, dTheta []float32)
	Dim() int
}

// Embed returns the node of the embeddings [N, D] of images [N, H, W, 3], or of a part of these, under
// the parameters theta [P], both float32. Images are not differentiable.
//
// The gradient with respect to theta is written to dTheta [P]; nil means memory of
// the operator's own. One backbone serves one node.
func Embed(b Backbone, n int, images, theta *gorgonia.Node, dTheta []float32) (*gorgonia.Node, error) {
	if images.Dims() != 4 || images.Dtype() != tensor.Float32 {
		return nil, fmt.Errorf("ops: images are %v%v, want float32 (N, H, W, 3)", images.Dtype(), images.Shape())
	}
	if theta.Dims() != 1 || theta.Dtype() != tensor.Float32 {
		return nil, fmt.Errorf("ops: parameters are %v%v, want a float32 vector", theta.Dtype(), theta.Shape())
	}
	op := &embed{
		operator: newOperator("Backbone", tensor.Shape{n, b.Dim()}, tensorType(2), tensorType(4), tensorType(1)),
		backbone: b,
		dTheta:   newTensor(dTheta, theta.Shape()...),
	}
	return gorgonia.ApplyOp(op, images, theta)
}

type embed struct {
	operator
	backbone  Backbone
	embedding *tensor.Dense // over memory of the backbone
	dTheta    *tensor.Dense
}

func (op *embed) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	y := op.backbone.Forward(float32s(in[1]), float32s(in[0]), op.shape[0])
	if op.embedding == nil || &float32s(op.embedding)[0] != &y[0] {
		op.embedding = newTensor(y, op.shape...)
	}
	return op.embedding, nil
}

func (op *embed) DiffWRT(int) []bool { return []bool{false, true} }

func (op *embed) SymDiff(in gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	// The embedding is an input too, so that its memory is not taken for
	// something else before the gradient is done with it.
	d := &embedGradient{
		operator: newOperator("BackboneGradient", op.dTheta.Shape(), tensorType(1), tensorType(1), tensorType(2), tensorType(2)),
		forward:  op,
	}
	dTheta, err := gorgonia.ApplyOp(d, in[1], out, grad)
	return gorgonia.Nodes{nil, dTheta}, err
}

type embedGradient struct {
	operator
	forward *embed
}

func (op *embedGradient) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	op.forward.backbone.Backward(float32s(in[0]), float32s(in[2]), float32s(op.forward.dTheta))
	return op.forward.dTheta, nil
}
