package eval

import (
	"fmt"
	"math"
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
	index := map[string]int{}
	var sizes []int
	var sums [][]float64
	all := make([]float64, dim)
	unit := make([]float64, len(embeddings))
	for i, class := range classes {
		k, ok := index[class]
		if !ok {
			k = len(sums)
			index[class] = k
			sums, sizes = append(sums, make([]float64, dim)), append(sizes, 0)
		}
		sizes[k]++
		u := unit[i*dim:][:dim]
		for j, x := range embeddings[i*dim:][:dim] {
			u[j] = float64(x)
		}
		if !normalise(u) {
			return 0, fmt.Errorf("embedding %d has no direction", i+1)
		}
		for j, x := range u {
			sums[k][j] += x
			all[j] += x
		}
	}
	if !normalise(all) {
		return 0, fmt.Errorf("the mean of all embeddings has no direction")
	}
	for class, k := range index {
		if !normalise(sums[k]) {
			return 0, fmt.Errorf("the mean of the embeddings of %s has no direction", class)
		}
	}
	var within, between float64
	for i, class := range classes {
		within += 1 - dot(unit[i*dim:][:dim], sums[index[class]])
	}
	for k, m := range sums {
		between += float64(sizes[k]) * (1 - dot(m, all))
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

func dot(a, b []float64) float64 {
	var sum float64
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}
