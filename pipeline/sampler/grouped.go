package sampler

import (
	"fmt"
	"math/rand/v2"

	"github.com/faceverify/fv/internal/random"
)

// Grouped returns the samples of an epoch's batches, one batch after another, each of p identities with k
// images of each next to each other: what losses that compare images with each other want. identity
// [samples] holds the identity of each sample. Identities take turns, so those with few images are seen as
// often as those with many; so do the images of an identity, and one with fewer than k repeats them.
//
// It depends on its arguments only. It panics if there are fewer than p identities.
func Grouped(identity []int, batches, p, k int, seed uint64, epoch int) []int {
	people, images := decks(identity)
	if len(people) < p {
		panic(fmt.Sprintf("sampler: %d identities for batches of %d", len(people), p))
	}
	r := random.New(seed, random.Order, epoch, 1)
	identities := deck{all: people}
	order := make([]int, 0, batches*p*k)
	for range batches {
		in := map[int]bool{}
		for range p {
			id := identities.draw(r, func(id int) bool { return !in[id] })
			in[id] = true
			group := map[int]bool{}
			for range k {
				if len(group) == len(images[id].all) {
					clear(group)
				}
				i := images[id].draw(r, func(i int) bool { return !group[i] })
				group[i] = true
				order = append(order, i)
			}
		}
	}
	return order
}

// decks returns the identities, in the order of the samples, and the samples of each.
func decks(identity []int) (people []int, images map[int]*deck) {
	images = map[int]*deck{}
	for i, id := range identity {
		if images[id] == nil {
			images[id] = &deck{}
			people = append(people, id)
		}
		images[id].all = append(images[id].all, i)
	}
	return people, images
}

// deck deals out all its cards in random order before it is shuffled again.
type deck struct {
	all, left []int
}

// draw removes and returns the first card that is wanted, of which there must be one.
func (d *deck) draw(r *rand.Rand, wanted func(int) bool) int {
	for {
		for i, card := range d.left {
			if wanted(card) {
				d.left = append(d.left[:i], d.left[i+1:]...)
				return card
			}
		}
		for _, i := range r.Perm(len(d.all)) {
			d.left = append(d.left, d.all[i])
		}
	}
}
