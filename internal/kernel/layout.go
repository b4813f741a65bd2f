// Package kernel holds the numerical kernels that a training step spends its
// time in: matrix products, convolutions, normalisation, activations,
// reductions and optimiser steps, all on float32.
//
// Every kernel has a generic Go definition; faster variants for the
// instruction sets of the processor are chosen at run time and must agree
// with it. Work is cut into chunks by shape alone and partial sums are added in
// a fixed order, so results do not depend on the number of threads.
package kernel

import "fmt"

// Layout says where the pixels of a batch of images lie in a flat []float32.
//
// Channels are contiguous (NHWC). Each row is followed by Pad zero pixels and
// each image by Pad zero rows, which serve as the border of both their
// neighbours; one more such border lies before the first image. A
// convolution then reads its input in place, without branches at the edges,
// at the price of (H+Pad)(W+Pad)/(HW) in memory rather than of a full halo.
//
// Border pixels are always zero: kernels write interior pixels only.
type Layout struct {
	N, H, W, C int
	Pad        int
}

// Offset returns the index of channel 0 of pixel (y, x) of image n. The
// border is addressed by coordinates from -Pad to H-1+Pad and W-1+Pad.
func (l Layout) Offset(n, y, x int) int {
	return ((n*(l.H+l.Pad)+y+l.Pad)*(l.W+l.Pad) + x + l.Pad) * l.C
}

// RowStride returns the distance, in floats, from a pixel to the one below it.
func (l Layout) RowStride() int { return (l.W + l.Pad) * l.C }

// Len returns the number of floats that a buffer of this layout has.
func (l Layout) Len() int {
	return ((l.N*(l.H+l.Pad)+l.Pad)*(l.W+l.Pad) + l.Pad) * l.C
}

// Pixels returns N*H*W, the number of pixels that are not border.
func (l Layout) Pixels() int { return l.N * l.H * l.W }

func (l Layout) String() string {
	return fmt.Sprintf("[%d,%d,%d,%d]+%d", l.N, l.H, l.W, l.C, l.Pad)
}
