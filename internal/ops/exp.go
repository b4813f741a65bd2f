package ops

import "math"

// exp32 returns e^x for x in [-87, 88], with a relative error below 3e-7, and
// 0 for smaller x. It is what a softmax over very many classes spends its
// time in, so it is written without calls.
//
// x = n ln 2 + r with |r| <= ln(2)/2; e^r is a polynomial of degree 6, whose
// coefficients are those of Taylor's series: its remainder is below r^7/7! < 1.2e-7.
func exp32(x float32) float32 {
	const (
		// Adding it rounds to the nearest integer, which is left in the low bits.
		round = 1<<23 + 1<<22
		// ln 2 as a sum; the first part has few enough bits for n times it to be exact.
		ln2Hi = 0.693359375
		ln2Lo = -2.12194440e-4
	)
	if x < -87 {
		return 0
	}
	n := x*math.Log2E + round
	bits := math.Float32bits(n)
	n -= round
	r := x - n*ln2Hi - n*ln2Lo
	p := float32(1. / 720)
	p = p*r + 1./120
	p = p*r + 1./24
	p = p*r + 1./6
	p = p*r + 1./2
	p = p*r*r + r + 1
	return p * math.Float32frombits((bits+127)<<23)
}
