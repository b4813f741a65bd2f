package embed

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"math/rand/v2"
	"testing"
)

// Every colour there is becomes what package color makes of it.
func TestEveryYCbCr(t *testing.T) {
	for cb := range 256 {
		for cr := range 256 {
			c := newChroma(uint8(cb), uint8(cr))
			for y := range 256 {
				r, g, b := color.YCbCrToRGB(uint8(y), uint8(cb), uint8(cr))
				if want := 0xff<<24 | uint32(b)<<16 | uint32(g)<<8 | uint32(r); rgb(uint8(y), c) != want {
					t.Fatalf("Y %d, Cb %d, Cr %d: %08x, want %08x", y, cb, cr, rgb(uint8(y), c), want)
				}
			}
		}
	}
}

// Images of every layout, and parts of them that begin and end anywhere, become what package draw makes of them.
func TestDrawYCbCr(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for ratio := image.YCbCrSubsampleRatio444; ratio <= image.YCbCrSubsampleRatio410; ratio++ {
		whole := image.NewYCbCr(image.Rect(0, 0, 23, 19), ratio)
		for _, plane := range [][]byte{whole.Y, whole.Cb, whole.Cr} {
			for i := range plane {
				plane[i] = byte(rng.Uint32())
			}
		}
		for range 200 {
			x, y := rng.IntN(23), rng.IntN(19)
			src := whole.SubImage(image.Rect(x, y, x+1+rng.IntN(23-x), y+1+rng.IntN(19-y))).(*image.YCbCr)
			got := image.NewNRGBA(image.Rect(0, 0, src.Rect.Dx(), src.Rect.Dy()))
			want := image.NewRGBA(got.Rect)
			draw.Draw(want, want.Rect, src, src.Rect.Min, draw.Src)
			drawYCbCr(got, src)
			if !bytes.Equal(got.Pix, want.Pix) {
				t.Fatalf("%v, part %v: other colours than package draw's", ratio, src.Rect)
			}
		}
	}
}

func BenchmarkDrawYCbCr(b *testing.B) {
	src := image.NewYCbCr(image.Rect(0, 0, 112, 112), image.YCbCrSubsampleRatio420)
	dst := image.NewNRGBA(src.Rect)
	for b.Loop() {
		drawYCbCr(dst, src)
	}
}
