package augment

import (
	"encoding/binary"
	"image"
	"image/color"
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/disintegration/imaging"
)

// maxAngle is the most that rotate turns an image, in degrees: aligned faces are
// upright to within a few.
const maxAngle = 10

// flip mirrors left to right. It draws nothing.
func flip(m *Memory, _ *rand.Rand, img *image.NRGBA) *image.NRGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	dst := m.image(w, h)
	for y := range h {
		in := img.Pix[y*img.Stride:][:4*w]
		out := dst.Pix[y*dst.Stride:][:4*w]
		// It is the busiest transform, and imaging.FlipH, which goes through a scanner and starts goroutines, takes three times as long
		// as a pixel at a time, as here at the end of a row.
		for len(in) >= 8 && len(out) >= 8 {
			pair := binary.LittleEndian.Uint64(in)
			binary.LittleEndian.PutUint64(out[len(out)-8:], bits.RotateLeft64(pair, 32))
			in, out = in[8:], out[:len(out)-8]
		}
		if len(in) >= 4 && len(out) >= 4 {
			binary.LittleEndian.PutUint32(out, binary.LittleEndian.Uint32(in))
		}
	}
	return dst
}

// shift moves the image by whole pixels, each of right and down uniform in -ShiftBy ... ShiftBy. That is the same as
// padding with ShiftBy black pixels on all sides and taking a random crop of the old size.
func (s Settings) shift(m *Memory, rng *rand.Rand, img *image.NRGBA) *image.NRGBA {
	return move(m, img, rng.IntN(2*s.ShiftBy+1)-s.ShiftBy, rng.IntN(2*s.ShiftBy+1)-s.ShiftBy)
}

// move returns the image moved right by dx and down by dy pixels.
func move(m *Memory, img *image.NRGBA, dx, dy int) *image.NRGBA {
	return keep(m, img, img.Rect.Intersect(img.Rect.Sub(image.Pt(dx, dy))), image.Pt(dx, dy))
}

// keep returns a black image with the part r of img moved by d. r and r moved by d lie in the image.
func keep(m *Memory, img *image.NRGBA, r image.Rectangle, d image.Point) *image.NRGBA {
	dst := m.image(img.Rect.Dx(), img.Rect.Dy())
	blacken(dst.Pix)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		copy(dst.Pix[dst.PixOffset(r.Min.X+d.X, y+d.Y):], img.Pix[img.PixOffset(r.Min.X, y):][:4*r.Dx()])
	}
	return dst
}

// rotate turns the image about its centre by an angle uniform in
// -maxAngle ... maxAngle degrees, with bilinear interpolation.
func rotate(m *Memory, rng *rand.Rand, img *image.NRGBA) *image.NRGBA {
	turned := imaging.Rotate(img, uniform(rng, -maxAngle, maxAngle), black)
	// The turned image is larger than img in general, and smaller across a very oblong one.
	whole := m.image(img.Rect.Dx(), img.Rect.Dy())
	blacken(whole.Pix)
	return imaging.PasteCenter(whole, turned)
}

// black is what a transform uncovers.
var black = color.NRGBA{A: 255}

// blacken makes pixels black and opaque.
func blacken(pix []uint8) {
	n := copy(pix, []uint8{black.R, black.G, black.B, black.A})
	for ; n < len(pix); n *= 2 {
		copy(pix[n:], pix[:n])
	}
}

// randomCrop keeps a random rectangle where it is and blackens the rest: the random
// resized crop of classification without the resizing, which would undo the alignment (Kim et al., AdaFace,
// 2022). The rectangle has 20 to 100 % of the area, uniformly, an aspect ratio of 3/4
// to 4/3, uniformly in its logarithm, and lies anywhere. A rectangle that does not fit is drawn again;
// after ten the image stays whole.
func randomCrop(m *Memory, rng *rand.Rand, img *image.NRGBA) *image.NRGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	logRatio := math.Log(4.0 / 3)
	for range 10 {
		area := uniform(rng, 0.2, 1) * float64(w*h)
		ratio := math.Exp(uniform(rng, -logRatio, logRatio))
		cw, ch := int(math.Round(math.Sqrt(area*ratio))), int(math.Round(math.Sqrt(area/ratio)))
		if cw >= 1 && ch >= 1 && cw <= w && ch <= h {
			x, y := rng.IntN(w-cw+1), rng.IntN(h-ch+1)
			return keep(m, img, image.Rect(x, y, x+cw, y+ch), image.Point{})
		}
	}
	return img
}
