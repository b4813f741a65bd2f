package kernel

// rowArgs are the operands of the kernels that go through pixels of C
// contiguous channels. out, x and dy move from pixel to pixel, the others
// hold one value a channel. The assembly knows the order of the fields.
type rowArgs struct {
	out, x, dy          *float32
	scale, shift, slope *float32
	a, b, c             *float32
	sums                *float32 // planes of C
	pixels, channels    int
}

// affineParams are the per-channel values of an affine pass, none of them nil.
type affineParams struct{ scale, shift, slope []float32 }

// z returns the value before activation and prelu'(z).
func (p *affineParams) z(x float32, c int) (z, slope float32) {
	z = x*p.scale[c] + p.shift[c]
	if z > 0 {
		return z, 1
	}
	return z, p.slope[c]
}

// affineGeneric: y = prelu(x*scale + shift) + res, res nil for none.
func affineGeneric(y, x, res []float32, p *affineParams) {
	n := len(p.scale)
	shift, slope := p.shift[:n], p.slope[:n]
	for len(y) > 0 { // pixel by pixel: a remainder for each number would take longer than all the rest
		for c, scale := range p.scale {
			z := x[c]*scale + shift[c]
			v := max(z, 0) + slope[c]*min(z, 0) // one of them 0: no branch, which would be as random as signs are
			if res != nil {                     // which may be y
				v += res[c]
			}
			y[c] = v
		}
		y, x = y[n:], x[n:]
		if res != nil {
			res = res[n:]
		}
	}
}

// momentsGeneric: sums[0,c] += x - pivot, sums[1,c] += (x - pivot)^2.
func momentsGeneric(sums, x, pivot []float32) {
	n := len(pivot)
	for i, v := range x {
		c := i % n
		d := v - pivot[c]
		sums[c] += d
		sums[n+c] += d * d
	}
}

// affineSumsGeneric, with g = dy*prelu'(z): sums[0,c] += g, sums[1,c] +=
// g*(x*a + b), sums[2,c] += dy*min(z, 0).
func affineSumsGeneric(sums, x, dy []float32, p *affineParams, a, b []float32) {
	n := len(p.scale)
	for i, d := range dy {
		c := i % n
		z, slope := p.z(x[i], c)
		g := d * slope
		sums[c] += g
		sums[n+c] += g * (x[i]*a[c] + b[c])
		sums[2*n+c] += d * min(z, 0)
	}
}

// affineGradGeneric, with g = dy*prelu'(z): dx (=|+=) a*g + b*x + c.
func affineGradGeneric(dx, x, dy []float32, p *affineParams, a, b, c []float32, add bool) {
	n := len(p.scale)
	for i, d := range dy {
		ch := i % n
		_, slope := p.z(x[i], ch)
		v := a[ch]*d*slope + b[ch]*x[i] + c[ch]
		if add {
			v += dx[i]
		}
		dx[i] = v
	}
}
