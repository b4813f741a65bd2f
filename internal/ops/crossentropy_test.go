package ops

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/faceverify/fv/internal/kernel"
)

// cosines is a head whose logits are s cos θ, or products where s is 0.
type cosines struct{ g Geometry }

func (h cosines) Geometry() Geometry { return h.g }

func (h cosines) Target(cos, norm float64) (logit, dCos, dNorm float64) {
	if s := h.g.Scale; s != 0 {
		return s * cos, s, 0
	}
	return norm * cos, norm, cos
}

func (h cosines) Other(cos, norm float64) (logit, dCos, dNorm float64) { return h.Target(cos, norm) }

// Products that are kept and those that are worked out again give the same bits, for logits that are products and
// for those that are worked out one by one.
func TestKeptProducts(t *testing.T) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	const n, classes, dim = 24, 1500, 40
	r := rand.New(rand.NewPCG(3, 4))
	normal := func(size int) []float32 {
		x := make([]float32, size)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return x
	}
	labels := make([]int, n)
	for i := range labels {
		labels[i] = r.IntN(classes)
	}
	for name, g := range map[string]Geometry{
		"softmax":     {Bias: ClassBias},
		"normface":    {UnitWeights: true, Scale: 30},
		"sub-centers": {UnitWeights: true, Scale: 30, Centers: 3},
		"binary":      {UnitWeights: true, Scale: 30, Binary: 0.7, Bias: SharedBias},
	} {
		t.Run(name, func(t *testing.T) {
			x, w, bias := normal(n*dim), normal(g.centers()*classes*dim), normal(g.BiasLen(classes))
			var results [2][]float32
			for i, keep := range []bool{false, true} {
				c := newCrossEntropy(cosines{g}, n, classes, dim, HeadOptions{Pool: pool}, keep)
				loss, err := c.Forward(x, w, bias, labels)
				if err != nil {
					t.Fatal(err)
				}
				dx, dw, dbias := make([]float32, len(x)), make([]float32, len(w)), make([]float32, len(bias))
				c.Backward(1, w, bias, dx, dw, dbias)
				results[i] = slices.Concat([]float32{float32(loss)}, dx, dw, dbias)
			}
			if !slices.Equal(results[0], results[1]) {
				t.Error("loss or gradients differ")
			}
		})
	}
}
