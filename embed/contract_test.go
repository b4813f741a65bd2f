package embed

import (
	"encoding/json"
	"image"
	"image/color"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

// plain returns a contract under which Pixels gives values of 0 ... 255.
func plain(height, width int, fit string) Contract {
	c := DefaultContract(height, width)
	c.Mean, c.Std, c.Fit = [3]float32{}, [3]float32{1, 1, 1}, fit
	return c
}

// columns returns an image whose columns have the given greys.
func columns(height int, greys ...uint8) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, len(greys), height))
	for y := range height {
		for x, v := range greys {
			img.SetNRGBA(x, y, color.NRGBA{v, v, v, 255})
		}
	}
	return img
}

// transposed swaps the axes.
func transposed(src *image.NRGBA) *image.NRGBA {
	dst := image.NewNRGBA(image.Rect(0, 0, src.Rect.Dy(), src.Rect.Dx()))
	for y := range src.Rect.Dy() {
		for x := range src.Rect.Dx() {
			dst.SetNRGBA(y, x, src.NRGBAAt(x, y))
		}
	}
	return dst
}

// greens returns the middle channel of a fitted image.
func greens(c Contract, img image.Image) []int {
	dst := make([]float32, c.Len())
	c.Pixels(dst, img)
	var g []int
	for i := 1; i < len(dst); i += 3 {
		g = append(g, int(dst[i]))
	}
	return g
}

// The values are worked out by hand. Halving 200,200,0,0 with Catmull-Rom
// stretched to twice its width weighs the four columns, from the left pixel's
// centre, with k(.25), k(.25), k(.75), k(1.25) = .8671875 .8671875 .2265625
// -.0703125, whose first two are .917355 of the sum: 200 becomes 183 and 17.
func TestFit(t *testing.T) {
	tests := []struct {
		name string
		c    Contract
		img  *image.NRGBA
		want []int
	}{
		{"same size", plain(1, 3, FitCrop), columns(1, 10, 20, 30), []int{10, 20, 30}},
		{"crop wide", plain(2, 2, FitCrop), columns(2, 10, 20, 30, 40), []int{20, 30, 20, 30}},
		{"crop odd", plain(1, 3, FitCrop), columns(1, 10, 20, 30, 40, 50), []int{20, 30, 40}},
		{"crop tall", plain(2, 2, FitCrop), transposed(columns(2, 10, 20, 30, 40)), []int{20, 20, 30, 30}},
		{"pad wide", plain(4, 2, FitPad), columns(2, 10, 20), []int{0, 0, 10, 20, 10, 20, 0, 0}},
		{"pad tall", plain(2, 4, FitPad), columns(2, 10, 20), []int{0, 10, 20, 0, 0, 10, 20, 0}},
		{"pad odd", plain(2, 5, FitPad), columns(2, 10, 20), []int{0, 10, 20, 0, 0, 0, 10, 20, 0, 0}},
		{"stretch", plain(2, 2, FitStretch), columns(2, 200, 200, 0, 0), []int{183, 17, 183, 17}},
		{"stretch one pixel", plain(2, 3, FitStretch), columns(1, 7), []int{7, 7, 7, 7, 7, 7}},
		{"crop one pixel", plain(2, 3, FitCrop), columns(1, 7), []int{7, 7, 7, 7, 7, 7}},
		{"pad line", plain(1, 1, FitPad), columns(1000, 9), []int{9}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := greens(tt.c, tt.img)
			for i := range tt.want {
				if got[i] != tt.want[i] {
					t.Fatalf("got %v, want %v", got, tt.want)
				}
			}
		})
	}
}

// Every shape of every fit gives an image of the contract's size.
func TestResizeSize(t *testing.T) {
	for _, fit := range []string{FitCrop, FitStretch, FitPad} {
		for _, side := range [][2]int{{1, 1}, {1, 700}, {700, 1}, {111, 113}, {250, 250}, {33, 17}} {
			c := DefaultContract(48, 32)
			c.Fit = fit
			img := c.Resize(image.NewNRGBA(image.Rect(-5, 3, side[0]-5, side[1]+3)))
			if img.Rect != image.Rect(0, 0, 32, 48) || !img.Opaque() {
				t.Errorf("%s of %v: %v, opaque %v", fit, side, img.Rect, img.Opaque())
			}
		}
	}
}

