package eval

import (
	"math"

	"gonum.org/v1/gonum/stat"
)

// AngleBins is the number of bins of an angle histogram: one degree each.
const AngleBins = 180

// AngleSide describes the angles of the positive or of the negative pairs, in radians.
type AngleSide struct {
	Pairs int     `json:"pairs"`
	Mean  float64 `json:"mean"`
	Std   float64 `json:"std"`  // ddof 0
	Mode  float64 `json:"mode"` // centre of the fullest bin, the first of equals
	// Histogram holds the share of the pairs in each bin; it sums to 1. Bin i covers
	// angles from i to i+1 degrees.
	Histogram []float64 `json:"histogram"`
}

// Angles compares the angles between the embeddings of positive (genuine) and of
// negative (impostor) pairs.
type Angles struct {
	Positive AngleSide `json:"positive"`
	Negative AngleSide `json:"negative"`
	// Overlap is Σ min(f, g) over the bins of the two histograms: 0 when they share
	// no bin, 1 when they are equal.
	Overlap float64 `json:"overlap"`
}

// NewAngles takes the arc cosines of the scores. It panics if the lengths differ.
func NewAngles(cosines []float64, same []bool) *Angles {
	if len(cosines) != len(same) {
		panic("eval: cosines and labels differ in length")
	}
	var positive, negative []float64
	for i, c := range cosines {
		if same[i] {
			positive = append(positive, Angle(c))
		} else {
			negative = append(negative, Angle(c))
		}
	}
	a := &Angles{Positive: newAngleSide(positive), Negative: newAngleSide(negative)}
	for i, p := range a.Positive.Histogram {
		a.Overlap += math.Min(p, a.Negative.Histogram[i])
	}
	return a
}

func newAngleSide(angles []float64) AngleSide {
	s := AngleSide{Pairs: len(angles), Histogram: make([]float64, AngleBins)}
	if len(angles) == 0 {
		return s
	}
	counts := make([]int, AngleBins)
	fullest := 0
	for _, a := range angles {
		counts[min(int(a*(AngleBins/math.Pi)), AngleBins-1)]++
	}
	for i, n := range counts {
		s.Histogram[i] = float64(n) / float64(len(angles))
		if n > counts[fullest] {
			fullest = i
		}
	}
	s.Mode = (float64(fullest) + 0.5) * math.Pi / AngleBins
	s.Mean, s.Std = stat.PopMeanStdDev(angles, nil)
	return s
}
