package sampler

import (
	"slices"
	"testing"
)

func TestOrder(t *testing.T) {
	const n = 500
	first := Order(n, 1, 0)
	if !slices.Equal(first, Order(n, 1, 0)) {
		t.Error("two orders of the same epoch")
	}
	for _, other := range [][]int{Order(n, 1, 1), Order(n, 2, 0)} {
		same := 0
		for i := range other {
			if other[i] == first[i] {
				same++
			}
		}
		if same > 10 { // 1 is expected
			t.Errorf("orders of other epochs and seeds agree in %d of %d places", same, n)
		}
	}
	slices.Sort(first)
	for i, x := range first {
		if i != x {
			t.Fatalf("sorted, place %d has %d: no permutation", i, x)
		}
	}
	if len(Order(0, 1, 0)) != 0 {
		t.Error("an order of nothing has something")
	}
}

// The order is part of what a seed means: a run is resumed, and compared with others, by it.
func TestOrderStays(t *testing.T) {
	if got, want := Order(8, 1, 0), []int{6, 4, 7, 2, 3, 5, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

// All places are equally likely: sample 0 in 1000 epochs.
func TestOrderIsUniform(t *testing.T) {
	const n, epochs = 10, 1000
	var at [n]int
	for epoch := range epochs {
		at[slices.Index(Order(n, 3, epoch), 0)]++
	}
	for place, count := range at { // 100, standard deviation 9.5
		if count < 55 || count > 145 {
			t.Errorf("sample 0 is at place %d in %d of %d epochs", place, count, epochs)
		}
	}
}
