package sampler

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestGrouped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		people := rapid.IntRange(1, 12).Draw(t, "people")
		var identity []int
		for id := range people {
			for range rapid.IntRange(1, 9).Draw(t, "images") {
				identity = append(identity, 10*id)
			}
		}
		p, k, batches := rapid.IntRange(1, people).Draw(t, "P"), rapid.IntRange(1, 5).Draw(t, "K"), rapid.IntRange(0, 8).Draw(t, "batches")
		order := Grouped(identity, batches, p, k, 1, 2)
		if len(order) != batches*p*k {
			t.Fatalf("%d samples in %d batches of %d x %d", len(order), batches, p, k)
		}
		seen := map[int]int{} // turns of each identity
		for b := range slices.Chunk(order, p*k) {
			in := map[int]bool{}
			for group := range slices.Chunk(b, k) {
				id := identity[group[0]]
				if in[id] {
					t.Fatalf("identity %d twice in a batch: %v", id, b)
				}
				in[id] = true
				seen[id]++
				different := map[int]bool{}
				for _, i := range group {
					if identity[i] != id {
						t.Fatalf("group %v is of several identities", group)
					}
					different[i] = true
				}
				have := 0
				for _, x := range identity {
					if x == id {
						have++
					}
				}
				if len(different) != min(have, k) {
					t.Fatalf("group %v has %d different images of %d", group, len(different), have)
				}
			}
		}
		least, most := math.MaxInt, 0
		for id := range people {
			least, most = min(least, seen[10*id]), max(most, seen[10*id])
		}
		if most-least > 2 { // a turn may be put off to the next batch
			t.Fatalf("identities have from %d to %d turns", least, most)
		}
	})
}

func TestGroupedDraws(t *testing.T) {
	var identity []int
	for i := range 60 {
		identity = append(identity, i%20)
	}
	first := Grouped(identity, 15, 4, 3, 1, 0)
	if !slices.Equal(first, Grouped(identity, 15, 4, 3, 1, 0)) {
		t.Error("two orders of the same epoch")
	}
	for _, other := range [][]int{Grouped(identity, 15, 4, 3, 1, 1), Grouped(identity, 15, 4, 3, 2, 0)} {
		same := 0
		for i := range other {
			if other[i] == first[i] {
				same++
			}
		}
		if same > 20 { // 3 are expected
			t.Errorf("orders of other epochs and seeds agree in %d of %d places", same, len(first))
		}
	}
	count := make([]int, 60)
	for _, i := range first {
		count[i]++
	}
	// 15 batches of 4 are three turns of 20 identities, with three images each.
	for i, n := range count {
		if n < 2 || n > 4 {
			t.Errorf("image %d is shown %d times", i, n)
		}
	}
	if got, want := Grouped([]int{0, 0, 1, 1, 2, 2}, 2, 2, 2, 1, 0), grouped; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v: a seed no longer means what it did", got, want)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic with too few identities")
		}
	}()
	Grouped([]int{0, 0, 1}, 1, 3, 1, 1, 0)
}

// grouped is two batches of two identities, as they have been since the function was written.
var grouped = []int{2, 3, 0, 1, 5, 4, 2, 3}
