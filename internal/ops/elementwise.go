package ops

import "math"

// elementLogits fills b.z with the logits of the products b.u: rows j*K and following of these are the
// sub-centers of class j.
func (c *CrossEntropy) elementLogits(b *block, first, count int) {
	n := c.n
	for j := range count {
		shift := c.g.offset(c.bias, first+j)
		for i := range n {
			u, row := c.nearest(b, first, j, i)
			z, _ := c.other(i, first*c.g.centers()+row, u)
			b.z[j*n+i] = z + shift
		}
	}
}

// nearest returns the largest U_ij = X_i·V_j of the sub-centers of class j of the block, and
// which row of the block that is.
func (c *CrossEntropy) nearest(b *block, first, j, i int) (u float32, row int) {
	k, n := c.g.centers(), c.n
	row = j * k
	u = b.u[row*n+i] * c.inv[first*k+row]
	for r := row + 1; r < (j+1)*k; r++ {
		if v := b.u[r*n+i] * c.inv[first*k+r]; nearer(v, u) {
			u, row = v, r
		}
	}
	return u, row
}

// elementGradients sets b.g to dL/dU_ij/‖W_j‖, with 0 in the place of targets and of sub-centers that are not
// the nearest, and the bias's gradient to dL/dz_ij summed over the batch.
func (c *CrossEntropy) elementGradients(b *block, first, count int) {
	n, k := c.n, c.g.centers()
	clear(b.g[:count*k*n])
	for j := range count {
		shift := c.g.offset(c.bias, first+j)
		var sum float64
		for i, y := range c.label {
			if y == first+j {
				sum += float64(c.gradScale) * c.dTarget[i]
				continue
			}
			u, row := c.nearest(b, first, j, i)
			z, slope := c.other(i, first*k+row, u)
			dz := float64(c.gradScale) * c.derivative(i, float64(z+shift))
			sum += dz
			b.g[row*n+i] = float32(dz) * slope * c.inv[first*k+row]
		}
		if c.g.Bias != NoBias {
			c.dbias[first+j] = float32(sum)
		}
	}
}

// derivative returns that of sample i's loss with respect to the logit z of another class.
func (c *CrossEntropy) derivative(i int, z float64) float64 {
	if a := c.g.Binary; a != 0 {
		return (1 - a) * sigmoid(z)
	}
	return math.Exp(z - float64(c.lse[i]))
}

// binary returns the binary cross-entropies of sample i and keeps the derivative of the target's.
func (c *CrossEntropy) binary(i int) float64 {
	a, t := c.g.Binary, c.logit[i]
	var others float64
	for p := range c.parts {
		others += c.sums[p*c.n+i]
	}
	c.dTarget[i] = -a * sigmoid(-t)
	return a*softplus(-t) + (1-a)*others
}

// sumSoftplus: sum += log(1 + e^z).
func sumSoftplus(sum []float64, z []float32) {
	for i, v := range z {
		sum[i] += softplus(float64(v))
	}
}

// softplus returns log(1 + e^z).
func softplus(z float64) float64 { return max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) }

// sigmoid returns 1/(1 + e^-z).
func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }
