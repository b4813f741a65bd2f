package detect

import "image"

// sums are a picture's sums of colours over all that lies above and to the left of each corner of a pixel: the sum over any rectangle takes four
// of them. They are modulo 2^32, which is right for rectangles of up to 16 million pixels.
type sums struct {
	width, height int
	data          []uint32 // [height+1, width+1, 3]
}

// load makes the sums of img, whose corner is 0, 0.
func (s *sums) load(img *image.RGBA) {
	s.width, s.height = img.Rect.Dx(), img.Rect.Dy()
	row := 3 * (s.width + 1)
	if n := row * (s.height + 1); cap(s.data) < n {
		s.data = make([]uint32, n)
	} else {
		s.data = s.data[:n]
		clear(s.data[:row])
	}
	for y := range s.height {
		pixels := img.Pix[y*img.Stride:]
		above, here := s.data[y*row:][:row], s.data[(y+1)*row:][:row]
		here[0], here[1], here[2] = 0, 0, 0
		var r, g, b uint32
		for x := range s.width {
			r, g, b = r+uint32(pixels[4*x]), g+uint32(pixels[4*x+1]), b+uint32(pixels[4*x+2])
			here[3*x+3], here[3*x+4], here[3*x+5] = above[3*x+3]+r, above[3*x+4]+g, above[3*x+5]+b
		}
	}
}

// resize writes the part r of the picture into dst [h,w,3], each pixel the mean of those that it touches (PyTorch's adaptive average pooling, which
// its interpolation of the mode area is): of output column i these are the columns floor(i W/w) to ceil((i+1) W/w). Where the part
// is smaller than w x h its pixels are repeated. Values are then (v - 127.5)/128.
func (s *sums) resize(dst []float32, w, h int, r image.Rectangle) {
	row := 3 * (s.width + 1)
	for y := range h {
		top, bottom := r.Min.Y+y*r.Dy()/h, r.Min.Y+((y+1)*r.Dy()+h-1)/h
		above, below := s.data[top*row:][:row], s.data[bottom*row:][:row]
		for x := range w {
			left, right := r.Min.X+x*r.Dx()/w, r.Min.X+((x+1)*r.Dx()+w-1)/w
			n := float32((bottom - top) * (right - left))
			out := dst[3*(y*w+x):][:3]
			for c := range out {
				sum := below[3*right+c] - below[3*left+c] - above[3*right+c] + above[3*left+c]
				out[c] = (float32(sum)/n - 127.5) * 0.0078125
			}
		}
	}
}
