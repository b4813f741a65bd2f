package pipeline

import (
	"slices"
	"testing"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/pipeline/optim"
)

// A step has the classes of its batch and others; what it makes of their parameters is kept, and nothing else changes.
func TestClassSample(t *testing.T) {
	const classes, size, dim, params = 50, 12, 3, 5
	for name, want := range map[string]int{"amsoftmax": dim, "softmax": dim + 1, "sphereface2": dim, "subcenter-arcface": 3 * dim} {
		head, err := losses.New(name, losses.Options{})
		if err != nil {
			t.Fatal(err)
		}
		pool := kernel.NewPool(2)
		defer pool.Close()
		s, err := newClassSample(head, classRange{0, classes, classes}, size, dim, params, []string{"velocity"}, 7, pool)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		for i := range s.weights {
			s.weights[i], s.moments["velocity"][i] = float32(i), float32(-i)
		}
		step := arenaLen(params, head, size, dim)
		a := optim.NewArena(make([]float32, step), make([]float32, step))
		moments := map[string][]float32{"velocity": make([]float32, step)}
		before := slices.Clone(s.weights)

		labels := []int{31, 4, 31, 49}
		places := slices.Clone(s.begin(3, labels, a, moments))
		chosen := slices.Clone(s.index)
		if len(chosen) != size || !slices.IsSorted(chosen) || len(slices.Compact(slices.Clone(chosen))) != size {
			t.Fatalf("%s: classes %v, want %d different ones in order", name, chosen, size)
		}
		for i, label := range labels {
			if chosen[places[i]] != label {
				t.Errorf("%s: label %d is place %d, which is class %d", name, label, places[i], chosen[places[i]])
			}
		}
		for i, c := range chosen {
			at := params + i*s.tables[0].row
			if v := a.Weights[at]; v != before[params+c*s.tables[0].row] || moments["velocity"][at] != -v {
				t.Errorf("%s: place %d holds %v and %v, want those of class %d", name, i, v, moments["velocity"][at], c)
			}
		}
		for i := range a.Weights {
			a.Weights[i] += 1000
		}
		s.end(a, moments)
		weights, _ := s.all(a, moments)
		changed := 0
		for i := range weights {
			if weights[i] != before[i] {
				changed++
			}
		}
		shared := 0
		if name == "sphereface2" {
			shared = 1 // a bias for all classes
		}
		if changed != params+size*want+shared {
			t.Errorf("%s: %d weights changed, want %d of the backbone, %d of each of %d classes and %d shared", name, changed, params, want, size, shared)
		}

		s.begin(4, labels, a, moments)
		if slices.Equal(s.index, chosen) {
			t.Errorf("%s: two steps have the same classes", name)
		}
		s.begin(3, labels, a, moments)
		if !slices.Equal(s.index, chosen) {
			t.Errorf("%s: a step does not have the same classes again", name)
		}
	}
}

func TestSampleSize(t *testing.T) {
	for _, c := range []struct {
		rate           float64
		classes, batch int
		want           int
	}{{0.1, 1_000_000, 64, 100_000}, {0.1, 100, 64, 64}, {0.5, 40, 64, 40}, {1e-9, 1000, 2, 2}} {
		if got := sampleSize(c.rate, c.classes, c.batch); got != c.want {
			t.Errorf("sampleSize(%v, %d, %d) = %d, want %d", c.rate, c.classes, c.batch, got, c.want)
		}
	}
}
