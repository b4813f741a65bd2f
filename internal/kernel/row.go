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

// tapArgs are the operands of the kernels of depthwise convolution, all
// strides in bytes. Pixel p of y lies at p*yStride, tap t of pixel p of x at
// p*xStride + off[t], and its weights at t*wStride. The assembly knows the
// order of the fields.
type tapArgs struct {
	y, x, w                   *float32
	off                       *int
	taps, pixels, channels4   int // channels4: channels, in bytes
	yStride, xStride, wStride int
	add                       int
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
	for i := range y {
		z, slope := p.z(x[i], i%n)
		y[i] = z * slope
		if res != nil {
			y[i] += res[i]
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

// tapsGeneric: y[p,c] (=|+=) sum over t of w[t,c] * x[p*xs + off[t] + c], for
// pixels that are ys apart in y. off counts from x[x0].
func tapsGeneric(y []float32, ys int, x []float32, x0, xs int, w []float32, off []int, pixels, channels int, add bool) {
	for p := range pixels {
		for c := range channels {
			var v float32
			if add {
				v = y[p*ys+c]
			}
			for t, o := range off {
				v += w[t*channels+c] * x[x0+p*xs+o+c]
			}
			y[p*ys+c] = v
		}
	}
}

// tapsGradGeneric: w[t,c] += sum over p of y[p*ys + c] * x[p*xs + off[t] + c].
func tapsGradGeneric(w []float32, y []float32, ys int, x []float32, x0, xs int, off []int, pixels, channels int) {
	for t, o := range off {
		for p := range pixels {
			for c := range channels {
				w[t*channels+c] += y[p*ys+c] * x[x0+p*xs+o+c]
			}
		}
	}
}
