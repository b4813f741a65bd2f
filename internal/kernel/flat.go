package kernel

import "math"

// Passes over flat memory: parameters, gradients and what an optimiser remembers of them. They
// are cut into chunks of flatChunk floats.
const flatChunk = 1 << 16

// flat calls f with the bounds of every chunk of n floats.
func flat(p *Pool, n int, f func(chunk, from, to int)) {
	p.Run(even(n, flatChunk), func(c int) { f(c, c*flatChunk, min(n, (c+1)*flatChunk)) })
}

// SumSquares returns sum x², added up in float64.
func SumSquares(p *Pool, x []float32) float64 {
	sums := make([]float64, even(len(x), flatChunk))
	flat(p, len(x), func(c, from, to int) {
		var s [4]float64 // four sums keep the adder busy
		part := x[from:to]
		for len(part) >= 4 {
			a, b, c, d := float64(part[0]), float64(part[1]), float64(part[2]), float64(part[3])
			s[0] += a * a
			s[1] += b * b
			s[2] += c * c
			s[3] += d * d
			part = part[4:]
		}
		for _, v := range part {
			s[0] += float64(v) * float64(v)
		}
		sums[c] = (s[0] + s[1]) + (s[2] + s[3])
	})
	total := 0.0
	for _, s := range sums {
		total += s
	}
	return total
}

// AllFinite reports whether x holds neither NaN nor an infinity.
func AllFinite(p *Pool, x []float32) bool {
	const exponent = 0x7f800000 // all ones: not finite
	bad := make([]bool, even(len(x), flatChunk))
	flat(p, len(x), func(c, from, to int) {
		for _, v := range x[from:to] {
			if math.Float32bits(v)&exponent == exponent {
				bad[c] = true
				return
			}
		}
	})
	for _, b := range bad {
		if b {
			return false
		}
	}
	return true
}

// AddScaled computes y += a x.
func AddScaled(p *Pool, y, x []float32, a float32) {
	checkFlat(len(y), len(x))
	flat(p, len(y), func(_, from, to int) {
		x := x[from:to]
		for i, v := range x {
			y[from+i] += a * v
		}
	})
}

// Follow computes y += rate (x - y), a step of y's exponential moving average of x.
func Follow(p *Pool, y, x []float32, rate float32) {
	checkFlat(len(y), len(x))
	flat(p, len(y), func(_, from, to int) {
		x := x[from:to]
		y := y[from:to][:len(x)]
		for i, v := range x {
			y[i] += rate * (v - y[i])
		}
	})
}

// SGDStep is a step of stochastic gradient descent with momentum, as PyTorch defines it:
//
//	d = gradScale g + decay w
//	v = momentum v + d
//	w = w - lr v, or w - lr (d + momentum v) with Nesterov
//
// v is 0 before the first step.
func SGDStep(p *Pool, w, g, v []float32, lr, momentum, decay, gradScale float32, nesterov bool) {
	checkFlat(len(w), len(g))
	checkFlat(len(w), len(v))
	flat(p, len(w), func(_, from, to int) {
		w, g, v := w[from:to], g[from:to], v[from:to]
		g, v = g[:len(w)], v[:len(w)]
		if nesterov {
			for i := range w {
				d := gradScale*g[i] + decay*w[i]
				v[i] = momentum*v[i] + d
				w[i] -= lr * (d + momentum*v[i])
			}
			return
		}
		for i := range w {
			v[i] = momentum*v[i] + (gradScale*g[i] + decay*w[i])
			w[i] -= lr * v[i]
		}
	})
}

// AdamWStep is step number t = 1, 2 ... of AdamW (Loshchilov and Hutter 2019, algorithm 2), as
// PyTorch defines it:
//
//	w = w - lr decay w
//	m = β1 m + (1-β1) g,  v = β2 v + (1-β2) g²,  with gradScale g in place of g
//	w = w - lr m/(1-β1^t) / (sqrt(v/(1-β2^t)) + ε)
//
// m and v are 0 before the first step.
func AdamWStep(p *Pool, w, g, m, v []float32, lr, beta1, beta2, epsilon, decay, gradScale float64, t int) {
	checkFlat(len(w), len(g))
	checkFlat(len(w), len(m))
	checkFlat(len(w), len(v))
	rate := float32(lr / (1 - math.Pow(beta1, float64(t))))
	root := float32(1 / math.Sqrt(1-math.Pow(beta2, float64(t))))
	keep := float32(1 - lr*decay)
	b1, c1, b2, c2 := float32(beta1), float32(1-beta1), float32(beta2), float32(1-beta2)
	eps, scale := float32(epsilon), float32(gradScale)
	flat(p, len(w), func(_, from, to int) {
		w, g, m, v := w[from:to], g[from:to], m[from:to], v[from:to]
		for i := range w {
			d := scale * g[i]
			m[i] = b1*m[i] + c1*d
			v[i] = b2*v[i] + c2*d*d
			w[i] = keep*w[i] - rate*m[i]/(float32(math.Sqrt(float64(v[i])))*root+eps)
		}
	})
}

func checkFlat(a, b int) {
	if a != b {
		panic("kernel: flat slices of different lengths")
	}
}
