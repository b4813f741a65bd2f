package losses

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/faceverify/fv/internal/kernel"
)

// Only the nearest of a class's weights gets a gradient.
func TestSubCenters(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	h := makeHead(t, "subcenter-arcface", Options{})
	p := newProblem(h, 1, 2, 2, rand.New(rand.NewPCG(1, 2)))
	p.x, p.labels = []float32{1, 0}, []int{0}
	p.w = []float32{0, 1, 1, 1, -1, 0 /**/, 0, -1, -1, -1, 1, -2}
	p.run(t, h, pool)
	for row, used := range []bool{false, true, false, false, false, true} {
		if got := p.dw[2*row] != 0 || p.dw[2*row+1] != 0; got != used {
			t.Errorf("row %d: gradient %v", row, p.dw[2*row:][:2])
		}
	}
	z := oracleLogits(h, p, 0, float64s(p.x), float64s(p.w), nil)
	if want := 64 * math.Cos(math.Pi/4+0.5); !near(z[0], want, 1e-6) {
		t.Errorf("target %v, want %v", z[0], want)
	}
}