func TestNormalisation(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	img.SetNRGBA(0, 0, color.NRGBA{10, 20, 30, 255})
	c := DefaultContract(1, 1)
	c.Mean, c.Std = [3]float32{1, 2, 3}, [3]float32{3, 6, 9}
	dst := make([]float32, 3)
	c.Pixels(dst, img)
	if dst[0] != 3 || dst[1] != 3 || dst[2] != 3 {
		t.Errorf("rgb: %v", dst)
	}
	c.Color = ColorBGR // mean and std follow the order: (30-1)/3, (20-2)/6, (10-3)/9
	c.Pixels(dst, img)
	if dst[0] != float32(29)/3 || dst[1] != 3 || dst[2] != float32(7)/9 {
		t.Errorf("bgr: %v", dst)
	}
}

// Each way of storing an image gives what image/color makes of its pixels, on
// black, also for a part of a larger image.
func TestOpaque(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	fill := func(b []byte) {
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
	}
	r := image.Rect(0, 0, 9, 7)
	nrgba, rgba, gray, gray16 := image.NewNRGBA(r), image.NewRGBA(r), image.NewGray(r), image.NewGray16(r)
	cmyk, deep := image.NewCMYK(r), image.NewNRGBA64(r)
	ycc := image.NewYCbCr(r, image.YCbCrSubsampleRatio420)
	for _, b := range [][]byte{nrgba.Pix, gray.Pix, gray16.Pix, cmyk.Pix, deep.Pix, ycc.Y, ycc.Cb, ycc.Cr} {
		fill(b)
	}
	for i := range rgba.Pix { // premultiplied: no channel above alpha
		rgba.Pix[i] = byte(100 + rng.IntN(50))
		if i%4 == 3 {
			rgba.Pix[i] = 200
		}
	}
	solid := image.NewNRGBA(r)
	fill(solid.Pix)
	for i := 3; i < len(solid.Pix); i += 4 {
		solid.Pix[i] = 255
	}
	part := image.Rect(2, 1, 7, 6)
	for _, img := range []image.Image{
		nrgba, solid, rgba, gray, gray16, cmyk, deep, ycc,
		nrgba.SubImage(part), solid.SubImage(part), rgba.SubImage(part), gray.SubImage(part), ycc.SubImage(part),
		image.NewUniform(color.NRGBA{1, 2, 3, 255}),
	} {
		if _, ok := img.(*image.Uniform); ok {
			img = &cropped{img, part}
		}
		b := img.Bounds()
		got := opaque(img)
		if got.Rect != image.Rect(0, 0, b.Dx(), b.Dy()) {
			t.Fatalf("%T: bounds %v", img, got.Rect)
		}
		for y := range b.Dy() {
			for x := range b.Dx() {
				r, g, bl, _ := img.At(b.Min.X+x, b.Min.Y+y).RGBA()
				want := color.NRGBA{byte(r >> 8), byte(g >> 8), byte(bl >> 8), 255}
				if got.NRGBAAt(x, y) != want {
					t.Fatalf("%T at %d,%d: %v, want %v", img, x, y, got.NRGBAAt(x, y), want)
				}
			}
		}
	}
}

// ResizeInto gives what Resize gives, over anything, and never a view of what it got.
func TestResizeInto(t *testing.T) {
	c := DefaultContract(5, 7)
	dst := image.NewNRGBA(image.Rect(0, 0, 7, 5))
	for _, r := range []image.Rectangle{image.Rect(0, 0, 7, 5), image.Rect(3, 2, 10, 7), image.Rect(0, 0, 20, 11)} {
		solid, clear, ycc := image.NewNRGBA(r), image.NewNRGBA(r), image.NewYCbCr(r, image.YCbCrSubsampleRatio420)
		for i := range solid.Pix {
			solid.Pix[i], clear.Pix[i] = byte(13*i)|255*byte(i%4/3), byte(13*i)
		}
		for i := range ycc.Y {
			ycc.Y[i] = byte(11 * i)
		}
		for _, img := range []image.Image{solid, clear, ycc} {
			for i := range dst.Pix {
				dst.Pix[i] = 77
			}
			want := c.Resize(img)
			got := c.ResizeInto(dst, img)
			for y := range 5 {
				for x := range 7 {
					if got.NRGBAAt(x, y) != want.NRGBAAt(x, y) {
						t.Fatalf("%T of %v at %d,%d: %v, want %v", img, r, x, y, got.NRGBAAt(x, y), want.NRGBAAt(x, y))
					}
				}
			}
			if (got == dst) != (r.Dx() == 7) {
				t.Errorf("%T of %v: in the given image is %v", img, r, got == dst)
			}
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic where the image is of another size")
		}
	}()
	c.ResizeInto(image.NewNRGBA(image.Rect(0, 0, 5, 7)), dst)
}

