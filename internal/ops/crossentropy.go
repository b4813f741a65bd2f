package ops

import (
	"math"

	"github.com/faceverify/fv/internal/kernel"
)

const (
	// blockRows is how many rows of weights are worked on at a time: they should stay in
	// a second-level cache.
	blockRows = 256
	// maxGroups bounds the groups of classes that are worked on concurrently, each
	// with a partial sum of the embeddings' gradient.
	maxGroups = 32
)

// CrossEntropy is the softmax cross-entropy of a head over many classes, the
// mean over a batch:
//
//	L = LossScale/N sum over i of ( log sum over j of e^z_ij - z_iy )
//
// or, where Geometry says Binary = α, the weighted sum of a binary cross-entropy for each class,
//
//	L = LossScale/N sum over i of ( α softplus(-z_iy) + (1-α) sum over j ≠ y of softplus(z_ij) )
//
// where softplus(z) = log(1 + e^z).
//
// The logits [N, C] are never stored: both passes go over the classes in
// blocks, and the backward pass works them out again. The memory is that of the
// gradients and some N (D + blockRows) floats for each group and thread.
//
// Results do not depend on the number of threads. One goroutine at a time may use it.
type CrossEntropy struct {
	classifier
	groups  int
	scratch chan *block

	xT      []float32 // X, transposed [D,N]
	inv     []float32 // 1/‖W_j‖ [rows]
	max     []float32 // [groups,N]
	sum     []float64 // [groups,N]: sum of e^(z-max), or softplus(z), over a group without the target
	partial []float32 // [groups,N,D]
	lse     []float32 // [N]
	dTarget []float64 // derivative of a sample's loss with respect to its target [N]
	dShared []float32 // with respect to the logits of each class, for a shared bias [C]

	w, bias, dw, dbias []float32 // of the call under way
	gradScale          float32
	forward            func(int)
	backward           func(int)
	features           func(int)
}

// block is the scratch memory of one worker.
type block struct {
	u, g []float32 // [blockRows,N]
	coef []float32 // [blockRows]
}

// NewCrossEntropy returns the loss of head h for batches of n embeddings of dim
// numbers each. It works on pool.
func NewCrossEntropy(h Head, n, classes, dim int, pool *kernel.Pool) *CrossEntropy {
	c := &CrossEntropy{classifier: newClassifier(h, n, classes, dim, pool)}
	if c.g.centers() > blockRows {
		panic("ops: more sub-centers than fit in a block")
	}
	rows := c.g.centers() * classes
	c.groups = min(maxGroups, classes, (rows+blockRows-1)/blockRows)
	c.scratch = make(chan *block, pool.Threads())
	for range pool.Threads() {
		c.scratch <- &block{
			u:    make([]float32, blockRows*n),
			g:    make([]float32, blockRows*n),
			coef: make([]float32, blockRows),
		}
	}
	c.xT = make([]float32, dim*n)
	c.inv = make([]float32, rows)
	c.max = make([]float32, c.groups*n)
	c.sum = make([]float64, c.groups*n)
	c.partial = make([]float32, c.groups*n*dim)
	c.lse = make([]float32, n)
	c.dTarget = make([]float64, n)
	if c.g.Bias == SharedBias {
		c.dShared = make([]float32, classes)
	}
	c.forward, c.backward, c.features = c.forwardGroup, c.backwardGroup, c.reduceRow
	return c
}

// serial runs matrix products on the goroutine that asks for them.
var serial = kernel.NewPool(1)

// Forward returns the loss of the embeddings x [N,D] under the weights w [C,D], or [C,Centers,D],
// and, if the head has one, bias [C] or [1]. A label outside [0,C) is an error.
func (c *CrossEntropy) Forward(x, w, bias []float32, labels []int) (float64, error) {
	if err := c.prepare(x, w, bias, labels); err != nil {
		return 0, err
	}
	for i := range c.n {
		for k, v := range c.x[i*c.dim:][:c.dim] {
			c.xT[k*c.n+i] = v
		}
	}
	c.w, c.bias = w, bias
	c.pool.Run(c.groups, c.forward)
	c.w, c.bias = nil, nil

	var loss float64
	for i := range c.n {
		loss += c.penalty[i]
		if c.g.Binary != 0 {
			loss += c.binary(i)
		} else {
			loss += c.softmax(i)
		}
	}
	return c.g.lossScale() * loss / float64(c.n), nil
}

