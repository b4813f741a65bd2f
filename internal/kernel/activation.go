package kernel

// Activation is a function of numbers that is applied to pixels in place. As a Collector it is applied to
// what a convolution writes, while that is in a cache.
type Activation struct{ f func(x []float32) }

// NewActivation returns an Activation that calls f, on several goroutines, for all numbers in turn.
func NewActivation(f func(x []float32)) *Activation { return &Activation{f} }

func (a *Activation) begin(int) {}

func (a *Activation) add(_, _, _, _ int, pixels []float32) { a.f(pixels) }

// Clip sets y to min(max(x, lo), hi), number by number; a NaN stays one. y may be x.
func Clip(y, x []float32, lo, hi float32) { clipRun(y, x, lo, hi) }

func clipGeneric(y, x []float32, lo, hi float32) {
	y = y[:len(x)]
	for i, v := range x {
		if v < lo {
			v = lo
		}
		if v > hi {
			v = hi
		}
		y[i] = v
	}
}

// HardSwish sets y to x min(max(a x + b, 0), 1), number by number. y may be x.
func HardSwish(y, x []float32, a, b float32) { hardSwishRun(y, x, a, b) }

func hardSwishGeneric(y, x []float32, a, b float32) {
	y = y[:len(x)]
	for i, v := range x {
		z := v*a + b
		if z < 0 {
			z = 0
		}
		if z > 1 {
			z = 1
		}
		y[i] = v * z
	}
}

// Larger sets y to max(y, x), number by number, and to x where one of them is not a number. x may be a later part of the array that
// y is the beginning of.
func Larger(y, x []float32) { largerRun(y, x) }

func largerGeneric(y, x []float32) {
	y = y[:len(x)]
	for i, v := range x {
		if !(y[i] > v) {
			y[i] = v
		}
	}
}

// elementArgs are the operands of the kernels that go through numbers one by one. The assembly knows the order of
// the fields.
type elementArgs struct {
	out, x *float32
	a, b   float32
	count  int
}
