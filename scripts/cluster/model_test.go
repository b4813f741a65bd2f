//go:build linux

package main

import (
	"math"
	"testing"
)

// A step worked out by hand: 1 MiB of gradients, one norm of 8 channels, over a link of 1 MiB a second.
func TestStep(t *testing.T) {
	const mib = 1 << 20
	n := node{Images: 2, Forward: 1, Backward: 4, Head: 3, Update: 2, Other: 5, Dim: 4, Params: mib / 4, Norms: 1, Channels: 8}
	l := link{rate: mib, latency: 0.25}
	for _, c := range []struct {
		what string
		p    int
		e    exchanges
		want step
	}{
		{"alone", 1, exchanges{}, step{compute: 15}},
		// The head once more, for the other rank's images. Meeting 2, norm 2, embeddings 1 messages; 128, 256 and 32 bytes. The only bucket is
		// summed when all else is done: two messages, and half of it each time.
		{"whole head", 2, exchanges{}, step{18, 5*0.25 + 416.0/mib, 1.5, 1.5}},
		{"bfloat16", 2, exchanges{half: true}, step{18, 5*0.25 + 416.0/mib, 1, 1}},
		{"own norms", 2, exchanges{own: true}, step{18, 4*0.25 + (128+64+32.0)/mib, 1.5, 1.5}},
		// Half of the update. Angles and the like of 4 images 96 bytes, maxima and sums 64, the embeddings' gradient 64 in two halves, four times 8:
		// 8 messages more.
		{"split head", 2, exchanges{split: true}, step{14, 13*0.25 + (416+96+64+64+32.0)/mib, 1.5, 1.5}},
		// Three other ranks, two messages to reach them.
		{"four ranks", 4, exchanges{}, step{24, 2*5*0.25 + 3*416.0/mib, 2.5, 2.5}},
	} {
		got := n.step(c.p, l, c.e)
		for _, v := range [][2]float64{{got.compute, c.want.compute}, {got.waiting, c.want.waiting}, {got.sums, c.want.sums}, {got.exposed, c.want.exposed}} {
			if math.Abs(v[0]-v[1]) > 1e-12 {
				t.Errorf("%s: %+v, want %+v", c.what, got, c.want)
				break
			}
		}
	}
	if got, want := n.efficiency(2, l, exchanges{}), 15/(18+5*0.25+416.0/mib+1.5); math.Abs(got-want) > 1e-12 {
		t.Errorf("efficiency %v, want %v", got, want)
	}
}

// Of ten buckets nine go on behind a long backward pass; over a slow link all but what it takes are waited for, and where norms queue behind
// them nothing is hidden.
func TestOverlap(t *testing.T) {
	n := node{Images: 1, Backward: 100, Dim: 1, Params: 10 * bucket / 4, Norms: 1, Channels: 1}
	if s := n.step(2, link{rate: bucket}, exchanges{own: true}); s.sums != 10 || s.exposed != 1 {
		t.Errorf("%+v, want sums of 10 s, 1 of them at the end", s)
	}
	if s := n.step(2, link{rate: bucket / 100}, exchanges{own: true}); s.exposed != s.sums-90 {
		t.Errorf("%+v, want 90 s less than the sums", s)
	}
	n.Norms = 1000
	if s := n.step(2, link{rate: bucket}, exchanges{}); s.exposed != s.sums {
		t.Errorf("%+v, want all waited for", s)
	}
}
