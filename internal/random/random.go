// Package random makes every random draw of the program a function of what
// it is for, not of what was drawn before it: a generator is made from a
// seed, a purpose, an epoch and an index, so a run gives the same numbers
// on any number of threads and after any resume.
package random

import "math/rand/v2"

// Purpose separates the streams that share a seed, epoch and index.
type Purpose string

// The purposes of the program. Changing one changes every run.
const (
	Init    Purpose = "init"    // weights; index: the parameter
	Order   Purpose = "order"   // the order of an epoch's samples
	Augment Purpose = "augment" // index: the sample's place in the set
	Split   Purpose = "split"   // which identities are held out
	Pairs   Purpose = "pairs"   // validation pairs
	Synth   Purpose = "synth"   // procedural faces
	Head    Purpose = "head"    // draws of a head; epoch: the step, index: the sample's place in it
	Classes Purpose = "classes" // which classes a step compares with; epoch: the step
	Stats   Purpose = "stats"   // which classes statistics are of; epoch: the step

	Bootstrap Purpose = "bootstrap" // identities of an evaluation; index: the replicate
	Trial     Purpose = "trial"     // splits of a protocol; index: the trial

	Lecture Purpose = "lecture" // examples of the page on losses

	Doctor Purpose = "doctor" // pairs of strangers that a data set is measured by
)

// New returns a generator that depends on its arguments only.
func New(seed uint64, p Purpose, epoch, index int) *rand.Rand {
	a, b := seed^0x9e3779b97f4a7c15, seed
	for _, c := range []byte(p) {
		a = mix(a ^ uint64(c))
	}
	a = mix(a ^ uint64(epoch))
	b = mix(a ^ mix(b^uint64(index)))
	return rand.New(rand.NewPCG(a, b))
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit of
// the result depends on every bit of x.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
