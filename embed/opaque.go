package embed

import (
	"image"
	"image/draw"
)

// opaque returns img as 8-bit RGB on black, at the origin. An *image.NRGBA
// without transparency is returned as a view of itself.
func opaque(img image.Image) *image.NRGBA {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	if src, ok := img.(*image.NRGBA); ok && src.Opaque() {
		return &image.NRGBA{
			Pix:    src.Pix[src.PixOffset(b.Min.X, b.Min.Y):],
			Stride: src.Stride, Rect: image.Rect(0, 0, w, h),
		}
	}
	dst := image.NewNRGBA(image.Rect(0, 0, w, h))
	if src, ok := img.(*image.YCbCr); ok { // which is how most JPEG files are decoded
		// Opaque pixels are the same bytes premultiplied or not.
		draw.Draw((*image.RGBA)(dst), dst.Rect, src, b.Min, draw.Src)
		return dst
	}
	for y := range h {
		row := dst.Pix[y*dst.Stride:][:4*w]
		switch src := img.(type) {
		case *image.RGBA: // premultiplied: already on black
			copy(row, src.Pix[src.PixOffset(b.Min.X, b.Min.Y+y):])
			for x := 3; x < len(row); x += 4 {
				row[x] = 255
			}
		case *image.Gray:
			for x, v := range src.Pix[src.PixOffset(b.Min.X, b.Min.Y+y):][:w] {
				p := row[4*x:][:4]
				p[0], p[1], p[2], p[3] = v, v, v, 255
			}
		default:
			for x := range w {
				// RGBA is premultiplied, in 16 bits; the high byte is
				// what every 8-bit type would have given.
				r, g, b, _ := img.At(b.Min.X+x, b.Min.Y+y).RGBA()
				p := row[4*x:][:4]
				p[0], p[1], p[2], p[3] = byte(r>>8), byte(g>>8), byte(b>>8), 255
			}
		}
	}
	return dst
}

// mirrored writes the mirror image of src, [height, width, 3], into dst.
func mirrored(dst, src []float32, height, width int) {
	for y := range height {
		for x := range width {
			copy(dst[3*(y*width+x):][:3], src[3*(y*width+width-1-x):][:3])
		}
	}
}
