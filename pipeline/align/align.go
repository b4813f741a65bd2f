// Package align makes aligned crops of photographs: the similarity transform that brings five landmarks nearest to a template's, and
// the picture under it.
package align

import (
	"errors"
	"image"
	"math"

	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"
)

// Point is a place in an image, in pixels; whole numbers are the centres of pixels, as in OpenCV.
type Point struct{ X, Y float64 }

// Landmarks are the left and the right eye, the tip of the nose, the left and the right corner of the mouth, as seen in the image.
type Landmarks [5]Point

// Template is where the landmarks are to come to lie.
type Template struct {
	Name          string
	Height, Width int
	Landmarks     Landmarks
}

// Templates are those that public models were trained with: InsightFace's of 112x112, and the same for SphereFace's 112x96 (height x width).
var Templates = []Template{
	{"112x112", 112, 112, Landmarks{{38.2946, 51.6963}, {73.5318, 51.5014}, {56.0252, 71.7366}, {41.5493, 92.3655}, {70.7299, 92.2041}}},
	{"112x96", 112, 96, Landmarks{{30.2946, 51.6963}, {65.5318, 51.5014}, {48.0252, 71.7366}, {33.5493, 92.3655}, {62.7299, 92.2041}}},
}

// Similarity maps (x, y) to (A x - B y + X, B x + A y + Y): a rotation and scaling, and a shift.
type Similarity struct{ A, B, X, Y float64 }

// Apply returns where p comes to lie.
func (s Similarity) Apply(p Point) Point {
	return Point{s.A*p.X - s.B*p.Y + s.X, s.B*p.X + s.A*p.Y + s.Y}
}

// Scale returns by how much distances grow.
func (s Similarity) Scale() float64 { return math.Hypot(s.A, s.B) }

// Fit returns the similarity that minimises Σ |s(from) - to|² (Umeyama 1991; without reflections). With the means removed and points as
// complex numbers p and q it is the regression of q on p:
//
//	A + iB = Σ q conj(p) / Σ |p|²
//
// Points that are all the same, or not finite, are an error.
func Fit(from, to Landmarks) (Similarity, error) {
	var p0, q0 Point
	for i := range from {
		p0.X, p0.Y = p0.X+from[i].X/5, p0.Y+from[i].Y/5
		q0.X, q0.Y = q0.X+to[i].X/5, q0.Y+to[i].Y/5
	}
	var re, im, size float64
	for i := range from {
		px, py := from[i].X-p0.X, from[i].Y-p0.Y
		qx, qy := to[i].X-q0.X, to[i].Y-q0.Y
		re += qx*px + qy*py
		im += qy*px - qx*py
		size += px*px + py*py
	}
	if math.IsNaN(re+im) || math.IsInf(size, 0) {
		return Similarity{}, errors.New("landmarks that are not finite")
	}
	s := Similarity{A: re / size, B: im / size}
	if size < 1e-6 || s.Scale() < 1e-6 {
		return Similarity{}, errors.New("landmarks that are one point, or no face's")
	}
	s.X, s.Y = q0.X-s.A*p0.X+s.B*p0.Y, q0.Y-s.B*p0.X-s.A*p0.Y
	return s, nil
}

// Residual returns the root mean square distance, in pixels of the template, between the landmarks under s and the template's: a face from the side, or
// landmarks of something else, fit badly.
func (t *Template) Residual(s Similarity, from Landmarks) float64 {
	var sum float64
	for i, p := range from {
		q := s.Apply(p)
		dx, dy := q.X-t.Landmarks[i].X, q.Y-t.Landmarks[i].Y
		sum += dx*dx + dy*dy
	}
	return math.Sqrt(sum / 5)
}

// Side returns how many pixels of the photograph the crop's height spans under s: below Height the crop is enlarged.
func (t *Template) Side(s Similarity) float64 { return float64(t.Height) / s.Scale() }

// Profile reports whether the tip of the nose lies outside the eyes: seen along the line through them it comes before the one or after the other. So it
// does in a face from the side.
func (l *Landmarks) Profile() bool {
	left, right, nose := l[0], l[1], l[2]
	ex, ey := right.X-left.X, right.Y-left.Y
	along := (nose.X-left.X)*ex + (nose.Y-left.Y)*ey
	return !(along >= 0 && along <= ex*ex+ey*ey)
}

// Crop returns the picture under s, with bilinear interpolation; where it is made smaller, each pixel is the mean of those that it
// covers. What lies outside img is black.
func (t *Template) Crop(img image.Image, s Similarity) *image.NRGBA {
	dst := image.NewNRGBA(image.Rect(0, 0, t.Width, t.Height))
	draw.Draw(dst, dst.Rect, image.Black, image.Point{}, draw.Src)
	// Package draw has the centres of pixels at halves, and an image's own corner at 0.
	origin := img.Bounds().Min
	at := s.Apply(Point{-0.5 - float64(origin.X), -0.5 - float64(origin.Y)})
	draw.BiLinear.Transform(dst, f64.Aff3{s.A, -s.B, at.X + 0.5, s.B, s.A, at.Y + 0.5}, img, img.Bounds(), draw.Over, nil)
	return dst
}
