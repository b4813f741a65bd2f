package eval

import (
	"math"
	"slices"

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
	// Quantiles are the smallest angles that 1, 5, 25, 50, 75, 95 and 99 % of the pairs do
	// not exceed.
	Quantiles []Quantile `json:"quantiles"`
	// Density is the probability density per radian at every half degree, smoothed by a Gaussian
	// kernel of the given bandwidth (radians).
	Density   []float64 `json:"density"`
	Bandwidth float64   `json:"bandwidth"`
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

// Quantile is the angle that a share P of the pairs does not exceed.
type Quantile struct {
	P     float64 `json:"p"`
	Angle float64 `json:"angle"` // radians
}

// quantiles are the shares that AngleSide gives angles for.
var quantiles = []float64{0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99}

// NewAngles takes the arc cosines of the scores. It panics if the lengths differ.
func NewAngles(cosines []float64, same []bool) *Angles {
	if len(cosines) != len(same) {
		panic("eval: cosines and labels differ in length")
	}
	var angles [2][]float64
	for i, c := range cosines {
		angles[kind(same[i])] = append(angles[kind(same[i])], Angle(c))
	}
	for _, a := range angles {
		slices.Sort(a)
	}
	return newAngles(newAngleSide(angles[1], nil), newAngleSide(angles[0], nil))
}

// BinnedAngles is NewAngles of counted scores: genuine[i] and impostor[i] pairs have the
// cosine cosines[i], which ascend. It panics if the lengths differ.
func BinnedAngles(cosines []float64, genuine, impostor []int) *Angles {
	if len(cosines) != len(genuine) || len(cosines) != len(impostor) {
		panic("eval: cosines and counts differ in length")
	}
	angles := make([]float64, len(cosines))
	var weights [2][]float64
	for k := range weights {
		weights[k] = make([]float64, len(cosines))
	}
	for i, c := range slices.Backward(cosines) {
		at := len(cosines) - 1 - i
		angles[at], weights[0][at], weights[1][at] = Angle(c), float64(impostor[i]), float64(genuine[i])
	}
	return newAngles(newAngleSide(angles, weights[1]), newAngleSide(angles, weights[0]))
}

func newAngles(positive, negative AngleSide) *Angles {
	a := &Angles{Positive: positive, Negative: negative}
	for i, p := range a.Positive.Histogram {
		a.Overlap += math.Min(p, a.Negative.Histogram[i])
	}
	return a
}

// newAngleSide takes ascending angles, each counted as often as its weight says, once
// if weights is nil.
func newAngleSide(angles, weights []float64) AngleSide {
	weight := func(i int) float64 {
		if weights == nil {
			return 1
		}
		return weights[i]
	}
	counts := make([]float64, AngleBins)
	var total float64
	for i, a := range angles {
		counts[min(int(a*(AngleBins/math.Pi)), AngleBins-1)] += weight(i)
		total += weight(i)
	}
	s := AngleSide{Pairs: int(total), Histogram: make([]float64, AngleBins), Quantiles: []Quantile{}, Density: []float64{}}
	if total == 0 {
		return s
	}
	fullest := 0
	for i, n := range counts {
		s.Histogram[i] = n / total
		if n > counts[fullest] {
			fullest = i
		}
	}
	s.Mode = (float64(fullest) + 0.5) * math.Pi / AngleBins
	s.Mean, s.Std = stat.PopMeanStdDev(angles, weights)
	var below float64
	for i, a := range angles {
		below += weight(i)
		for len(s.Quantiles) < len(quantiles) && below >= quantiles[len(s.Quantiles)]*total {
			s.Quantiles = append(s.Quantiles, Quantile{quantiles[len(s.Quantiles)], a})
		}
	}
	s.Density, s.Bandwidth = density(angles, weights, s.Std, s.quantile(0.75)-s.quantile(0.25))
	return s
}

// quantile returns the angle of one of quantiles; rounding may have left the last ones out.
func (s *AngleSide) quantile(p float64) float64 {
	for _, q := range s.Quantiles {
		if q.P == p {
			return q.Angle
		}
	}
	return math.NaN()
}
