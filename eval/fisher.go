package eval

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// AngularFisher returns the angular Fisher score S_w/S_b of n embeddings [n, dim] of unit or any
// other length, which is divided out:
//
//	S_w = Σ_i Σ_{x of class i} (1 - cos(x, m_i))
//	S_b = Σ_i n_i (1 - cos(m_i, m))
//
// with m_i the mean of the n_i unit embeddings of class i and m that of all. Smaller is better: classes are
// narrow and far apart. It is an error if a mean is zero, and so has no direction, or if
// all classes have the same (S_b = 0). It panics if the lengths differ.
// W. Liu et al., SphereFace: deep hypersphere embedding for face recognition, CVPR 2017, supplement.
func AngularFisher(embeddings []float32, dim int, classes []string) (float64, error) {
	if len(embeddings) != len(classes)*dim {
		panic(fmt.Sprintf("eval: %d values for %d embeddings of %d", len(embeddings), len(classes), dim))
	}
	// Class by class, so that few sums are held: S_w of a class is n_i - |s_i|, with s_i the sum of its
	// unit embeddings, because <x, m_i> sums to |s_i|.
	order := make([]int, len(classes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(classes[i], classes[j]) })
	all, sum, u := make([]float64, dim), make([]float64, dim), make([]float64, dim)
	unit := func(i int) error {
		for j, x := range embeddings[i*dim:][:dim] {
			u[j] = float64(x)
		}
		if !normalise(u) {
			return fmt.Errorf("embedding %d has no direction", i+1)
		}
		return nil
	}
	for i := range classes {
		if err := unit(i); err != nil {
			return 0, err
		}
		addTo(all, u)
	}
	if !normalise(all) {
		return 0, fmt.Errorf("the mean of all embeddings has no direction")
	}
	var within, between float64
	for start := 0; start < len(order); {
		class, end := classes[order[start]], start
		clear(sum)
		for ; end < len(order) && classes[order[end]] == class; end++ {
			if err := unit(order[end]); err != nil {
				return 0, err
			}
			addTo(sum, u)
		}
		n := float64(end - start)
		if end > start+1 { // one is its own mean
			within += n - math.Sqrt(dot(sum, sum))
		}
		if !normalise(sum) {
			return 0, fmt.Errorf("the mean of the embeddings of %s has no direction", class)
		}
		between += n * (1 - dot(sum, all))
		start = end
	}
	if !(between > 0) {
		return 0, fmt.Errorf("all classes have the same mean direction")
	}
	return within / between, nil
}

// normalise makes x of length 1; it returns false if that cannot be.
func normalise(x []float64) bool {
	norm := math.Sqrt(dot(x, x))
	if !(norm > 0) || math.IsInf(norm, 0) {
		return false
	}
	for i := range x {
		x[i] /= norm
	}
	return true
}

func addTo(dst, x []float64) {
	for i, v := range x {
		dst[i] += v
	}
}

func dot(a, b []float64) float64 {
	var sum float64
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}
