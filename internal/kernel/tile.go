package kernel

import "github.com/faceverify/fv/internal/cpu"

// tile is one call of the micro-kernel that all matrix products and
// convolutions are made of. For i < rows and j < cols it computes
//
//	c[i*ldc+j] (= bias[j] | = 0 | +=) sum over img < imgs, seg < segs, x < k of
//	    a[pa + i*aRow + x*aK] * b[pb + x*bK + j]
//
// where pa and pb start at 0 and grow by aSeg and bSeg after each segment and pa
// by aNext, besides, after each image. All strides are in floats.
//
// The three nested sums are what lets it read bordered images in place: a
// row of kernel taps is a segment of a convolution forward, a row of
// pixels one of its weight gradient.
//
// Rows of b must have tileCols() readable columns, whatever cols is. The
// assembly knows the order of the fields.
type tile struct {
	a, b, c []float32
	bias    []float32 // nil for none; ignored where add is set

	aRow, aK, aSeg, aNext int
	bK, bSeg              int
	ldc                   int
	k, segs, imgs         int
	cols                  int
	add                   int // 1: add to c
}

// maxTileRows and maxTileCols bound every variant's tile.
const (
	maxTileRows = 14
	maxTileCols = 32
)

// tileRows and tileCols return the size of the current variant's tile.
func tileRows() int {
	switch single() {
	case cpu.AVX512:
		return 14
	case cpu.AVX2:
		return 6
	}
	return 4
}

func tileCols() int {
	if single() == cpu.AVX512 {
		return 32
	}
	return 16
}

// runGeneric is the definition of the micro-kernel.
func (t *tile) runGeneric(rows int) {
	const cols = 16
	var sum [4][cols]float32
	for i := range rows {
		sum[i] = [cols]float32{}
		if t.bias != nil && t.add == 0 {
			copy(sum[i][:t.cols], t.bias)
		}
	}
	pa, pb := 0, 0
	for range t.imgs {
		for range t.segs {
			for x := range t.k {
				b := (*[cols]float32)(t.b[pb+x*t.bK:])
				for i := range rows {
					a := t.a[pa+i*t.aRow+x*t.aK]
					s := &sum[i]
					for j := range s {
						s[j] += a * b[j]
					}
				}
			}
			pa += t.aSeg
			pb += t.bSeg
		}
		pa += t.aNext
	}
	for i := range rows {
		c := t.c[i*t.ldc:][:t.cols]
		for j := range c {
			if t.add != 0 {
				c[j] += sum[i][j]
			} else {
				c[j] = sum[i][j]
			}
		}
	}
}

// even cuts n into the fewest parts of at most size, as equal as can be, and
// returns their number; part i is [i*n/parts, (i+1)*n/parts).
func even(n, size int) (parts int) { return max(1, (n+size-1)/size) }
