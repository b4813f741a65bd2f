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
	// keepShare is how much smaller than the weights the products must be to be kept: those of a
	// batch of 128 with embeddings of 512 numbers are.
	keepShare = 4
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
// Both passes go over the classes in blocks, and what lies between products and gradients is never
// stored. The products [C, N] are, from the forward to the backward pass, where they are few beside the
// weights [C, D] (see keepShare); elsewhere the backward pass works them out again. Other memory is that
// of the gradients and some N (D + blockRows) floats for each group and thread.
//
// Results do not depend on the number of threads. One goroutine at a time may use it.
type CrossEntropy struct {
	classifier
	groups  int
	scratch chan *block

	xT      []float32 // X, transposed [D,N]
	kept    []float32 // W_j·X_i [rows,N]; nil if they are too many
	zeros   []float32 // [blockRows]
	inv     []float32 // 1/‖W_j‖ [rows]
	max     []float32 // [groups,N]
	sum     []float64 // [groups,N]: sum of e^(z-max), or softplus(z), over a group without the target
	partial []float32 // [groups,N,D]
	lse     []float32 // [N]
	dTarget []float64 // derivative of a sample's loss with respect to its target [N]
	dShared []float32 // with respect to the logits of each class, for a shared bias [C]

	// What the softmax is made of: max and sum, or those of all processes that share the classes [parts,N].
	parts int
	tops  []float32
	sums  []float64

	w, bias, dw, dbias []float32 // of the call under way
	gradScale          float32
	forward            func(int)
	backward           func(int)
	reduce             func(int)
	features           func(int)
}

// block is the scratch memory of one worker.
type block struct {
	u       []float32 // W_j·X_i of the block's rows, over kept or scratch
	scratch []float32 // [blockRows,N]; nil if products are kept
	z       []float32 // [blockRows,N]: logits
	g       []float32 // their memory in the backward pass: gradients
	last    []float32 // [N]
	coef    []float32 // [blockRows]
}

// NewCrossEntropy returns the loss of head h for batches of n embeddings of dim
// numbers each. It works on pool.
func NewCrossEntropy(h Head, n, classes, dim int, pool *kernel.Pool) *CrossEntropy {
	return NewCrossEntropyWith(h, n, classes, dim, HeadOptions{Pool: pool})
}

// NewCrossEntropyWith is NewCrossEntropy with all options but the memory of gradients, which Backward is given. With a Split, classes is the most that
// are here.
func NewCrossEntropyWith(h Head, n, classes, dim int, o HeadOptions) *CrossEntropy {
	return newCrossEntropy(h, n, classes, dim, o, keepShare*n <= dim)
}

func newCrossEntropy(h Head, n, classes, dim int, o HeadOptions, keep bool) *CrossEntropy {
	c := &CrossEntropy{classifier: newClassifier(h, n, classes, dim, o)}
	pool := o.Pool
	if c.g.centers() > blockRows {
		panic("ops: more sub-centers than fit in a block")
	}
	rows := c.g.centers() * classes
	c.groups = c.groupsOf(classes)
	if keep {
		c.kept = make([]float32, rows*n)
	}
	c.zeros = make([]float32, blockRows)
	c.scratch = make(chan *block, pool.Threads())
	for range pool.Threads() {
		z := make([]float32, blockRows*n)
		b := &block{z: z, g: z, last: make([]float32, n), coef: make([]float32, blockRows)}
		if c.kept == nil {
			b.scratch = make([]float32, blockRows*n)
		}
		c.scratch <- b
	}
	c.xT = make([]float32, dim*n)
	c.inv = make([]float32, rows)
	c.max = make([]float32, c.groups*n)
	c.sum = make([]float64, c.groups*n)
	c.partial = make([]float32, c.groups*n*dim)
	c.parts, c.tops, c.sums = c.groups, c.max, c.sum
	if c.split != nil {
		c.parts = c.split.Peers.Size()
		c.tops, c.sums = make([]float32, c.parts*n), make([]float64, c.parts*n)
	}
	c.lse = make([]float32, n)
	c.dTarget = make([]float64, n)
	if c.g.Bias == SharedBias {
		c.dShared = make([]float32, classes)
	}
	c.forward, c.backward, c.reduce, c.features = c.forwardGroup, c.backwardGroup, c.reduceRow, c.featureRow
	return c
}

// groupsOf returns how many groups so many classes are worked on in.
func (c *CrossEntropy) groupsOf(classes int) int {
	return min(maxGroups, classes, (c.g.centers()*classes+blockRows-1)/blockRows)
}

var one = []float32{1}

// serial runs matrix products on the goroutine that asks for them.
var serial = kernel.NewPool(1)

// Forward returns the loss of the embeddings x [N,D] under the weights w [C,D], or [C,Centers,D],
// and, if the head has one, bias [C] or [1]. A label outside [0,C) is an error.
func (c *CrossEntropy) Forward(x, w, bias []float32, labels []int) (float64, error) {
	if c.split != nil {
		c.classes = c.split.Count
		c.groups = c.groupsOf(c.classes)
	}
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
	if c.split != nil {
		c.shareSums()
	}

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
	top, others := joined(t, c.tops, c.sums, c.parts, c.n, i)
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
	c.pool.Run(c.n, c.reduce)
	if c.split != nil {
		c.split.Peers.Sum(c.partial[:c.n*c.dim])
	}
	c.pool.Run(c.n, c.features)
	copy(dx, c.partial[:c.n*c.dim])
	if c.g.Bias == SharedBias {
		dbias[0] = c.sharedBias()
	}
	c.w, c.bias, c.dw, c.dbias = nil, nil, nil, nil
}

