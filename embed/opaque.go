package embed

import (
	"encoding/binary"
	"image"
)

// opaque returns img as 8-bit RGB on black, at the origin. An *image.NRGBA
// without transparency is returned as a view of itself.
func opaque(img image.Image) *image.NRGBA {
	b := img.Bounds()
	if src, ok := img.(*image.NRGBA); ok && isOpaque(src) {
		return &image.NRGBA{
			Pix:    src.Pix[src.PixOffset(b.Min.X, b.Min.Y):],
			Stride: src.Stride, Rect: image.Rect(0, 0, b.Dx(), b.Dy()),
		}
	}
	dst := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	drawOpaque(dst, img)
	return dst
}

// drawOpaque draws img over dst, which has its size and begins at the origin, as 8-bit RGB on black.
func drawOpaque(dst *image.NRGBA, img image.Image) {
	if src, ok := img.(*image.YCbCr); ok { // which is how most JPEG files are decoded
		drawYCbCr(dst, src)
		return
	}
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	solid, _ := img.(*image.NRGBA)
	if solid != nil && !isOpaque(solid) {
		solid = nil
	}
	for y := range h {
		row := dst.Pix[y*dst.Stride:][:4*w]
		if solid != nil {
			copy(row, solid.Pix[solid.PixOffset(b.Min.X, b.Min.Y+y):])
			continue
		}
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
}

// isOpaque is the method Opaque of img, five times as fast: each of a batch's images is asked.
func isOpaque(img *image.NRGBA) bool {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	for y := range h {
		row := img.Pix[y*img.Stride:][:4*w]
		all := ^uint64(0)
		for len(row) >= 16 {
			all &= binary.LittleEndian.Uint64(row) & binary.LittleEndian.Uint64(row[8:])
			row = row[16:]
		}
		for len(row) >= 4 {
			all &= uint64(binary.LittleEndian.Uint32(row)) | 0xff<<56
			row = row[4:]
		}
		if all&(0xff<<24|0xff<<56) != 0xff<<24|0xff<<56 {
			return false
		}
	}
	return true
}

// mirrored writes the mirror image of src, [height, width, 3], into dst.
func mirrored(dst, src []float32, height, width int) {
	for y := range height {
		for x := range width {
			copy(dst[3*(y*width+x):][:3], src[3*(y*width+width-1-x):][:3])
		}
	}
}
