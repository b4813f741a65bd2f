package embed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strings"

	"github.com/disintegration/imaging"
)

// Ways to bring an image of another shape to a contract's size.
const (
	FitCrop    = "crop"    // scale until both sides cover the size, keep the centre
	FitStretch = "stretch" // scale each side by itself; faces change their proportions
	FitPad     = "pad"     // scale until both sides fit in, centre, black around
)

// Ways to use an image's mirror image in its embedding.
const (
	FlipNone   = "none"   // f(x)
	FlipSum    = "sum"    // f(x) + f(mirrored x)
	FlipConcat = "concat" // [f(x), f(mirrored x)], twice as long
)

// Orders of the three channels.
const (
	ColorRGB = "rgb"
	ColorBGR = "bgr"
)

// maxSide bounds Height and Width: a model file that asks for more is hostile or damaged.
const maxSide = 4096

// Contract says how an image becomes a network's input and the network's
// output an embedding. It is stored in the model file, and everything that
// feeds the network obeys it: nothing is guessed.
//
// Channel c of a pixel of value v in 0 ... 255 becomes (v - Mean[c]) / Std[c].
type Contract struct {
	Height int `json:"height"` // of the input, in pixels
	Width  int `json:"width"`

	// Color is the order of the channels: ColorRGB or ColorBGR.
	Color string `json:"color"`
	// Mean and Std are in units of 0 ... 255, in the order that Color says.
	Mean [3]float32 `json:"mean"`
	Std  [3]float32 `json:"std"`

	// Fit says what becomes of an image of another shape: FitCrop,
	// FitStretch or FitPad.
	Fit string `json:"fit"`
	// Align names the landmark template that faces were aligned to before
	// training; "none" says that they were taken as they came.
	Align string `json:"align"`
	// Flip is FlipNone, FlipSum or FlipConcat. It concerns embeddings, not
	// training.
	Flip string `json:"flip"`
}

// DefaultContract returns the contract that training starts from: RGB,
// (v - 127.5) / 127.5, so that values lie in [-1, 1], crop, no alignment, and embeddings summed
// with those of the mirror image.
func DefaultContract(height, width int) Contract {
	const half = 127.5
	return Contract{
		Height: height, Width: width,
		Color: ColorRGB,
		Mean:  [3]float32{half, half, half}, Std: [3]float32{half, half, half},
		Fit: FitCrop, Align: "none", Flip: FlipSum,
	}
}

// Validate returns an error that names every field that is out of range and
// what would be right, or nil.
func (c Contract) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("preprocessing contract: "+format, args...))
	}
	side := func(field string, v int) {
		if v < 1 || v > maxSide {
			bad("%s is %d; want 1 to %d pixels", field, v, maxSide)
		}
	}
	word := func(field, v string, allowed ...string) {
		if !slices.Contains(allowed, v) {
			bad("%s is %q; want %s", field, v, strings.Join(allowed, ", "))
		}
	}
	side("height", c.Height)
	side("width", c.Width)
	word("color", c.Color, ColorRGB, ColorBGR)
	word("fit", c.Fit, FitCrop, FitStretch, FitPad)
	word("flip", c.Flip, FlipNone, FlipSum, FlipConcat)
	if c.Align == "" {
		bad(`align is empty; want "none" or the name of a template`)
	}
	for i := range 3 {
		if m := float64(c.Mean[i]); math.IsNaN(m) || math.Abs(m) > 1e6 {
			bad("mean[%d] is %v; want a number in units of 0 to 255", i, m)
		}
		if s := float64(c.Std[i]); !(s > 0 && s <= 1e6) {
			bad("std[%d] is %v; want a positive number in units of 0 to 255", i, s)
		}
	}
	return errors.Join(errs...)
}

// Len returns Height * Width * 3, the number of floats of an input image.
func (c Contract) Len() int { return c.Height * c.Width * 3 }

// Dim returns the length of the embedding that a network with the given
// output size gives under the contract's flip rule.
func (c Contract) Dim(output int) int {
	if c.Flip == FlipConcat {
		return 2 * output
	}
	return output
}

