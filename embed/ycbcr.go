package embed

import (
	"encoding/binary"
	"image"
	"image/draw"
)

// drawYCbCr draws src, of which an image decoded from JPEG consists, over dst, which has its size and begins at (0, 0). The colours are
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

// chroma is what a pixel's chroma adds to its channels, times 2 to the power of 16, modulo 2 to the power of 32.
type chroma struct{ r, g, b uint32 }

// newChroma returns the JFIF specification's factors, 1.402, 0.344136, 0.714136 and 1.772, times cb - 128 and cr - 128.
func newChroma(cb, cr uint8) chroma {
	u, v := uint32(cb)-128, uint32(cr)-128
	return chroma{r: 91881 * v, g: -(22554*u + 46802*v), b: 116130 * u}
}

// rgb returns the bytes of an opaque pixel, red lowest.
func rgb(luma uint8, c chroma) uint32 {
	y := uint32(luma) * 0x10101 // 255 becomes one less than 2 to the power of 24
	return 0xff<<24 | uint32(fitted[(y+c.b)>>16&1023])<<16 | uint32(fitted[(y+c.g)>>16&1023])<<8 | uint32(fitted[(y+c.r)>>16&1023])
}

// fitted holds what channels of -256 to 767 become to fit into a byte; the negative ones stand behind the others, modulo 1024. Chroma adds
// no more than 255 to a channel, and takes no more away.
var fitted = func() (f [1024]uint8) {
	for v := range f[:768] {
		f[v] = uint8(min(v, 255))
	}
	return f
}()
