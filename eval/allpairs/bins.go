package allpairs

import (
	"math"

	"github.com/faceverify/fv/eval"
)

// A bin is the last bits of score + offset in float32. Around offset the spacing of float32 is
// 2^-18, so the addition rounds the score to a multiple of it, and is all that finding a bin costs.
// Rounding is monotone: a higher score is never in a lower bin.
const (
	offset  = 48
	spacing = 1.0 / (1 << 18)

	// slack is the room for scores that rounding pushes out of [-1, 1], in bins.
	slack = 64
	// bins covers [-1, 1] and the slack.
	bins = 1<<19 + 2*slack + 1
	// mask, applied to the number of a bin, changes none and lets the compiler see that none
	// lies outside of counts.
	mask = 1<<20 - 1
)

// firstBits is bin 0.
var firstBits = math.Float32bits(offset-1) - slack

// counts counts the scores of one kind of pairs.
type counts [mask + 1]uint32

func binOf(score float32) uint32 { return (math.Float32bits(score+offset) - firstBits) & mask }

// add counts scores.
func (c *counts) add(scores []float32) {
	first := firstBits
	for _, s := range scores {
		c[(math.Float32bits(s+offset)-first)&mask]++
	}
}

// centre returns the middle of a bin.
func centre(bin int) float64 { return float64(bin-slack)*spacing - 1 }

// edge returns the smallest score that is in the bin.
func edge(bin int) float32 {
	// Half a spacing below the centre lies between two bins and rounds to the even one. It is a
	// multiple of 2^-19 of magnitude near 1 at most, so it is a float32.
	e := float32(centre(bin) - spacing/2)
	if binOf(e) != uint32(bin) {
		e = math.Nextafter32(e, offset)
	}
	return e
}

// histogram counts genuine and impostor pairs in bins.
type histogram struct {
	genuine, impostor []int
}

func newHistogram() *histogram { return &histogram{make([]int, bins), make([]int, bins)} }

// take adds counted pairs, and forgets them there.
func take(dst []int, c *counts) {
	for i, n := range c[:bins] {
		if n != 0 {
			dst[i] += int(n)
			c[i] = 0
		}
	}
}

// roc returns the curve whose thresholds are the edges of the bins that hold pairs.
func (h *histogram) roc() *eval.ROC {
	r := &eval.ROC{Points: make([]eval.Point, 1, 1+h.used())}
	at := &r.Points[0]
	at.Threshold = math.Inf(1)
	for bin := bins - 1; bin >= 0; bin-- {
		if g, i := h.genuine[bin], h.impostor[bin]; g != 0 || i != 0 {
			r.Genuine += g
			r.Impostors += i
			r.Points = append(r.Points, eval.Point{Threshold: float64(edge(bin)), TrueAccepts: r.Genuine, FalseAccepts: r.Impostors})
		}
	}
	return r
}

// used returns how many bins hold pairs.
func (h *histogram) used() int {
	n := 0
	for i, g := range h.genuine {
		if g != 0 || h.impostor[i] != 0 {
			n++
		}
	}
	return n
}

// angles returns the histograms of angles, each pair taken at the centre of its bin.
func (h *histogram) angles() *eval.Angles {
	n := h.used()
	cosines, genuine, impostor := make([]float64, 0, n), make([]int, 0, n), make([]int, 0, n)
	for bin, g := range h.genuine {
		if i := h.impostor[bin]; g != 0 || i != 0 {
			cosines, genuine, impostor = append(cosines, centre(bin)), append(genuine, g), append(impostor, i)
		}
	}
	return eval.BinnedAngles(cosines, genuine, impostor)
}
