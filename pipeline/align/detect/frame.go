package detect

import (
	"image"
	"math"

	"golang.org/x/image/draw"
)

// frame is a photograph as a detector reads it.
type frame struct {
	img            *image.RGBA // its corner is 0, 0; opaque
	scaleX, scaleY float64     // pixels of img for one of the photograph: at most 1
}

// fit returns img, made smaller if it is larger than size. Where it is made smaller, each pixel is the weighted mean of those that it covers.
func fit(img image.Image, size image.Point) frame {
	b := img.Bounds()
	s := min(1, float64(size.X)/float64(b.Dx()), float64(size.Y)/float64(b.Dy()))
	w, h := max(1, int(math.Round(s*float64(b.Dx())))), max(1, int(math.Round(s*float64(b.Dy()))))
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(dst, dst.Rect, image.Black, image.Point{}, draw.Src) // what shows through is black, as in crops
	if s == 1 {
		draw.Draw(dst, dst.Rect, img, b.Min, draw.Over)
	} else {
		draw.BiLinear.Scale(dst, dst.Rect, img, b, draw.Over, nil)
	}
	return frame{dst, float64(w) / float64(b.Dx()), float64(h) / float64(b.Dy())}
}

// x returns the photograph's coordinate of one of the frame; both count from the centre of the first pixel.
func (f frame) x(v float64) float64 { return (v+0.5)/f.scaleX - 0.5 }

func (f frame) y(v float64) float64 { return (v+0.5)/f.scaleY - 0.5 }

// scaling says how colours become a network's input.
type scaling struct {
	bgr  bool
	mean [3]float32 // in the order of the channels
	std  float32
}

// black returns the values of a black pixel.
func (s scaling) black() (v [3]float32) {
	for i, m := range s.mean {
		v[i] = -m / s.std
	}
	return v
}

// write writes img [H,W,C] into the upper left of dst, an image of so many pixels a row.
func (s scaling) write(dst []float32, width int, img *image.RGBA) {
	first, last := 0, 2
	if s.bgr {
		first, last = 2, 0
	}
	for y := range img.Rect.Dy() {
		row, out := img.Pix[y*img.Stride:][:4*img.Rect.Dx()], dst[3*y*width:]
		for len(row) >= 4 && len(out) >= 3 {
			out[0] = (float32(row[first]) - s.mean[0]) / s.std
			out[1] = (float32(row[1]) - s.mean[1]) / s.std
			out[2] = (float32(row[last]) - s.mean[2]) / s.std
			row, out = row[4:], out[3:]
		}
	}
}
