package embed

import (
	"encoding/binary"
	"image"
	"image/draw"
)

// drawYCbCr draws src, what a JPEG file in colours is decoded to, over dst, which has its size and begins at (0, 0). The colours are
// those of package image/draw, to the bit: chroma is repeated where it is sampled less often than luma.
func drawYCbCr(dst *image.NRGBA, src *image.YCbCr) {
	b := src.Rect
	shift := 0 // of a pixel's place to its chroma's
	switch src.SubsampleRatio {
	case image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio440:
	case image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420:
		shift = 1
	default:
		shift = -1
	}
	if shift < 0 || b.Min.X&1 != 0 { // rare
		// Opaque pixels are the same bytes premultiplied or not.
		draw.Draw((*image.RGBA)(dst), dst.Rect, src, b.Min, draw.Src)
		return
	}
	w := b.Dx()
	chroma := (w + shift) >> shift
	for y := range b.Dy() {
		at := src.COffset(b.Min.X, b.Min.Y+y)
		cb, cr := src.Cb[at:][:chroma], src.Cr[at:][:chroma]
		luma := src.Y[src.YOffset(b.Min.X, b.Min.Y+y):][:w]
		row := dst.Pix[y*dst.Stride:][:4*w]
		if shift == 0 {
			for x := range luma {
				binary.LittleEndian.PutUint32(row[4*x:], rgb(luma[x], newChroma(cb[x], cr[x])))
			}
			continue
		}
		drawPairs(row, luma, cb[:w/2], cr)
		if w&1 != 0 {
			binary.LittleEndian.PutUint32(row[4*(w-1):], rgb(luma[w-1], newChroma(cb[chroma-1], cr[chroma-1])))
		}
	}
}

// drawPairs draws pairs of pixels that have their chroma in common.
func drawPairs(row, luma, cb, cr []uint8) {
	luma, cr = luma[:2*len(cb)], cr[:len(cb)]
	for x := range cb {
		c := newChroma(cb[x], cr[x])
		l := luma[2*x : 2*x+2 : 2*x+2]
		pair := uint64(rgb(l[0], c)) | uint64(rgb(l[1], c))<<32
		binary.LittleEndian.PutUint64(row[8*x:8*x+8:8*x+8], pair)
	}
}

// chroma is what a pixel's chroma adds to its channels, times 2 to the power of 16, and 256 more so that none is negative: to blue in the
// upper half of blueRed and to red in the lower, so that one addition does both.
type chroma struct {
	blueRed uint64
	green   uint32
}

// newChroma multiplies by the JFIF specification's factors: 1.402, 0.344136, 0.714136 and 1.772.
func newChroma(cb, cr uint8) chroma {
	const (
		red, blue           = 91881, 116130
		greenBlue, greenRed = 22554, 46802
		zero                = 256 << 16
		redZero, blueZero   = zero - 128*red, zero - 128*blue
		greenZero           = zero + 128*(greenBlue+greenRed)
	)
	return chroma{
		blueRed: uint64(cb)*(blue<<32) + uint64(cr)*red + (blueZero<<32 | redZero),
		green:   greenZero - uint32(cb)*greenBlue - uint32(cr)*greenRed,
	}
}

// rgb returns the bytes of an opaque pixel, red lowest.
func rgb(luma uint8, c chroma) uint32 {
	y := uint64(luma) * 0x00010101_00010101 // 255 becomes one less than 2 to the power of 24, in both halves
	sum := y + c.blueRed
	return fittedRed[sum>>16&1023] | fittedGreen[(uint32(y)+c.green)>>16&1023] | fittedBlue[sum>>48&1023]
}

// The bytes of an opaque pixel for channels of -256 to 767, made to fit. Chroma adds no more than 255 to a channel, and takes no more away.
var fittedRed, fittedGreen, fittedBlue = fitted(0, 0xff<<24), fitted(8, 0), fitted(16, 0)

func fitted(shift int, alpha uint32) (f [1024]uint32) {
	for v := range f {
		f[v] = alpha | uint32(min(max(v-256, 0), 255))<<shift
	}
	return f
}
