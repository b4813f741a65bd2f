package losses

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/mpi"
	"github.com/faceverify/fv/internal/mpi/mpitest"
	"github.com/faceverify/fv/internal/ops"
)

// peers are ranks as those that share a head's classes.
type peers struct {
	mpi.Group
	summer *mpi.Summer
	errs   *[]error
}

func (p peers) Gather(dst, x []float64) { *p.errs = append(*p.errs, mpi.GatherFloats(p.Group, dst, x)) }
func (p peers) SumFew(x []float64)      { *p.errs = append(*p.errs, mpi.SumFew(p.Group, x)) }
func (p peers) Sum(x []float32)         { *p.errs = append(*p.errs, p.summer.Sum(x)) }

// runSplit fills in the loss and its gradients as so many processes compute them that share the classes, and fails unless those that
// all of them have are the same bits. spare is how many rows more than they need each has.
func (p *problem) runSplit(t *testing.T, head func() Head, size, spare int, pool *kernel.Pool) {
	t.Helper()
	parts := make([]problem, size)
	p.dw, p.dbias = make([]float32, len(p.w)), make([]float32, len(p.bias))
	for _, err := range mpitest.Run(size, func(g mpi.Group) error {
		i, h := g.Rank(), head()
		k := centers(h) * p.dim
		first, end := i*p.classes/size, (i+1)*p.classes/size
		extra := make([]float32, spare*k)
		for j := range extra {
			extra[j] = float32(math.NaN()) // not to be looked at
		}
		q := &parts[i]
		*q = problem{x: p.x, w: append(slices.Clone(p.w[first*k:end*k]), extra...), bias: p.bias}
		perClass := h.Geometry().Bias == ClassBias
		if perClass {
			q.bias = append(slices.Clone(p.bias[first:end]), extra[:spare]...)
		}
		var errs []error
		ce := ops.NewCrossEntropyWith(h, p.n, end-first+spare, p.dim, NodeOptions{Filter: p.filter, Pool: pool,
			Split: &ops.Split{First: first, Count: end - first, Classes: p.classes, Peers: peers{g, mpi.NewSummer(g), &errs}}})
		var err error
		if q.loss, err = ce.Forward(q.x, q.w, q.bias, p.labels); err != nil {
			return err
		}
		q.dx, q.dw, q.dbias = make([]float32, len(q.x)), make([]float32, len(q.w)), make([]float32, len(q.bias))
		ce.Backward(1, q.w, q.bias, q.dx, q.dw, q.dbias)
		copy(p.dw[first*k:end*k], q.dw)
		if perClass {
			copy(p.dbias[first:end], q.dbias)
		}
		return errors.Join(errs...)
	}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, q := range parts {
		if q.loss != parts[0].loss || !slices.Equal(q.dx, parts[0].dx) || len(p.bias) == 1 && q.dbias[0] != parts[0].dbias[0] {
			t.Fatalf("process %d of %d has other results than the first", i, size)
		}
	}
	p.loss, p.dx = parts[0].loss, parts[0].dx
	if head().Geometry().Bias == SharedBias {
		p.dbias = parts[0].dbias
	}
}

// Processes that share the classes compute what one does, to the rounding of sums in another order.
func TestSplit(t *testing.T) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	for _, name := range Names() {
		for _, filter := range []float64{0, 0.1} {
			head := func() Head { return exactHead(t, name) }
			if filter != 0 && head().Geometry().Binary != 0 {
				continue
			}
			for _, c := range []struct{ n, classes, dim, processes, spare int }{
				{5, 7, 6, 2, 0}, {5, 7, 6, 3, 4}, {4, 2, 5, 3, 1}, {6, 700, 24, 3, 300}, {2, 601, 16, 2, 0},
			} {
				p := newProblem(head(), c.n, c.classes, c.dim, rand.New(rand.NewPCG(5, uint64(c.classes))))
				p.filter = filter
				want := *p
				want.run(t, head(), pool)
				p.runSplit(t, head, c.processes, c.spare, pool)
				what := fmt.Sprintf("%s, %+v, filter %v", name, c, filter)
				closeTo(t, what+": loss", []float32{float32(p.loss)}, []float32{float32(want.loss)})
				closeTo(t, what+": dx", p.dx, want.dx)
				closeTo(t, what+": dw", p.dw, want.dw)
				closeTo(t, what+": dbias", p.dbias, want.dbias)
			}
		}
	}
}

// Logits are of all classes.
func TestSplitLogits(t *testing.T) {
	g := gorgonia.NewGraph()
	in := Nodes{
		Embedding: gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(2, 3), gorgonia.WithName("x")),
		Weight:    gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(4, 3), gorgonia.WithName("w")),
		Labels:    gorgonia.NewTensor(g, tensor.Int, 1, gorgonia.WithShape(2), gorgonia.WithName("y")),
	}
	split := &ops.Split{Count: 4, Classes: 8, Peers: peers{Group: mpitest.New(2)[0]}}
	if _, err := Logits(exactHead(t, "arcface"), in, NodeOptions{Split: split}); err == nil || !strings.Contains(err.Error(), "shared out") {
		t.Errorf("error %v", err)
	}
}

// closeTo fails unless numbers differ by no more than some roundings of the largest of them.
func closeTo(t *testing.T, what string, got, want []float32) {
	t.Helper()
	const tolerance = 2e-6
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(float64(v)))
	}
	for i, v := range got {
		if d := math.Abs(float64(v) - float64(want[i])); !(d <= tolerance*largest) {
			t.Fatalf("%s: number %d is %v, want %v", what, i, v, want[i])
		}
	}
}
