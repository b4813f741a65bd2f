package eval

import (
	"math/big"
	"math/bits"
)

// wide is a whole number of 128 bits: products of counts of pairs do not fit in 64 when the
// pairs are those of a million images.
type wide struct{ high, low uint64 }

// product returns a*b; neither may be negative.
func product(a, b int) wide {
	high, low := bits.Mul64(uint64(a), uint64(b))
	return wide{high, low}
}

func (x wide) plus(y wide) wide {
	low, carry := bits.Add64(x.low, y.low, 0)
	high, _ := bits.Add64(x.high, y.high, carry)
	return wide{high, low}
}

func (x wide) less(y wide) bool { return x.high < y.high || x.high == y.high && x.low < y.low }

// distance returns |x-y|.
func (x wide) distance(y wide) wide {
	if x.less(y) {
		x, y = y, x
	}
	low, borrow := bits.Sub64(x.low, y.low, 0)
	high, _ := bits.Sub64(x.high, y.high, borrow)
	return wide{high, low}
}

// share returns x/y, rounded once.
func (x wide) share(y wide) float64 {
	f, _ := new(big.Rat).SetFrac(x.big(), y.big()).Float64()
	return f
}

func (x wide) big() *big.Int {
	b := new(big.Int).SetUint64(x.high)
	return b.Lsh(b, 64).Or(b, new(big.Int).SetUint64(x.low))
}
