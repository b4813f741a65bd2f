// Package metric holds the losses that compare the embeddings of a batch with each other, without class
// weights. Each is a small value: a function of the products of all pairs of embeddings, and its derivative
// beside it. Batch carries that to the embeddings, and Node makes a Gorgonia node of it.
//
// Most want batches with several images of each identity.
package metric

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"

	"github.com/faceverify/fv/internal/ops"
	"github.com/faceverify/fv/losses/spec"
)

// Loss is a loss of a batch of embeddings with identities. Its functions change nothing.
type Loss interface {
	// Name returns the name under which the loss is described.
	Name() string
	// Validate returns an error that names the setting that is out of range.
	Validate() error
	// Unit says whether embeddings are normalised first.
	Unit() bool
	// Of returns the loss of a batch and adds its derivatives by AddDot and AddSquared. A batch
	// without the pairs that the loss is about has the loss 0.
	Of(p *Products) float64
}

// described holds what is known of the losses; each is added by the file that holds it.
var described = spec.List{}

// Specs returns the descriptions of all metric losses, sorted by name.
func Specs() []spec.Loss { return described.Sorted() }

// Products are the scalar products of the embeddings of a batch, and the derivatives of a loss with
// respect to them.
type Products struct {
	N      int
	Labels []int     // [N]
	s      []float64 // x_i·x_j [N,N]
	ds     []float64 // [N,N]
}

// Dot returns x_i·x_j.
func (p *Products) Dot(i, j int) float64 { return p.s[i*p.N+j] }

// AddDot adds g to the derivative with respect to x_i·x_j.
func (p *Products) AddDot(i, j int, g float64) { p.ds[i*p.N+j] += g }

// Squared returns ‖x_i - x_j‖².
func (p *Products) Squared(i, j int) float64 {
	return max(0, p.Dot(i, i)+p.Dot(j, j)-2*p.Dot(i, j))
}

// AddSquared adds g to the derivative with respect to ‖x_i - x_j‖².
func (p *Products) AddSquared(i, j int, g float64) {
	p.AddDot(i, i, g)
	p.AddDot(j, j, g)
	p.AddDot(i, j, -2*g)
}

// Same reports whether i and j are different images of one identity.
func (p *Products) Same(i, j int) bool { return i != j && p.Labels[i] == p.Labels[j] }

// Different reports whether i and j are of different identities.
func (p *Products) Different(i, j int) bool { return p.Labels[i] != p.Labels[j] }

// Mean returns sum/count and divides what was added by count; it returns 0 where count is 0.
func (p *Products) Mean(sum float64, count int) float64 {
	a := 1 / float64(max(count, 1))
	for i := range p.ds {
		p.ds[i] *= a
	}
	return sum * a
}

// Batch returns the loss of embeddings x [N,D] with the given identities [N], and overwrites dx [N,D]
// with its gradient. An embedding of length 0 has no direction, and gets no gradient where embeddings
// are normalised.
func Batch(l Loss, dx, x []float64, labels []int) float64 {
	n := len(labels)
	if len(dx) != len(x) || n > 0 && len(x)%n != 0 {
		panic(fmt.Sprintf("metric: %d gradients and %d numbers of %d embeddings", len(dx), len(x), n))
	}
	if n == 0 {
		return 0
	}
	dim := len(x) / n
	u, inv := x, make([]float64, n)
	if l.Unit() {
		u = make([]float64, len(x))
		for i := range n {
			inv[i] = normalise(u[i*dim:][:dim], x[i*dim:][:dim])
		}
	}
	p := &Products{N: n, Labels: labels, s: make([]float64, n*n), ds: make([]float64, n*n)}
	for i := range n {
		for j := range i + 1 {
			p.s[i*n+j] = dot(u[i*dim:][:dim], u[j*dim:][:dim])
			p.s[j*n+i] = p.s[i*n+j]
		}
	}
	value := l.Of(p)
	clear(dx)
	for i := range n {
		d := dx[i*dim:][:dim]
		for j := range n {
			if g := p.ds[i*n+j] + p.ds[j*n+i]; g != 0 {
				for k, v := range u[j*dim:][:dim] {
					d[k] += g * v
				}
			}
		}
		if l.Unit() {
			// u = x/‖x‖:  dx = (du - u (u·du))/‖x‖
			ui := u[i*dim:][:dim]
			along := dot(ui, d)
			for k := range d {
				d[k] = inv[i] * (d[k] - along*ui[k])
			}
		}
	}
	return value
}

// normalise sets u to x/‖x‖ and returns 1/‖x‖, or 0 where x is 0.
func normalise(u, x []float64) float64 {
	r := math.Sqrt(dot(x, x))
	if r == 0 {
		return 0
	}
	for k, v := range x {
		u[k] = v / r
	}
	return 1 / r
}

func dot(a, b []float64) float64 {
	var s float64
	for k, v := range a {
		s += v * b[k]
	}
	return s
}

// Node returns the node of the loss of embeddings [N,D] float32 with identities, labels [N] int: a
// float32 scalar.
func Node(l Loss, embedding, labels *gorgonia.Node) (*gorgonia.Node, error) {
	if err := l.Validate(); err != nil {
		return nil, err
	}
	return ops.Scalar(l.Name(), func(dx, x, _ []float64, labels []int) (float64, error) {
		return Batch(l, dx, x, labels), nil
	}, embedding, labels)
}

// within returns an error unless lo <= v <= hi.
func within(loss, name string, v, lo, hi float64) error {
	if !(v >= lo && v <= hi) {
		return fmt.Errorf("metric: %s: %s is %v, want %v to %v", loss, name, v, lo, hi)
	}
	return nil
}

// positive returns an error unless v is a number above 0.
func positive(loss, name string, v float64) error {
	if !(v > 0) || math.IsInf(v, 0) {
		return fmt.Errorf("metric: %s: %s is %v, want a number above 0", loss, name, v)
	}
	return nil
}

// logSumExp returns log(one + sum of e^v) and overwrites v with the derivatives. one is 0 or 1. Of no
// terms it returns 0.
func logSumExp(v []float64, one float64) float64 {
	if len(v) == 0 {
		return 0
	}
	top := math.Inf(-1)
	if one > 0 {
		top = 0
	}
	for _, x := range v {
		top = max(top, x)
	}
	sum := one * math.Exp(-top)
	for i, x := range v {
		v[i] = math.Exp(x - top)
		sum += v[i]
	}
	for i := range v {
		v[i] /= sum
	}
	return top + math.Log(sum)
}
