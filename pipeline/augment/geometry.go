package augment

import (
	"encoding/binary"
	"image"
	"math"
	"math/rand/v2"

	"github.com/disintegration/imaging"
)

// maxAngle is the most that rotate turns an image, in degrees: aligned faces are
// upright to within a few.
const maxAngle = 10

// flip mirrors left to right. It draws nothing.
func flip(_ *rand.Rand, img *image.NRGBA) *image.NRGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	dst := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		in := img.Pix[y*img.Stride:][:4*w]
		out := dst.Pix[y*dst.Stride:][:4*w]
		// A pixel at a time: it is the busiest transform, and imaging.FlipH, which goes
		// through a scanner and starts goroutines, takes three times as long.
		for len(in) >= 4 && len(out) >= 4 {
			binary.LittleEndian.PutUint32(out[len(out)-4:], binary.LittleEndian.Uint32(in))
			in, out = in[4:], out[:len(out)-4]
		}
	}
	return dst
}

// shift moves the image by whole pixels, each of right and down uniform in -ShiftBy ... ShiftBy. That is the same as
// padding with ShiftBy black pixels on all sides and taking a random crop of the old size.
func (s Settings) shift(rng *rand.Rand, img *image.NRGBA) *image.NRGBA {
	return move(img, rng.IntN(2*s.ShiftBy+1)-s.ShiftBy, rng.IntN(2*s.ShiftBy+1)-s.ShiftBy)
}

// move returns the image moved right by dx and down by dy pixels.
func move(img *image.NRGBA, dx, dy int) *image.NRGBA {
	return keep(img, img.Rect.Intersect(img.Rect.Sub(image.Pt(dx, dy))), image.Pt(dx, dy))
}

// keep returns a black image with the part r of img moved by d. r and r moved by d lie in the image.
func keep(img *image.NRGBA, r image.Rectangle, d image.Point) *image.NRGBA {
	dst := blackImage(img.Rect.Dx(), img.Rect.Dy())
	for y := r.Min.Y; y < r.Max.Y; y++ {
		copy(dst.Pix[dst.PixOffset(r.Min.X+d.X, y+d.Y):], img.Pix[img.PixOffset(r.Min.X, y):][:4*r.Dx()])
	}
	return dst
}

// rotate turns the image about its centre by an angle uniform in
// -maxAngle ... maxAngle degrees, with bilinear interpolation.
func rotate(rng *rand.Rand, img *image.NRGBA) *image.NRGBA {
	turned := imaging.Rotate(img, uniform(rng, -maxAngle, maxAngle), black)
	// The turned image is larger than img in general, and smaller across a very oblong one.
	return imaging.PasteCenter(blackImage(img.Rect.Dx(), img.Rect.Dy()), turned)
}

// randomCrop keeps a random rectangle where it is and blackens the rest: the random
// resized crop of classification without the resizing, which would undo the alignment (Kim et al., AdaFace,
// 2022). The rectangle has 20 to 100 % of the area, uniformly, an aspect ratio of 3/4
// to 4/3, uniformly in its logarithm, and lies anywhere. A rectangle that does not fit is drawn again;
// after ten the image stays whole.
func randomCrop(rng *rand.Rand, img *image.NRGBA) *image.NRGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	logRatio := math.Log(4.0 / 3)
	for range 10 {
		area := uniform(rng, 0.2, 1) * float64(w*h)
		ratio := math.Exp(uniform(rng, -logRatio, logRatio))
		cw, ch := int(math.Round(math.Sqrt(area*ratio))), int(math.Round(math.Sqrt(area/ratio)))
		if cw >= 1 && ch >= 1 && cw <= w && ch <= h {
			x, y := rng.IntN(w-cw+1), rng.IntN(h-ch+1)
			return keep(img, image.Rect(x, y, x+cw, y+ch), image.Point{})
		}
	}
	return img
}
