package random

import "testing"

func TestStreams(t *testing.T) {
	type key struct {
		seed         uint64
		p            Purpose
		epoch, index int
	}
	first := map[uint64]key{}
	for _, seed := range []uint64{0, 1, 2} {
		for _, p := range []Purpose{Init, Order, Augment} {
			for epoch := range 4 {
				for index := range 100 {
					k := key{seed, p, epoch, index}
					x := New(seed, p, epoch, index).Uint64()
					if x != New(seed, p, epoch, index).Uint64() {
						t.Fatalf("%v: not reproducible", k)
					}
					if o, ok := first[x]; ok {
						t.Fatalf("%v and %v begin alike", k, o)
					}
					first[x] = k
				}
			}
		}
	}
}
