// Package sampler decides which samples an epoch shows, and in which order.
package sampler

import "github.com/faceverify/fv/internal/random"

// Names of the samplers. An epoch has as many samples with each as there are images.
const (
	Images     = "images"     // every image once: Order
	Identities = "identities" // identities equally often: Weighted with power 0
	Sqrt       = "sqrt"       // identities by the square root of their images' number: Weighted with power 0.5
	PxK        = "pxk"        // P identities with K images each in a batch, identities equally often: Grouped
)

// Names returns the names of all samplers.
func Names() []string { return []string{Images, Identities, Sqrt, PxK} }

// Order returns the indices of n samples in the random order of an epoch, counted from 0. It
// depends on its arguments only; the order of each epoch is another one.
func Order(n int, seed uint64, epoch int) []int {
	return random.New(seed, random.Order, epoch, 0).Perm(n)
}
