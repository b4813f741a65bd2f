//go:build !amd64 || purego

package kernel

import "math"

// PeakMixedGFLOPS returns 0: the generic variant has no peak to compare with.
func PeakMixedGFLOPS(*Pool) float64 { return 0 }

func (t *pairTile) dispatch(o pairOperands) { t.runGeneric(o) }

// pairWork returns how many steps of a block may be one call: any, as Go can be interrupted.
func pairWork() int { return math.MaxInt }

func roundPairs(dst []Pair, src []float32) { roundPairsGeneric(dst, src) }

func interleavePairs(dst, src []Pair, words, count int) {
	interleavePairsGeneric(dst, src, words, count)
}

func transposePairs(dst, src []Pair, dstRow, srcRow, blocks int) {
	transposePairsGeneric(dst, src, dstRow, srcRow, blocks)
}

func rowsOut(dst, src, bias []float32, pixels, ldc int, add bool) {
	rowsOutGeneric(dst, src, bias, pixels, ldc, add)
}

func expandPairs(dst []float32, src []Pair) { expandPairsGeneric(dst, src) }

func roundRowsOut(dst []Pair, src []float32, pixels, ldc int) {
	roundRowsOutGeneric(dst, src, pixels, ldc)
}
