package sampler

import (
	"math"
	"sort"

	"github.com/faceverify/fv/internal/random"
)

// Weighted returns n samples of an epoch, drawn one by one: first an identity, with a probability proportional to the number of its images to the given power, then one of its
// images, all alike. Power 0 shows all identities equally often, whatever they have; 0.5, the square root, is halfway to showing all
// images equally often. The images of an identity take turns: none is drawn again before all of them have been. identity [samples] holds
// the identity of each sample.
//
// It depends on its arguments only.
func Weighted(identity []int, n int, power float64, seed uint64, epoch int) []int {
	people, images := decks(identity)
	upTo := make([]float64, len(people)) // sums of weights
	total := 0.0
	for i, id := range people {
		total += math.Pow(float64(len(images[id].all)), power)
		upTo[i] = total
	}
	r := random.New(seed, random.Order, epoch, 2)
	order := make([]int, n)
	for k := range order {
		at := r.Float64() * total
		i := min(sort.Search(len(upTo), func(i int) bool { return upTo[i] > at }), len(upTo)-1)
		order[k] = images[people[i]].draw(r, func(int) bool { return true })
	}
	return order
}
