package losses

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/ops"
)

// Without its margin a head's loss is that of no margin, halfway that of half of it, and after the last step that of
// the head itself.
func TestWarmup(t *testing.T) {
	const steps = 8
	pool := kernel.NewPool(1)
	defer pool.Close()
	loss := func(h Head, step int) float64 {
		if s, ok := h.(Stateful); ok {
			s.Begin(step)
		}
		p := newProblem(h, 6, 9, 5, rand.New(rand.NewPCG(3, 1)))
		l, err := ops.NewCrossEntropy(h, p.n, p.classes, p.dim, pool).Forward(p.x, p.w, p.bias, p.labels)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for _, name := range Names() {
		spec, _ := Describe(name)
		w, err := WithWarmup(name, Options{}, steps)
		if spec.Plain == nil {
			if err == nil || !strings.Contains(err.Error(), "no margin that could grow; these have: adaface") {
				t.Errorf("%s: error %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		full, _ := spec.Resolve(Options{})
		for step, share := range map[int]float64{1: 0, 1 + steps/2: 0.5, 1 + steps: 1, 100: 1} {
			o := full
			o.Params = map[string]float64{}
			for p, v := range full.Params {
				o.Params[p] = v
				if plain, ok := spec.Plain[p]; ok {
					o.Params[p] = plain + share*(v-plain)
				}
			}
			if got, want := loss(w, step), loss(spec.build(o.Params, o), step); got != want {
				t.Errorf("%s, step %d: loss %v, of %v %v", name, step, got, o.Params, want)
			}
		}
		// There the target's logit is that of another class: nothing is asked of it beyond being the largest.
		w.(Stateful).Begin(1)
		for _, cos := range []float64{-0.7, 0.1, 0.9} {
			target, _, _ := w.Target(cos, 20)
			other, _, _ := w.Other(cos, 20)
			if spec.Name != "curricularface" && math.Abs(target-other) > 1e-9*(1+math.Abs(other)) { // which raises others
				t.Errorf("%s without a margin: target %v, other %v at the cosine %v", name, target, other, cos)
			}
		}
	}
	// Every head with a margin has one that grows, but for circle: a larger m asks for less there.
	for _, name := range Names() {
		if s, _ := Describe(name); s.HasMargin && s.Plain == nil && name != "circle" {
			t.Errorf("%s has a margin that does not grow", name)
		}
	}
}

// What a head remembers goes through the growth of its margin.
func TestWarmupMemory(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	for _, name := range growing() {
		w, err := WithWarmup(name, Options{}, 3)
		if err != nil {
			t.Fatal(err)
		}
		plain, stateful := makeHead(t, name, Options{}).(Stateful)
		if !stateful {
			if len(w.(Stateful).State()) > 0 {
				t.Errorf("%s has state %v", name, w.(Stateful).State())
			}
			continue
		}
		for _, h := range []Stateful{w.(Stateful), plain} {
			for step := 1; step <= 6; step++ {
				p := newProblem(h, 4, 9, 3, rand.New(rand.NewPCG(uint64(step), 0)))
				h.Begin(step)
				p.run(t, h, pool)
				h.Commit()
			}
		}
		for key, want := range plain.State() {
			if got := w.(Stateful).State()[key]; !slices.Equal(got, want) {
				t.Errorf("%s: %s is %v, want %v", name, key, got, want)
			}
		}
	}
}
