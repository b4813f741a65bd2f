package ops

import (
	"errors"

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
	if err := o.check(h); err != nil {
		return nil, err
	}
	if o.Split != nil {
		return nil, errors.New("ops: logits are of all classes; these are shared out among processes")
	}
	op := &logits{c: newClassifier(h, n, classes, dim, o), z: newTensor(nil, n, classes)}
	rows := op.c.g.centers() * classes
	op.u, op.g = make([]float32, n*rows), make([]float32, n*rows)
	op.inv = make([]float32, rows)
	op.init("Logits", tensor.Shape{n, classes}, in, o)
	op.gradient = op.backward
	return gorgonia.ApplyOp(op, in.nodes()...)
}

type logits struct {
	headOperator
	c    classifier
	z    *tensor.Dense // [N,C]
	u, g []float32     // X_i·V_j and its gradient over ‖W_j‖ [N,rows]
	inv  []float32     // 1/‖W_j‖ [rows]
}

func (op *logits) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	x, w, bias, labels := op.arguments(in)
	c := &op.c
	if err := c.prepare(x, w, bias, labels); err != nil {
		return nil, err
	}
	rows := len(op.inv)
	for j := range op.inv {
		op.inv[j] = c.inverseNorm(w[j*c.dim:][:c.dim])
	}
	c.measureWeights(w, 0, rows)
	kernel.Gemm(c.pool, c.n, rows, c.dim, c.x, c.dim, false, w, c.dim, true, op.u, rows, false)
	z := float32s(op.z)
	for i, y := range c.label {
		u := op.u[i*rows:][:rows]
		for j := range u {
			u[j] *= op.inv[j]
		}
		for j := range c.classes {
			row := op.nearest(i, j)
			v, _ := c.other(i, row, u[row])
			z[i*c.classes+j] = v + c.g.offset(bias, j)
		}
		z[i*c.classes+y] = float32(c.logit[i])
	}
	op.stale = true
	return op.z, nil
}

// nearest returns the row of the sub-center of class j that is nearest to sample i.
func (op *logits) nearest(i, j int) int {
	k, rows := op.c.g.centers(), len(op.inv)
	best := j * k
	for row := best + 1; row < (j+1)*k; row++ {
		if nearer(op.u[i*rows+row], op.u[i*rows+best]) {
			best = row
		}
	}
	return best
}

// backward computes the gradients from upstream, that with respect to the logits.
func (op *logits) backward(upstream gorgonia.Value, w, bias []float32) {
	c := &op.c
	dz := float32s(upstream)
	dx, dw := float32s(op.dx), float32s(op.dw)
	rows := len(op.inv)
	clear(op.g)
	for i, y := range c.label {
		g := op.g[i*rows:][:rows]
		for j := range c.classes {
			row := op.nearest(i, j)
			_, slope := c.other(i, row, op.u[i*rows+row])
			g[row] = dz[i*c.classes+j] * slope * op.inv[row]
		}
		// The nearest of the target's own sub-centers was found in float64: it may be another.
		clear(g[y*c.g.centers():][:c.g.centers()])
		g[c.row[i]] = float32(float64(dz[i*c.classes+y]*op.inv[c.row[i]]) * c.dU[i])
	}
	kernel.Gemm(c.pool, c.n, c.dim, rows, op.g, rows, false, w, c.dim, false, dx, c.dim, false)
	kernel.Gemm(c.pool, rows, c.dim, c.n, op.g, rows, true, c.x, c.dim, false, dw, c.dim, false)
	for i, y := range c.label {
		c.backwardFeatures(i, dx[i*c.dim:][:c.dim], float64(dz[i*c.classes+y])*c.radialX[i])
	}
	for row := range rows {
		op.backwardWeight(row, dz, w[row*c.dim:][:c.dim], dw[row*c.dim:][:c.dim])
	}
	op.backwardBias(dz)
}

// backwardWeight adds to dw, one row of the weights' gradient, the part along w: see
// CrossEntropy.weightsBlock.
func (op *logits) backwardWeight(row int, dz, w, dw []float32) {
	c := &op.c
	var coef float64
	for i, own := range c.row {
		if at := i*len(op.inv) + row; c.g.UnitWeights {
			coef -= float64(op.g[at]) * float64(op.u[at]) * float64(op.inv[row])
		} else if own == row {
			coef += float64(dz[i*c.classes+c.label[i]]) * c.radialW[i]
		}
	}
	for k, v := range w {
		dw[k] += float32(coef) * v
	}
}

func (op *logits) backwardBias(dz []float32) {
	c := &op.c
	if c.g.Bias == NoBias {
		return
	}
	dbias := float32s(op.dbias)
	sums := make([]float64, len(dbias))
	for at, v := range dz {
		sums[at%c.classes%len(sums)] += float64(v)
	}
	for j, v := range sums {
		dbias[j] = float32(v)
	}
}