// softmax returns the loss of sample i and keeps what the backward pass needs.
func (c *CrossEntropy) softmax(i int) float64 {
	t := c.logit[i]
	top := t
	for g := range c.groups {
		top = max(top, float64(c.max[g*c.n+i]))
	}
	var others float64
	for g := range c.groups {
		others += c.sum[g*c.n+i] * math.Exp(float64(c.max[g*c.n+i])-top)
	}
	// log1p keeps the loss of a sample that is far on the right side.
	own := math.Exp(t - top)
	log := math.Log(own + others)
	if top == t {
		log = math.Log1p(others)
	}
	c.lse[i] = float32(top + log)
	c.dTarget[i] = -others / (own + others)
	return top - t + log
}

// Backward overwrites dx [N,D], dw and, if the head has a bias, dbias, of the shapes of what
// Forward was given, with upstream times the gradient of what it returned. w and bias are those
// that it was given.
func (c *CrossEntropy) Backward(upstream float64, w, bias, dx, dw, dbias []float32) {
	c.w, c.bias, c.dw, c.dbias = w, bias, dw, dbias
	if c.g.Bias == SharedBias {
		c.dbias = c.dShared
	}
	c.gradScale = float32(upstream * c.g.lossScale() / float64(c.n))
	c.pool.Run(c.groups, c.backward)
	c.pool.Run(c.n, c.features)
	copy(dx, c.partial[:c.n*c.dim])
	if c.g.Bias == SharedBias {
		var sum float64
		for _, v := range c.dShared {
			sum += float64(v)
		}
		dbias[0] = float32(sum)
	}
	c.w, c.bias, c.dw, c.dbias = nil, nil, nil, nil
}

// blocks calls f for each block of the group's classes.
func (c *CrossEntropy) blocks(group int, f func(first, count int)) {
	most := blockRows / c.g.centers()
	end := (group + 1) * c.classes / c.groups
	for j := group * c.classes / c.groups; j < end; j += most {
		f(j, min(most, end-j))
	}
}

// products fills b.u [count,N] with W_j·X_i, for rows of the weights.
func (c *CrossEntropy) products(b *block, first, count int) {
	w := c.w[first*c.dim:][:count*c.dim]
	kernel.Gemm(serial, count, c.n, c.dim, w, c.dim, false, c.xT, c.n, false, b.u, c.n, false)
}

// logits fills b.u [count,N] with the logits of other classes, with minus infinity in the place of
// targets.
func (c *CrossEntropy) logits(b *block, first, count int) {
	k, n := c.g.centers(), c.n
	c.products(b, first*k, count*k)
	for row := first * k; row < (first+count)*k; row++ {
		c.inv[row] = c.inverseNorm(c.w[row*c.dim:][:c.dim])
	}
	if c.g.elementwise() {
		c.elementLogits(b, first, count)
	} else {
		for j := range count {
			scale(b.u[j*n:][:n], c.inv[first+j], c.g.offset(c.bias, first+j))
		}
	}
	for i, y := range c.label {
		if y >= first && y < first+count {
			b.u[(y-first)*n+i] = float32(math.Inf(-1))
		}
	}
}

func (c *CrossEntropy) forwardGroup(group int) {
	b := <-c.scratch
	defer func() { c.scratch <- b }()
	n := c.n
	top, sum := c.max[group*n:][:n], c.sum[group*n:][:n]
	clear(sum)
	for i, t := range c.logit {
		top[i] = float32(t)
	}
	c.blocks(group, func(first, count int) {
		// The target's logit is another, and counted apart. Left in, it could raise the
		// maximum so far above all others that they would count for nothing.
		c.logits(b, first, count)
		if c.g.Binary != 0 {
			for j := range count {
				sumSoftplus(sum, b.u[j*n:][:n])
			}
			return
		}
		// A group's own maximum moves block by block; b.g is free to keep the last one.
		last := b.g[:n]
		copy(last, top)
		for j := range count {
			raise(top, b.u[j*n:][:n])
		}
		for i, m := range top {
			if m != last[i] {
				sum[i] *= math.Exp(float64(last[i]) - float64(m))
			}
		}
		for j := range count {
			sumExp(sum, b.u[j*n:][:n], top)
		}
	})
}

// scale: z = z*factor + shift.
func scale(z []float32, factor, shift float32) {
	for i, v := range z {
		z[i] = v*factor + shift
	}
}

// raise: top = max(top, z).
func raise(top, z []float32) {
	top = top[:len(z)]
	for i, v := range z {
		if v > top[i] {
			top[i] = v
		}
	}
}