// Resize returns img as an opaque 8-bit RGB image of the contract's size: an
// image of another shape is fitted as c.Fit says; grey, CMYK and 16-bit colours are converted;
// what is transparent is drawn on black. An image that has the size already
// keeps its values. The result may share memory with img. It panics if img has no pixels.
func (c Contract) Resize(img image.Image) *image.NRGBA {
	b := img.Bounds()
	if b.Empty() {
		panic("embed: an image without pixels")
	}
	if c.fits(b) {
		return opaque(img)
	}
	// Catmull-Rom, widened when an image shrinks so that nothing aliases: nearly as sharp as
	// Lanczos, with less ringing at the edges of a face.
	filter := imaging.CatmullRom
	src := opaque(img)
	switch c.Fit {
	case FitStretch:
		if b.Dx() < c.Width && b.Dy() > c.Height {
			// Imaging scales widths first, which would make a strip of an image large.
			src = imaging.Resize(src, b.Dx(), c.Height, filter)
		}
		return imaging.Resize(src, c.Width, c.Height, filter)
	case FitPad:
		w, h := c.Width, max(1, (b.Dy()*c.Width+b.Dx()/2)/b.Dx())
		if h > c.Height {
			w, h = max(1, (b.Dx()*c.Height+b.Dy()/2)/b.Dy()), c.Height
		}
		canvas := imaging.New(c.Width, c.Height, color.NRGBA{A: 255})
		return imaging.PasteCenter(canvas, imaging.Resize(src, w, h, filter))
	default:
		// Cut first and scale then: scaled whole, a strip of an image would not fit in memory.
		w, h := b.Dx(), max(1, (b.Dx()*c.Height+c.Width/2)/c.Width)
		if h > b.Dy() {
			w, h = max(1, (b.Dy()*c.Width+c.Height/2)/c.Height), b.Dy()
		}
		return imaging.Resize(imaging.CropCenter(src, w, h), c.Width, c.Height, filter)
	}
}

func (c Contract) fits(b image.Rectangle) bool { return b.Dx() == c.Width && b.Dy() == c.Height }

// ResizeInto is Resize, with a result that never shares memory with img: it is dst, overwritten, where img has the
// contract's size, and a new image where not. dst must have that size too, and begin at (0, 0); ResizeInto panics where it does not.
func (c Contract) ResizeInto(dst *image.NRGBA, img image.Image) *image.NRGBA {
	if dst.Rect != image.Rect(0, 0, c.Width, c.Height) {
		panic(fmt.Sprintf("embed: ResizeInto an image of %v; want %dx%d pixels from (0,0)", dst.Rect, c.Width, c.Height))
	}
	if !c.fits(img.Bounds()) {
		return c.Resize(img)
	}
	drawOpaque(dst, img)
	return dst
}

// Pixels writes img into dst, [Height, Width, 3] in row-major order:
// Resize and then (v - Mean) / Std. It panics unless len(dst) is c.Len().
func (c Contract) Pixels(dst []float32, img image.Image) {
	if len(dst) != c.Len() {
		panic(fmt.Sprintf("embed: Pixels into %d floats; want %d", len(dst), c.Len()))
	}
	src := c.Resize(img)
	// One table a channel: a pixel then costs a load instead of a subtraction
	// and a division, and its value does not depend on how they are rounded together.
	var table [3][256]float32
	for i := range table {
		for v := range table[i] {
			table[i][v] = (float32(v) - c.Mean[i]) / c.Std[i]
		}
	}
	bgr := c.Color == ColorBGR
	for y := range c.Height {
		row := src.Pix[y*src.Stride:][:4*c.Width]
		out := dst[3*y*c.Width:][:3*c.Width]
		for len(out) >= 6 && len(row) >= 8 { // two pixels at a time, which is faster than one
			p := ordered(binary.LittleEndian.Uint64(row), bgr)
			out[0] = table[0][uint8(p)]
			out[1] = table[1][uint8(p>>8)]
			out[2] = table[2][uint8(p>>16)]
			out[3] = table[0][uint8(p>>32)]
			out[4] = table[1][uint8(p>>40)]
			out[5] = table[2][uint8(p>>48)]
			out, row = out[6:], row[8:]
		}
		if len(out) >= 3 && len(row) >= 4 {
			p := ordered(uint64(binary.LittleEndian.Uint32(row)), bgr)
			out[0] = table[0][uint8(p)]
			out[1] = table[1][uint8(p>>8)]
			out[2] = table[2][uint8(p>>16)]
		}
	}
}

// ordered returns two pixels with their first and third bytes changed for each other if bgr.
func ordered(p uint64, bgr bool) uint64 {
	if !bgr {
		return p
	}
	const first = 0xff | 0xff<<32
	return p&^(first|first<<16) | p>>16&first | p&first<<16
}
