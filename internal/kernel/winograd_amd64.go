//go:build amd64 && !purego

package kernel

import (
	"unsafe"

	"github.com/faceverify/fv/internal/cpu"
)

// transformArgs are the operands of the assembly, which knows the order of the fields.
type transformArgs struct {
	dst, src, bias                 *float32
	dstRow, dstCol, srcRow, srcCol int
	lanes                          int
}

func (c *transformCall) dispatch(t transform) {
	if c.pairs != nil {
		c.dispatchPairs(t)
		return
	}
	a := transformArgs{&c.dst[0], &c.src[0], first(c.bias), c.dstRow, c.dstCol, c.srcRow, c.srcCol, c.lanes}
	switch single() {
	case cpu.AVX512:
		switch {
		case t == inputTransform:
			winogradInput_avx512(&a)
		case t == outputTransform && c.add:
			winogradOutputAdd_avx512(&a)
		case t == outputTransform && c.bias != nil:
			winogradOutputBias_avx512(&a)
		case t == outputTransform:
			winogradOutput_avx512(&a)
		case t == gradientTransform:
			winogradGradient_avx512(&a)
		case t == weightsTransform:
			winogradWeights_avx512(&a)
		case t == weightsGradientTransform:
			winogradWeightsGradient_avx512(&a)
		}
	case cpu.AVX2:
		switch {
		case t == inputTransform:
			winogradInput_avx2(&a)
		case t == outputTransform && c.add:
			winogradOutputAdd_avx2(&a)
		case t == outputTransform && c.bias != nil:
			winogradOutputBias_avx2(&a)
		case t == outputTransform:
			winogradOutput_avx2(&a)
		case t == gradientTransform:
			winogradGradient_avx2(&a)
		case t == weightsTransform:
			winogradWeights_avx2(&a)
		case t == weightsGradientTransform:
			winogradWeightsGradient_avx2(&a)
		}
	default:
		c.runGeneric(t)
	}
}

// dispatchPairs is dispatch to pairs.
func (c *transformCall) dispatchPairs(t transform) {
	if variant == cpu.Generic {
		c.runGeneric(t)
		return
	}
	a := transformArgs{dst: (*float32)(unsafe.Pointer(&c.pairs[0])), src: &c.src[0], dstRow: c.dstRow, dstCol: c.dstCol, srcRow: c.srcRow, srcCol: c.srcCol, lanes: c.lanes}
	switch input := t == inputTransform; variant {
	case cpu.AVX2:
		if input {
			winogradInputPairs_avx2(&a)
		} else {
			winogradGradientPairs_avx2(&a)
		}
	case cpu.AVX512:
		if input {
			winogradInputPairs_avx512(&a)
		} else {
			winogradGradientPairs_avx512(&a)
		}
	default:
		if input {
			winogradInputPairs_avx512bf16(&a)
		} else {
			winogradGradientPairs_avx512bf16(&a)
		}
	}
}

//go:noescape
func winogradInputPairs_avx2(t *transformArgs)

//go:noescape
func winogradGradientPairs_avx2(t *transformArgs)

//go:noescape
func winogradInputPairs_avx512(t *transformArgs)

//go:noescape
func winogradGradientPairs_avx512(t *transformArgs)

//go:noescape
func winogradInputPairs_avx512bf16(t *transformArgs)

//go:noescape
func winogradGradientPairs_avx512bf16(t *transformArgs)

//go:noescape
func winogradInput_avx512(t *transformArgs)

//go:noescape
func winogradOutput_avx512(t *transformArgs)

//go:noescape
func winogradOutputBias_avx512(t *transformArgs)

//go:noescape
func winogradOutputAdd_avx512(t *transformArgs)

//go:noescape
func winogradGradient_avx512(t *transformArgs)

//go:noescape
func winogradWeights_avx512(t *transformArgs)

//go:noescape
func winogradWeightsGradient_avx512(t *transformArgs)

//go:noescape
func winogradInput_avx2(t *transformArgs)

//go:noescape
func winogradOutput_avx2(t *transformArgs)

//go:noescape
func winogradOutputBias_avx2(t *transformArgs)

//go:noescape
func winogradOutputAdd_avx2(t *transformArgs)

//go:noescape
func winogradGradient_avx2(t *transformArgs)

//go:noescape
func winogradWeights_avx2(t *transformArgs)

//go:noescape
func winogradWeightsGradient_avx2(t *transformArgs)
