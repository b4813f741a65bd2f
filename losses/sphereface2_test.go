package losses

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/faceverify/fv/internal/kernel"
)

// At its start the bias of SphereFace2 is where embeddings at right angles to all weights have the
// smallest loss.
func TestStartBias(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	h := makeHead(t, "sphereface2", Options{})
	for _, classes := range []int{2, 5, 300} {
		p := newProblem(h, 3, classes, 4, rand.New(rand.NewPCG(1, 2)))
		for i := range p.x { // the last coordinate against the others
			p.x[i] = 0
			if i%4 == 3 {
				p.x[i] = 1
			}
		}
		for i := range p.w {
			if i%4 == 3 {
				p.w[i] = 0
			}
		}
		Init(h, classes, ParamShapes(h, classes, 4)[1], p.bias, 1)
		p.run(t, h, pool)
		at := p.loss
		if math.Abs(float64(p.dbias[0])) > 1e-5 {
			t.Errorf("%d classes: gradient %v at the bias %v", classes, p.dbias[0], p.bias[0])
		}
		p.bias[0] += 0.1
		p.run(t, h, pool)
		if p.loss <= at {
			t.Errorf("%d classes: loss %v at the start, %v beside it", classes, at, p.loss)
		}
	}
	if b := h.(Biased).StartBias(1); math.IsNaN(b) || math.IsInf(b, 0) {
		t.Errorf("bias %v of one class", b)
	}
}
