// Package sampler decides which samples an epoch shows, and in which order.
package sampler

import "github.com/faceverify/fv/internal/random"

// Order returns the indices of n samples in the random order of an epoch, counted from 0. It
// depends on its arguments only; the order of each epoch is another one.
func Order(n int, seed uint64, epoch int) []int {
	return random.New(seed, random.Order, epoch, 0).Perm(n)
}
