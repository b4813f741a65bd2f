package losses

import (
	"math"
	"slices"
	"testing"
)

func TestElasticFace(t *testing.T) {
	margins := func(h Head, batch int) []float64 {
		var m []float64
		for _, s := range h.(Batched).Batch(make([]float64, batch), nil) {
			z, _, _ := s.Target(0.25, 1) // 64 (0.25 - m)
			m = append(m, 0.25-z/64)
		}
		return m
	}
	make2 := func(seed uint64, deviation float64) Stateful {
		return makeHead(t, "elasticface-cos", Options{Seed: seed, Params: map[string]float64{"deviation": deviation}}).(Stateful)
	}
	h := make2(1, 0.0125)
	h.Begin(7)
	whole := margins(h, 6)
	h.Begin(7)
	if parts := slices.Concat(margins(h, 2), margins(h, 4)); !slices.Equal(parts, whole) {
		t.Errorf("margins %v of a step in two batches, %v in one", parts, whole)
	}
	o := make2(2, 0.0125)
	o.Begin(7)
	other := margins(o, 6)
	h.Begin(8)
	later := margins(h, 6)
	for i := range whole {
		if whole[i] == other[i] || whole[i] == later[i] || i > 0 && whole[i] == whole[0] {
			t.Errorf("margins of step 7 %v, of another seed %v, of step 8 %v: want all different", whole, other, later)
		}
	}
	h.Begin(1)
	var mean, square float64
	const n = 20000
	for _, m := range margins(h, n) {
		mean += m / n
		square += (m - 0.35) * (m - 0.35) / n
	}
	if math.Abs(mean-0.35) > 4*0.0125/math.Sqrt(n) || math.Abs(math.Sqrt(square)/0.0125-1) > 0.02 {
		t.Errorf("margins of mean %v and deviation %v, want 0.35 and 0.0125", mean, math.Sqrt(square))
	}
	wild := make2(1, 1)
	if least := slices.Min(margins(wild, 1000)); !near(least, 0, 1e-12) {
		t.Errorf("least margin %v, want 0", least)
	}
}