// sumExp: sum += e^(z - top). z is overwritten.
func sumExp(sum []float64, z, top []float32) {
	sum, top = sum[:len(z)], top[:len(z)]
	for i, t := range top {
		z[i] -= t
	}
	exp32(z, z)
	for i, v := range z {
		sum[i] += float64(v)
	}
}

// softmaxGradient: g = factor e^(u*inv + shift - lse) inv.
func softmaxGradient(g, u, lse []float32, inv, shift, factor float32) {
	u, lse = u[:len(g)], lse[:len(g)]
	for i, v := range u {
		g[i] = v*inv + shift - lse[i]
	}
	exp32(g, g)
	scale(g, factor*inv, 0)
}

func (c *CrossEntropy) backwardGroup(group int) {
	b := <-c.scratch
	defer func() { c.scratch <- b }()
	n, d, k := c.n, c.dim, c.g.centers()
	dX := c.partial[group*n*d:][:n*d]
	add := false
	c.blocks(group, func(first, count int) {
		firstRow, rows := first*k, count*k
		c.products(b, firstRow, rows)
		if c.g.elementwise() {
			c.elementGradients(b, first, count)
		} else {
			for j := range count {
				softmaxGradient(b.g[j*n:][:n], b.u[j*n:][:n], c.lse, c.inv[first+j], c.g.offset(c.bias, first+j), c.gradScale)
			}
		}
		// b.g holds dL/dU_ij/‖W_j‖ from here on; first the targets' share of what
		// follows from lengths, and of the bias.
		coef := b.coef[:rows]
		clear(coef)
		for i, row := range c.row {
			if j := row - firstRow; j >= 0 && j < rows {
				dT := float64(c.gradScale) * c.dTarget[i]
				b.g[j*n+i] = float32(dT * c.dU[i] * float64(c.inv[row]))
				coef[j] += float32(dT * c.radialW[i])
			}
		}
		if c.g.Bias != NoBias && !c.g.elementwise() {
			c.biasBlock(b, first, count)
		}
		c.weightsBlock(b, firstRow, rows)
		w := c.w[firstRow*d:][:rows*d]
		kernel.Gemm(serial, n, d, rows, b.g, n, true, w, d, false, dX, d, add)
		add = true
	})
}

// biasBlock computes dbias of a block where logits are products with weights of free length.
func (c *CrossEntropy) biasBlock(b *block, first, count int) {
	n := c.n
	for j := range count {
		var sum float64
		for _, v := range b.g[j*n:][:n] {
			sum += float64(v)
		}
		c.dbias[first+j] = float32(sum)
	}
	// g takes the targets' logits for linear ones; a bias is outside the margin.
	for i, y := range c.label {
		if y >= first && y < first+count {
			c.dbias[y] += float32(float64(c.gradScale) * c.dTarget[i] * (1 - c.dU[i]))
		}
	}
}

// weightsBlock computes dw of a block of rows:
//
//	dL/dW_j = sum over i of g_ij X_i + coef_j W_j
//
// where coef_j = -(sum over i of g_ij U_ij)/‖W_j‖ with normalised weights, U_ij =
// X_i·V_j: the gradient is then orthogonal to W_j.
func (c *CrossEntropy) weightsBlock(b *block, first, count int) {
	n, d := c.n, c.dim
	dw := c.dw[first*d:][:count*d]
	kernel.Gemm(serial, count, d, n, b.g, n, false, c.x, d, false, dw, d, false)
	for j := range count {
		g, u := b.g[j*n:][:n], b.u[j*n:][:n]
		if c.g.UnitWeights {
			var dot float64
			for i, v := range g {
				dot += float64(v) * float64(u[i])
			}
			inv := float64(c.inv[first+j])
			b.coef[j] -= float32(dot * inv * inv)
		}
		if a := b.coef[j]; a != 0 {
			w, dw := c.w[(first+j)*d:][:d], dw[j*d:][:d]
			for k, v := range w {
				dw[k] += a * v
			}
		}
	}
}

// reduceRow adds up the partial sums of row i, in order, into the first one
// and carries the gradient on to the embedding.
func (c *CrossEntropy) reduceRow(i int) {
	nd := c.n * c.dim
	dX := c.partial[i*c.dim:][:c.dim]
	for g := 1; g < c.groups; g++ {
		for k, v := range c.partial[g*nd+i*c.dim:][:c.dim] {
			dX[k] += v
		}
	}
	c.backwardFeatures(i, dX, float64(c.gradScale)*(c.dTarget[i]*c.radialX[i]+c.dPenalty[i]))
}
