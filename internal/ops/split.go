package ops

import "math"

// Split shares the classes of a head out among processes that compute the loss of the same batch together: each holds the weights, their gradients
// and the logits of classes that lie next to each other. For each sample they tell each other the angle to its own class, which one of them
// knows, and the maximum and the sum of the softmax over their classes; and the gradients of the embeddings are summed. All processes get
// the same loss and the same gradients of embeddings and of a shared bias, to the bit.
//
// First, Count and Classes may be changed between steps. They do not exceed the number of classes that the weights have rows for.
type Split struct {
	First   int // number of the first class that is here
	Count   int // of those that are here; may be 0
	Classes int // of all; the labels are numbers of these
	Peers   Peers
}

// Peers are the processes among which a Split shares the classes. They call the same methods in the same order.
type Peers interface {
	// Size returns the number of processes.
	Size() int
	// Gather fills dst with the numbers x of all processes, which have equally many, in the order of the processes.
	Gather(dst, x []float64)
	// SumFew makes x the sum of the processes' x, added up in their order, of which every process gets all.
	SumFew(x []float64)
	// Sum makes x the sum of the processes' x, added up in their order.
	Sum(x []float32)
}

// sum makes each of xs, which have equally many numbers, its sum over the processes.
func (s *Split) sum(xs ...[]float64) {
	var own []float64
	for _, x := range xs {
		own = append(own, x...)
	}
	s.Peers.SumFew(own)
	for i, x := range xs {
		copy(x, own[i*len(x):])
	}
}

// shareSums brings together what the softmax is made of: each process's maximum and sum over the classes that it has.
func (c *CrossEntropy) shareSums() {
	n := c.n
	own, all := make([]float64, 2*n), make([]float64, 2*n*c.parts)
	for i, t := range c.logit {
		if c.g.Binary != 0 {
			for g := range c.groups {
				own[n+i] += c.sum[g*n+i]
			}
			continue
		}
		own[i], own[n+i] = joined(t, c.max, c.sum, c.groups, n, i)
	}
	c.split.Peers.Gather(all, own)
	for p := range c.parts {
		for i := range n {
			c.tops[p*n+i], c.sums[p*n+i] = float32(all[2*p*n+i]), all[(2*p+1)*n+i]
		}
	}
}

// joined returns the maximum top of t and of the parts' maxima of sample i, and the sum of their sums relative to it.
func joined(t float64, tops []float32, sums []float64, parts, n, i int) (top, sum float64) {
	top = t
	for p := range parts {
		top = max(top, float64(tops[p*n+i]))
	}
	for p := range parts {
		sum += sums[p*n+i] * math.Exp(float64(tops[p*n+i])-top)
	}
	return top, sum
}

// sharedBias returns the gradient of a bias that all classes share.
func (c *CrossEntropy) sharedBias() float32 {
	sum := []float64{0}
	for _, v := range c.dShared[:c.classes] {
		sum[0] += float64(v)
	}
	if c.split != nil {
		c.split.sum(sum)
	}
	return float32(sum[0])
}
