package nn

import "github.com/faceverify/fv/internal/kernel"

// Precision says what a network's products are of. Sums, gradients and parameters are float32 with all.
type Precision string

// The precisions.
const (
	FP32 Precision = "fp32" // float32
	BF16 Precision = "bf16" // bfloat16 in dense convolutions whose channels are multiples of 32, and what they give is stored in it
)

// Supported reports whether networks of p are worth running on this processor: bfloat16 in plain Go is not.
func (p Precision) Supported() bool { return p == FP32 || kernel.MixedInAssembly() }

// PeakGFLOPS measures the speed of all of pool's threads at once in a loop of products of p on registers. It
// returns 0 where there is no such loop.
func (p Precision) PeakGFLOPS(pool *kernel.Pool) float64 {
	if p == BF16 {
		return kernel.PeakMixedGFLOPS(pool)
	}
	return kernel.PeakGFLOPS(pool)
}

// dense is a convolution that is not depthwise; the methods are those of kernel.Conv.
type dense interface {
	Kind() string
	Load(p *kernel.Pool, w []float32)
	Forward(p *kernel.Pool, n int, y []float32, x kernel.Source, bias []float32, collect kernel.Collector)
	ForwardHalf(p *kernel.Pool, n int, y []kernel.Pair, x kernel.Source, collect kernel.Collector)
	LoadBackward(p *kernel.Pool, w []float32)
	BackwardData(p *kernel.Pool, n int, dx, dy []float32, add bool, collect kernel.Collector)
	BackwardWeights(p *kernel.Pool, n int, dw []float32, x kernel.Source, dy []float32)
}

// mixes reports whether newDense returns a convolution of bfloat16.
func (p Precision) mixes(s kernel.ConvShape) bool { return p == BF16 && kernel.Mixes(s) }

// newDense returns a convolution with products of the precision.
func (p Precision) newDense(s kernel.ConvShape, scratch *kernel.Scratch) dense {
	switch {
	case p.mixes(s) && kernel.MixedWinogradPays(s):
		return kernel.NewMixedWinograd(s, scratch)
	case p.mixes(s):
		return kernel.NewMixedConv(s, scratch)
	case kernel.WinogradPays(s):
		return kernel.NewWinograd(s, scratch)
	}
	return kernel.NewConv(s, scratch)
}
