package sampler

import (
	"math"
	"slices"
	"testing"
)

// Identities come as often as their weight says, to within five standard deviations, and their images take turns.
func TestWeighted(t *testing.T) {
	var identity []int
	sizes := []int{100, 25, 9, 4, 2, 1}
	for id, n := range sizes {
		identity = append(identity, slices.Repeat([]int{7 * id}, n)...)
	}
	const n = 20000
	for _, power := range []float64{0, 0.5, 1} {
		total := 0.0
		for _, size := range sizes {
			total += math.Pow(float64(size), power)
		}
		order := Weighted(identity, n, power, 3, 4)
		if len(order) != n {
			t.Fatalf("%d samples, want %d", len(order), n)
		}
		images, people := make([]int, len(identity)), map[int]float64{}
		for _, i := range order {
			images[i]++
			people[identity[i]/7]++
		}
		at := 0
		for id, size := range sizes {
			p := math.Pow(float64(size), power) / total
			if off := math.Abs(people[id] - n*p); off > 5*math.Sqrt(n*p*(1-p)) {
				t.Errorf("power %v: identity of %d images drawn %v times, want %v", power, size, people[id], n*p)
			}
			if own := images[at : at+size]; slices.Max(own)-slices.Min(own) > 1 {
				t.Errorf("power %v: the images of one identity were drawn %v times", power, own)
			}
			at += size
		}
		if !slices.Equal(order, Weighted(identity, n, power, 3, 4)) || slices.Equal(order, Weighted(identity, n, power, 3, 5)) || slices.Equal(order, Weighted(identity, n, power, 4, 4)) {
			t.Error("the order does not follow from seed and epoch alone")
		}
	}
}
