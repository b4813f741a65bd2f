package eval

import (
	"math"
)

// DensityPoints is the number of angles that a density is given at: every half degree from 0 to π.
const DensityPoints = 361

// densityCell is the width of the cells that angles are gathered in before they are smoothed, and
// minBandwidth the least bandwidth: a cell moves a sample by so little of it that the density is right
// to four digits.
const (
	densityCell  = math.Pi / 18000
	minBandwidth = math.Pi / 360
)

// density estimates the probability density, per radian, of ascending angles with weights (1 each if nil)
// at the angles iπ/360, i = 0 ... 360, by a Gaussian kernel of bandwidth
//
//	h = 0.9 min(σ, IQR/1.34) n^(-1/5)
//
// (B. Silverman, Density Estimation, 1986, eq. 3.31), half a degree at the least, reflected at 0 and π so that
// no mass is lost there.
func density(angles, weights []float64, std, iqr float64) (values []float64, bandwidth float64) {
	weight := func(i int) float64 {
		if weights == nil {
			return 1
		}
		return weights[i]
	}
	// A cell stands at the mean of its angles.
	type cell struct{ weight, sum float64 }
	var cells []cell
	total, last := 0.0, -1
	for i, a := range angles {
		w := weight(i)
		if w == 0 {
			continue
		}
		if k := int(a / densityCell); k != last {
			cells, last = append(cells, cell{}), k
		}
		c := &cells[len(cells)-1]
		c.weight += w
		c.sum += w * a
		total += w
	}
	values = make([]float64, DensityPoints)
	if total == 0 {
		return values, 0
	}
	spread := std
	if iqr > 0 {
		spread = math.Min(std, iqr/1.34)
	}
	bandwidth = math.Max(minBandwidth, 0.9*spread*math.Pow(total, -0.2))
	const step = math.Pi / (DensityPoints - 1)
	norm := 1 / (total * bandwidth * math.Sqrt(2*math.Pi))
	add := func(at, w float64) {
		reach := 8 * bandwidth // beyond, a kernel is below 1e-14 of its height
		from := max(0, int(math.Ceil((at-reach)/step)))
		to := min(DensityPoints-1, int(math.Floor((at+reach)/step)))
		for k := from; k <= to; k++ {
			z := (float64(k)*step - at) / bandwidth
			values[k] += w * norm * math.Exp(-z*z/2)
		}
	}
	for _, c := range cells {
		at := c.sum / c.weight
		add(at, c.weight)
		add(-at, c.weight)
		add(2*math.Pi-at, c.weight)
	}
	return values, bandwidth
}
