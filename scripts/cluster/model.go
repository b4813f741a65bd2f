//go:build linux

package main

import (
	"math"
	"math/bits"
)

// node is what one machine does in a step, in seconds, and what it has.
type node struct {
	Images   int     // of a step
	Forward  float64 // of the backbone
	Backward float64
	Head     float64 // loss and gradients, of images and all classes
	Update   float64 // of the head's weights by the optimiser
	Other    float64 // all else

	Dim      int // numbers in an embedding
	Params   int // of the backbone
	Norms    int // batch norms
	Channels int // of all norms
}

// faster is a machine that computes so many times as fast.
func (n node) faster(times float64) node {
	for _, seconds := range []*float64{&n.Forward, &n.Backward, &n.Head, &n.Update, &n.Other} {
		*seconds /= times
	}
	return n
}

// link is what connects a machine with all others.
type link struct {
	rate    float64 // bytes a second that it sends, and as many that it receives at the same time
	latency float64 // seconds, of a message without bytes
}

// exchanges says how a run tells gradients and shares the head.
type exchanges struct {
	split bool // each rank has its part of the classes
	half  bool // gradients are sent as bfloat16
	own   bool // each rank has batch norms of its own
}

// bucket is how many bytes of gradients are summed at a time.
const bucket = 1 << 20

// gather returns how long all of p ranks take to get so many bytes of each: messages go to ever more ranks, log2 p times.
func (l link) gather(p int, bytes float64) float64 {
	return float64(bits.Len(uint(p-1)))*l.latency + float64(p-1)*bytes/l.rate
}

// sum returns how long p ranks take for the sum of so many bytes: each gets its part of all others', adds up, and gathers the parts.
func (l link) sum(p int, bytes float64) float64 {
	return 2 * l.gather(p, bytes/float64(p))
}

// step is how long a step takes, and what of.
type step struct {
	compute float64 // the machine's own work
	waiting float64 // for batch norms, labels, embeddings and what a split head exchanges, which nothing hides
	sums    float64 // of gradients
	exposed float64 // what of these the backward pass waits for, at its end or on its way
}

func (s step) total() float64 { return s.compute + s.waiting + s.exposed }

// steps returns how long a step of p machines takes in which each has as many images as it has alone.
//
// Gradients are taken to become final evenly over the backward pass: all but the first of the sums can then go on behind it, and the last
// one not. A batch norm's exchange that comes while a sum is on the wire waits for it, half of it on the average: where that is
// often, nothing is hidden.
func (n node) step(p int, l link, e exchanges) step {
	s := step{compute: n.Forward + n.Backward + n.Head + n.Update + n.Other}
	if p == 1 {
		return s
	}
	batch := float64(p * n.Images)
	s.waiting = 2 * l.gather(p, 64) // the meeting that a step begins with: lengths, and what each says
	norms := float64(n.Norms)
	if e.own {
		s.waiting += l.gather(p, 8*float64(n.Channels)) // running statistics, once
		norms = 0
	} else { // forward and backward, two float64 for each channel
		s.waiting += 2 * norms * l.gather(p, 16*float64(n.Channels)/norms)
	}
	s.waiting += l.gather(p, 4*float64(n.Images*n.Dim)) // embeddings
	if e.split {
		// Each has p times the images and 1/p of the classes.
		s.compute -= n.Update * (1 - 1/float64(p))
		// Angle, length and bias of each image's own class, then maximum and sum; and four numbers or so for the log and the optimiser.
		s.waiting += l.gather(p, 3*8*batch) + l.gather(p, 2*8*batch) + l.sum(p, 4*batch*float64(n.Dim)) + 4*l.gather(p, 8)
	} else {
		s.compute += float64(p-1) * n.Head
	}
	size := 4.0
	if e.half {
		size = 2
	}
	buckets := math.Ceil(4 * float64(n.Params) / bucket)
	each := l.sum(p, size*float64(n.Params)/buckets)
	s.sums = buckets * each
	behind := min(s.sums, norms*each/2*min(1, s.sums/n.Backward))
	s.exposed = max(each, s.sums-n.Backward*(1-1/buckets), behind)
	return s
}

// efficiency returns the share of p times one machine's images a second that p of them have.
func (n node) efficiency(p int, l link, e exchanges) float64 {
	return n.step(1, l, e).total() / n.step(p, l, e).total()
}
