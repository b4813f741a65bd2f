package ops

import (
	"math"

	"github.com/faceverify/fv/internal/kernel"
)

const (
	// blockClasses is how many classes are worked on at a time: their weights should
	// stay in a second-level cache.
	blockClasses = 256
	// maxGroups bounds the groups of classes that are worked on concurrently, each
	// with a partial sum of the embeddings' gradient.
	maxGroups = 32
)

// CrossEntropy is the softmax cross-entropy of a head over many classes, the
// mean over a batch:
//
//	L = LossScale/N sum over i of ( log sum over j of e^z_ij - z_iy )
//
// The logits [N, C] are never stored: both passes go over the classes in
// blocks, and the backward pass works them out again. The memory is that of the
// gradients and some N (D + blockClasses) floats for each group and thread.
//
// Results do not depend on the number of threads. One goroutine at a time may use it.
type CrossEntropy struct {
	classifier
	groups  int
	scratch chan *block

	xT      []float32 // X, transposed [D,N]
	inv     []float32 // 1/‖W_j‖ [C]
	max     []float32 // [groups,N]
	sum     []float64 // [groups,N]: sum of e^(z-max) over a group, without the target
	partial []float32 // [groups,N,D]
	lse     []float32 // [N]
	missing []float64 // softmax of the target - 1 [N]

	w, bias, dw, dbias []float32 // of the call under way
	gradScale          float32
	forward            func(int)
	backward           func(int)
	features           func(int)
}

// block is the scratch memory of one worker.
type block struct {
	u, g []float32 // [blockClasses,N]
	coef []float32 // [blockClasses]
}

// NewCrossEntropy returns the loss of head h for batches of n embeddings of dim
// numbers each. It works on pool.
func NewCrossEntropy(h Head, n, classes, dim int, pool *kernel.Pool) *CrossEntropy {
	c := &CrossEntropy{classifier: newClassifier(h, n, classes, dim, pool)}
	c.groups = min(maxGroups, (classes+blockClasses-1)/blockClasses)
	c.scratch = make(chan *block, pool.Threads())
	for range pool.Threads() {
		c.scratch <- &block{
			u:    make([]float32, blockClasses*n),
			g:    make([]float32, blockClasses*n),
			coef: make([]float32, blockClasses),
		}
	}
	c.xT = make([]float32, dim*n)
	c.inv = make([]float32, classes)
	c.max = make([]float32, c.groups*n)
	c.sum = make([]float64, c.groups*n)
	c.partial = make([]float32, c.groups*n*dim)
	c.lse = make([]float32, n)
	c.missing = make([]float64, n)
	c.forward, c.backward, c.features = c.forwardGroup, c.backwardGroup, c.reduceRow
	return c
}

// serial runs matrix products on the goroutine that asks for them.
var serial = kernel.NewPool(1)

// Forward returns the loss of the embeddings x [N,D] under the weights w [C,D] and,
// if the head has one, bias [C]. A label outside [0,C) is an error.
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
	for i, t := range c.logit {
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
		loss += top - t + log
		c.lse[i] = float32(top + log)
		c.missing[i] = -others / (own + others)
	}
	return c.g.lossScale() * loss / float64(c.n), nil
}

// Backward overwrites dx [N,D], dw [C,D] and, if the head has a bias, dbias [C]
// with upstream times the gradient of what Forward returned. w and bias are those
// that Forward was given.
func (c *CrossEntropy) Backward(upstream float64, w, bias, dx, dw, dbias []float32) {
	c.w, c.bias, c.dw, c.dbias = w, bias, dw, dbias
	c.gradScale = float32(upstream * c.g.lossScale() / float64(c.n))
	c.pool.Run(c.groups, c.backward)
	c.pool.Run(c.n, c.features)
	copy(dx, c.partial[:c.n*c.dim])
	c.w, c.bias, c.dw, c.dbias = nil, nil, nil, nil
}

// blocks calls f for each block of the group's classes.
func (c *CrossEntropy) blocks(group int, f func(first, count int)) {
	end := (group + 1) * c.classes / c.groups
	for j := group * c.classes / c.groups; j < end; j += blockClasses {
		f(j, min(blockClasses, end-j))
	}
}

// products fills b.u [count,N] with W_j·X_i.
func (c *CrossEntropy) products(b *block, first, count int) {
	w := c.w[first*c.dim:][:count*c.dim]
	kernel.Gemm(serial, count, c.n, c.dim, w, c.dim, false, c.xT, c.n, false, b.u, c.n, false)
}

// offset returns b_j.
func (c *CrossEntropy) offset(j int) float32 {
	if !c.g.Bias {
		return 0
	}
	return c.bias[j]
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
		c.products(b, first, count)
		for j := first; j < first+count; j++ {
			c.inv[j] = c.inverseNorm(c.w[j*c.dim:][:c.dim])
		}
		// A group's own maximum moves block by block; b.g is free to keep the last one.
		last := b.g[:n]
		copy(last, top)
		for j := range count {
			scale(b.u[j*n:][:n], c.inv[first+j], c.offset(first+j))
		}
		// The target's logit is another, and counted apart. Left in, it could raise the
		// maximum so far above all others that they would count for nothing.
		for i, y := range c.label {
			if y >= first && y < first+count {
				b.u[(y-first)*n+i] = float32(math.Inf(-1))
			}
		}
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
	n, d := c.n, c.dim
	dX := c.partial[group*n*d:][:n*d]
	add := false
	c.blocks(group, func(first, count int) {
		c.products(b, first, count)
		for j := range count {
			softmaxGradient(b.g[j*n:][:n], b.u[j*n:][:n], c.lse, c.inv[first+j], c.offset(first+j), c.gradScale)
		}
		// b.g holds dL/dU_ij/‖W_j‖ from here on; first the targets' share of what
		// follows from lengths, and of the bias.
		coef := b.coef[:count]
		clear(coef)
		for i, y := range c.label {
			if j := y - first; j >= 0 && j < count {
				dT := float64(c.gradScale) * c.missing[i]
				b.g[j*n+i] = float32(dT * c.dU[i] * float64(c.inv[y]))
				coef[j] += float32(dT * c.radialW[i])
			}
		}
		c.weightsBlock(b, first, count)
		if c.g.Bias {
			// g takes the targets' logits for linear ones; a bias is outside the margin.
			for i, y := range c.label {
				if y >= first && y < first+count {
					c.dbias[y] += float32(float64(c.gradScale) * c.missing[i] * (1 - c.dU[i]))
				}
			}
		}
		w := c.w[first*d:][:count*d]
		kernel.Gemm(serial, n, d, count, b.g, n, true, w, d, false, dX, d, add)
		add = true
	})
}

// weightsBlock computes dw and dbias of a block:
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
		if c.g.Bias {
			var sum float64
			for _, v := range g {
				sum += float64(v)
			}
			c.dbias[first+j] = float32(sum)
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
	c.backwardFeatures(i, dX, float64(c.gradScale)*c.missing[i])
}
