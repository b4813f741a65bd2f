package ops

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/faceverify/fv/internal/kernel"
)

// Logits returns the node of the head's logits [N,C], for losses other than the
// mean cross-entropy to be built on with Gorgonia's own nodes. LossScale does
// not apply. It stores N*C floats three times over.
func Logits(h Head, in HeadNodes, o HeadOptions) (*gorgonia.Node, error) {
	n, classes, dim, err := in.check(h.Geometry())
	if err != nil {
		return nil, err
	}
	if o.Pool == nil {
		o.Pool = kernel.NewPool(0)
	}
	op := &logits{c: newClassifier(h, n, classes, dim, o.Pool), z: newTensor(nil, n, classes)}
	op.u, op.g = make([]float32, n*classes), make([]float32, n*classes)
	op.inv = make([]float32, classes)
	op.init("Logits", tensor.Shape{n, classes}, in, o)
	op.gradient = op.backward
	return gorgonia.ApplyOp(op, in.nodes()...)
}

type logits struct {
	headOperator
	c    classifier
	z    *tensor.Dense // [N,C]
	u, g []float32     // X_i·V_j and its gradient over ‖W_j‖ [N,C]
	inv  []float32     // 1/‖W_j‖ [C]
}

func (op *logits) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	x, w, bias, labels := op.arguments(in)
	c := &op.c
	if err := c.prepare(x, w, bias, labels); err != nil {
		return nil, err
	}
	for j := range op.inv {
		op.inv[j] = c.inverseNorm(w[j*c.dim:][:c.dim])
	}
	kernel.Gemm(c.pool, c.n, c.classes, c.dim, c.x, c.dim, false, w, c.dim, true, op.u, c.classes, false)
	z := float32s(op.z)
	for i, y := range c.label {
		u := op.u[i*c.classes:][:c.classes]
		for j := range u {
			u[j] *= op.inv[j]
			z[i*c.classes+j] = u[j]
			if bias != nil {
				z[i*c.classes+j] += bias[j]
			}
		}
		z[i*c.classes+y] = float32(c.logit[i])
	}
	op.stale = true
	return op.z, nil
}

// backward computes the gradients from upstream, that with respect to the logits.
func (op *logits) backward(upstream gorgonia.Value, w, bias []float32) {
	c := &op.c
	dz := float32s(upstream)
	dx, dw := float32s(op.dx), float32s(op.dw)
	for i, y := range c.label {
		row := op.g[i*c.classes:][:c.classes]
		for j := range row {
			row[j] = dz[i*c.classes+j] * op.inv[j]
		}
		row[y] = float32(float64(row[y]) * c.dU[i])
	}
	kernel.Gemm(c.pool, c.n, c.dim, c.classes, op.g, c.classes, false, w, c.dim, false, dx, c.dim, false)
	kernel.Gemm(c.pool, c.classes, c.dim, c.n, op.g, c.classes, true, c.x, c.dim, false, dw, c.dim, false)
	for i, y := range c.label {
		c.backwardFeatures(i, dx[i*c.dim:][:c.dim], float64(dz[i*c.classes+y]))
	}
	for j := range c.classes {
		op.backwardWeight(j, dz, w[j*c.dim:][:c.dim], dw[j*c.dim:][:c.dim])
	}
}

// backwardWeight adds to dw, row j of the weights' gradient, the part along w, and sets the
// gradient of the bias: see CrossEntropy.weightsBlock.
func (op *logits) backwardWeight(j int, dz, w, dw []float32) {
	c := &op.c
	var coef, sum float64
	for i, y := range c.label {
		at := i*c.classes + j
		sum += float64(dz[at])
		if c.g.UnitWeights {
			coef -= float64(op.g[at]) * float64(op.u[at]) * float64(op.inv[j])
		} else if y == j {
			coef += float64(dz[at]) * c.radialW[i]
		}
	}
	for k, v := range w {
		dw[k] += float32(coef) * v
	}
	if op.dbias != nil {
		float32s(op.dbias)[j] = float32(sum)
	}
}