// cropped is an image type that this package knows nothing of.
type cropped struct {
	image.Image
	r image.Rectangle
}

func (c *cropped) Bounds() image.Rectangle { return c.r }

func TestMirrored(t *testing.T) {
	src := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9 /**/, 10, 11, 12, 13, 14, 15, 16, 17, 18}
	want := []float32{7, 8, 9, 4, 5, 6, 1, 2, 3 /**/, 16, 17, 18, 13, 14, 15, 10, 11, 12}
	dst := make([]float32, len(src))
	mirrored(dst, src, 2, 3)
	for i := range want {
		if dst[i] != want[i] {
			t.Fatalf("got %v", dst)
		}
	}
}

func TestContractValidate(t *testing.T) {
	if err := DefaultContract(112, 96).Validate(); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*Contract){
		"height is 0":               func(c *Contract) { c.Height = 0 },
		"width is 99999":            func(c *Contract) { c.Width = 99999 },
		`color is "grey"; want rgb`: func(c *Contract) { c.Color = "grey" },
		"mean[1] is NaN":            func(c *Contract) { c.Mean[1] = nan() },
		"std[2] is 0":               func(c *Contract) { c.Std[2] = 0 },
		"std[0] is NaN":             func(c *Contract) { c.Std[0] = nan() },
		`fit is ""; want crop`:      func(c *Contract) { c.Fit = "" },
		"align is empty":            func(c *Contract) { c.Align = "" },
		`flip is "x"`:               func(c *Contract) { c.Flip = "x" },
	} {
		c := DefaultContract(112, 112)
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
	// The keys are part of the file format.
	b, _ := json.Marshal(DefaultContract(112, 96))
	want := `{"height":112,"width":96,"color":"rgb","mean":[127.5,127.5,127.5],"std":[127.5,127.5,127.5],"fit":"crop","align":"none","flip":"sum"}`
	if string(b) != want {
		t.Errorf("JSON is %s", b)
	}
}

func nan() float32 { var zero float32; return zero / zero }

func BenchmarkPixels(b *testing.B) {
	c := DefaultContract(112, 112)
	img := image.NewYCbCr(image.Rect(0, 0, 112, 112), image.YCbCrSubsampleRatio420)
	dst := make([]float32, c.Len())
	for b.Loop() {
		c.Pixels(dst, img)
	}
}

// A strip of an image costs no more memory than another: what is cut off is not scaled first.
func TestResizeOfStrips(t *testing.T) {
	for _, size := range []image.Point{{1, 200_000}, {200_000, 1}, {1, 1}, {3, 2}} {
		for _, fit := range []string{FitCrop, FitStretch, FitPad} {
			c := DefaultContract(112, 96)
			c.Fit = fit
			img := image.NewGray(image.Rectangle{Max: size})
			for i := range img.Pix {
				img.Pix[i] = 200
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			small := c.Resize(img)
			runtime.ReadMemStats(&after)
			bytes := after.TotalAlloc - before.TotalAlloc
			if small.Rect.Dx() != 96 || small.Rect.Dy() != 112 {
				t.Fatalf("%v with %s has become %v", size, fit, small.Rect)
			}
			if v := small.NRGBAAt(48, 56); v.R != 200 || v.A != 255 {
				t.Errorf("%v with %s: the centre is %v", size, fit, v)
			}
			if bytes > 16<<20 {
				t.Errorf("%v with %s takes %d MiB", size, fit, bytes>>20)
			}
		}
	}
}
