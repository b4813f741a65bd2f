package losses

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/faceverify/fv/internal/kernel"
)

// A head that is restored from its state after some steps goes on with the same bits.
func TestMemoryResumes(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	for _, name := range Names() {
		h, ok := makeHead(t, name, Options{}).(Stateful)
		if !ok {
			continue
		}
		step := func(h Stateful, i int) float64 {
			p := newProblem(h, 4, 9, 3, rand.New(rand.NewPCG(uint64(i), 0)))
			h.Begin(i)
			p.run(t, h, pool)
			h.Begin(i) // the first attempt was not accepted
			p.run(t, h, pool)
			h.Commit()
			return p.loss
		}
		for i := range 5 {
			step(h, i)
		}
		again := makeHead(t, name, Options{}).(Stateful)
		if err := again.SetState(h.State()); err != nil {
			t.Fatal(err)
		}
		for i := 5; i < 8; i++ {
			if a, b := step(h, i), step(again, i); a != b {
				t.Errorf("%s: loss %v in step %d, %v after resuming", name, a, i, b)
			}
		}
		for _, bad := range []map[string][]float32{{"mean": {1}}, {"t": {float32(math.NaN())}}, {"t": {1, 2}}, {"iteration": {-1}}} {
			if again.SetState(bad) == nil {
				t.Errorf("%s: state %v is taken", name, bad)
			}
		}
	}
}
