package kernel

import "github.com/faceverify/fv/internal/cpu"

// Winograd is a convolution with 3x3 kernels, stride 1 and one group that takes 2.25 products for an output and
// channel instead of 9: tiles of 4x4 outputs, patches of 6x6 inputs and the kernels are transformed, multiplied point
// by point, and transformed back (see transform). Sums over channels are then 36 matrix products
//
//	M[ξ] [tiles,out] = V[ξ] [tiles,in] U[ξ] [in,out]
//
// of the transformed inputs V and weights U, by the same micro-kernels as all others. Results differ from a
// direct convolution's by rounding: their error is about twice as large.
//
// Mixed, V and U are rounded to bfloat16 and M is float32. What is rounded is then summed up, with factors of up to 2√2
// squared, by the transform of the outputs: the error is two to five times that of a MixedConv.
//
// One goroutine at a time may use it, and those that share its Scratch.
type Winograd struct {
	s        ConvShape
	mixed    bool
	forward  winogradPass
	backward winogradPass
	weights  winogradWeights
}

// Winogrades reports whether there is a Winograd of the given geometry.
func Winogrades(s ConvShape) bool {
	return s.Groups <= 1 && s.KH == 3 && s.KW == 3 && s.StrideH == 1 && s.StrideW == 1 &&
		s.PadH <= 2 && s.PadW <= 2 && s.In.C%16 == 0 && s.Out.C%16 == 0
}

// WinogradPays reports whether a Winograd of the given geometry is faster than a Conv: with few tiles it reads more
// weights than it saves products.
func WinogradPays(s ConvShape) bool {
	const few = 16
	return Winogrades(s) && winogradTiles(s) >= few
}

// MixedWinogradPays reports whether a Winograd of the given geometry with products of bfloat16 is faster than a
// MixedConv: that takes enough tiles to fill a block. AMX multiplies so fast that the transforms would take longer than what they save.
func MixedWinogradPays(s ConvShape) bool {
	return Mixes(s) && variant < cpu.AMX && Winogrades(s) && winogradTiles(s) >= pairBlock
}

// winogradTiles returns how many tiles the largest batch has.
func winogradTiles(s ConvShape) int {
	return s.In.N * even(s.Out.H, winogradTile) * even(s.Out.W, winogradTile)
}

// NewWinograd returns a convolution of a geometry that Winogrades.
func NewWinograd(s ConvShape, scratch *Scratch) *Winograd { return newWinograd(s, scratch, false) }

// NewMixedWinograd returns a mixed one, of a geometry that also Mixes.
func NewMixedWinograd(s ConvShape, scratch *Scratch) *Winograd { return newWinograd(s, scratch, true) }

func newWinograd(s ConvShape, scratch *Scratch, mixed bool) *Winograd {
	s.Groups = max(1, s.Groups)
	s.check()
	if !Winogrades(s) || mixed && !Mixes(s) {
		panic("kernel: no Winograd convolution has this shape")
	}
	w := &Winograd{s: s, mixed: mixed}
	w.forward.init(winogradTiling{s.In, s.Out, s.PadH, s.PadW, mixed}, scratch)
	w.backward.init(winogradTiling{s.Out, s.In, 2 - s.PadH, 2 - s.PadW, mixed}, scratch)
	w.weights.init(winogradTiling{s.In, s.Out, s.PadH, s.PadW, mixed}, scratch)
	return w
}

// Kind returns "winograd" or "mixed winograd".
func (w *Winograd) Kind() string {
	if w.mixed {
		return "mixed winograd"
	}
	return "winograd"
}

// Load takes the weights w [out, in, 3, 3] of Forward.
func (w *Winograd) Load(p *Pool, weights []float32) { w.forward.load(p, weights, false) }

// Forward computes the convolution of the first n images of x into the interior of y, with the weights of Load,
// and gives what it writes to collect; bias [out] and collect may be nil.
func (w *Winograd) Forward(p *Pool, n int, y []float32, x Source, bias []float32, collect Collector) {
	w.forward.run(p, n, y, x, bias, false, collect)
}

// ForwardHalf is Forward to bfloat16, without a bias.
func (w *Winograd) ForwardHalf(p *Pool, n int, y []Pair, x Source, collect Collector) {
	w.forward.half = y
	w.forward.run(p, n, nil, x, nil, false, collect)
	w.forward.half = nil
}

// LoadBackward takes the weights w [out, in, 3, 3] of BackwardData.
func (w *Winograd) LoadBackward(p *Pool, weights []float32) { w.backward.load(p, weights, true) }

// BackwardData computes the gradient of the loss with respect to x for the first n images: it overwrites the
// interior of dx, or adds to it. The weights are those of LoadBackward. What dx is then goes to collect, which may be nil.
func (w *Winograd) BackwardData(p *Pool, n int, dx, dy []float32, add bool, collect Collector) {
	w.backward.run(p, n, dx, Source{X: dy, Layout: w.s.Out}, nil, add, collect)
}

// BackwardWeights computes the gradient of the loss with respect to the weights, dw [out, in, 3, 3],
// overwritten, over the first n images of x and dy.
func (w *Winograd) BackwardWeights(p *Pool, n int, dw []float32, x Source, dy []float32) {
	w.weights.run(p, n, dw, x, dy)
}