// blocks calls f for each block of the group's classes, which are cut as evenly as can be.
func (c *CrossEntropy) blocks(group int, f func(first, count int)) {
	start, end := group*c.classes/c.groups, (group+1)*c.classes/c.groups
	most := blockRows / c.g.centers()
	parts := (end - start + most - 1) / most
	for i := range parts {
		first := start + i*(end-start)/parts
		f(first, start+(i+1)*(end-start)/parts-first)
	}
}

// products makes b.u the products W_j·X_i of rows of the weights [count,N]. again says that the forward
// pass has worked them out before.
func (c *CrossEntropy) products(b *block, first, count int, again bool) {
	b.u = b.scratch
	if c.kept != nil {
		b.u = c.kept[first*c.n:][:count*c.n]
		if again {
			return
		}
	}
	b.u = b.u[:count*c.n]
	w := c.w[first*c.dim:][:count*c.dim]
	kernel.Gemm(serial, count, c.n, c.dim, w, c.dim, false, c.xT, c.n, false, b.u, c.n, false)
}

// offsets returns the biases of a block of classes whose logits are products.
func (c *CrossEntropy) offsets(first, count int) []float32 {
	if c.g.Bias == ClassBias {
		return c.bias[first:][:count]
	}
	return c.zeros[:count]
}

// norms fills in 1/‖W_j‖ of a block of rows, or 1 where weights are used as they are.
func (c *CrossEntropy) norms(first, count int) {
	inv := c.inv[first:][:count]
	if !c.g.UnitWeights {
		for j := range inv {
			inv[j] = 1
		}
		return
	}
	w := c.w[first*c.dim:][:count*c.dim]
	kernel.DotRows(inv, w, w)
	for j, v := range inv {
		inv[j] = float32(inverse(math.Sqrt(float64(v))))
	}
}

// logits fills b.z [count,N] with the logits of other classes, with minus infinity in the place of
// targets.
func (c *CrossEntropy) logits(b *block, first, count int) {
	k, n := c.g.centers(), c.n
	c.products(b, first*k, count*k, false)
	c.norms(first*k, count*k)
	c.measureWeights(c.w, first*k, count*k)
	if c.elementwise() {
		c.elementLogits(b, first, count)
	} else {
		kernel.ScaleRows(b.z[:count*n], b.u, c.inv[first:][:count], c.offsets(first, count))
	}
	for i, y := range c.label {
		if y >= first && y < first+count {
			b.z[(y-first)*n+i] = float32(math.Inf(-1))
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
		z := b.z[:count*n]
		if c.g.Binary != 0 {
			for j := range count {
				sumSoftplus(sum, z[j*n:][:n])
			}
			return
		}
		// A group's own maximum moves block by block.
		copy(b.last, top)
		kernel.MaxRows(top, z)
		for i, m := range top {
			if last := b.last[i]; m != last {
				sum[i] *= math.Exp(float64(last) - float64(m))
			}
		}
		kernel.SumExpRows(sum, z, top)
	})
}

func (c *CrossEntropy) backwardGroup(group int) {
	b := <-c.scratch
	defer func() { c.scratch <- b }()
	n, d, k := c.n, c.dim, c.g.centers()
	dX := c.partial[group*n*d:][:n*d]
	add := false
	c.blocks(group, func(first, count int) {
		firstRow, rows := first*k, count*k
		c.products(b, firstRow, rows, true)
		g := b.g[:rows*n]
		if c.elementwise() {
			c.elementGradients(b, first, count)
		} else {
			kernel.SoftmaxRows(g, b.u, c.inv[first:][:count], c.offsets(first, count), c.lse, c.gradScale)
		}
		// g holds dL/dU_ij/‖W_j‖ from here on; next the targets' share.
		for i, row := range c.row {
			if j := row - firstRow; j >= 0 && j < rows {
				g[j*n+i] = float32(float64(c.gradScale) * c.dTarget[i] * c.dU[i] * float64(c.inv[row]))
			}
		}
		if c.g.Bias != NoBias && !c.elementwise() {
			c.biasBlock(b, first, count)
		}
		c.weightsBlock(b, firstRow, rows)
		w := c.w[firstRow*d:][:rows*d]
		kernel.Gemm(serial, n, d, rows, g, n, true, w, d, false, dX, d, add)
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
	g, coef := b.g[:count*n], b.coef[:count]
	if c.g.UnitWeights {
		kernel.DotRows(coef, g, b.u)
		for j, inv := range c.inv[first:][:count] {
			coef[j] *= -inv * inv
		}
	} else {
		// What follows from the length of a weight, of which only targets make anything.
		clear(coef)
		for i, row := range c.row {
			if j := row - first; j >= 0 && j < count {
				coef[j] += float32(float64(c.gradScale) * c.dTarget[i] * c.radialW[i])
			}
		}
	}
	dw := c.dw[first*d:][:count*d]
	kernel.Gemm(serial, count, d, n, g, n, false, c.x, d, false, dw, d, false)
	kernel.AddScaledRows(dw, c.w[first*d:][:count*d], coef)
}

// reduceRow adds up the partial sums of row i, in order, into the first one.
func (c *CrossEntropy) reduceRow(i int) {
	nd := c.n * c.dim
	dX := c.partial[i*c.dim:][:c.dim]
	if c.groups == 0 {
		clear(dX)
	}
	for g := 1; g < c.groups; g++ {
		kernel.AddScaledRows(dX, c.partial[g*nd+i*c.dim:][:c.dim], one)
	}
}

// featureRow carries the gradient of row i on to the embedding.
func (c *CrossEntropy) featureRow(i int) {
	dX := c.partial[i*c.dim:][:c.dim]
	c.backwardFeatures(i, dX, float64(c.gradScale)*(c.dTarget[i]*c.radialX[i]+c.dPenalty[i]))
}
