package kernel

import "math"

// exp32 sets y to e^x element by element, with a relative error below 3e-7 for x in
// [-87, 88] and 0 for smaller x. It is what a softmax over very many
// classes spends its time in, so it is one loop without calls. y may be x.
//
// x = n ln 2 + r with |r| <= ln(2)/2; e^r is a polynomial of degree 6, whose
// coefficients are those of Taylor's series: its remainder is below r^7/7! < 1.2e-7.
func exp32(y, x []float32) {
	const (
		// Adding it rounds to the nearest integer, which is left in the low bits.
		round = 1<<23 + 1<<22
		// ln 2 as a sum; the first part has few enough bits for n times it to be exact.
		ln2Hi = 0.693359375
		ln2Lo = -2.12194440e-4
	)
	y = y[:len(x)]
	for i, v := range x {
		if v < -87 {
			y[i] = 0
			continue
		}
		n := v*math.Log2E + round
		bits := math.Float32bits(n)
		n -= round
		r := v - n*ln2Hi - n*ln2Lo
		p := float32(1. / 720)
		p = p*r + 1./120
		p = p*r + 1./24
		p = p*r + 1./6
		p = p*r + 1./2
		p = p*r*r + r + 1
		y[i] = p * math.Float32frombits((bits+127)<<23)
	}
}
