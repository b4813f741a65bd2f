package augment

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/disintegration/imaging"
)

func generator(index int) *rand.Rand { return rand.New(rand.NewPCG(1, uint64(index))) }

// noise returns an opaque image without a black pixel. Its rows are further apart than they need be.
func noise(width, height int) *image.NRGBA {
	rng := generator(99)
	stride := 4*width + 12
	img := &image.NRGBA{Pix: make([]uint8, stride*height), Stride: stride, Rect: image.Rect(0, 0, width, height)}
	for i := range img.Pix {
		img.Pix[i] = uint8(1 + rng.IntN(255))
	}
	for y := range height {
		for x := range width {
			img.Pix[img.PixOffset(x, y)+3] = 255
		}
	}
	return img
}

func constant(width, height int, c color.NRGBA) *image.NRGBA { return imaging.New(width, height, c) }

// pixels returns the pixels of an image without what lies between its rows.
func pixels(img *image.NRGBA) []uint8 { return imaging.Clone(img).Pix }

func same(a, b *image.NRGBA) bool { return a.Rect == b.Rect && bytes.Equal(pixels(a), pixels(b)) }

type transform struct {
	name  string
	apply func(*Memory, *rand.Rand, *image.NRGBA) *image.NRGBA
}

var transforms = []transform{
	{"flip", flip},
	{"shift", Settings{ShiftBy: 6}.shift},
	{"randomCrop", randomCrop},
	{"downscale", downscale},
	{"jitter", jitter},
	{"grey", grey},
	{"rotate", rotate},
}

// What holds for every transform: size, opaqueness, the same again from the same draws, and
// that the image that it gets stays as it is.
func TestTransforms(t *testing.T) {
	for _, size := range []image.Point{{112, 112}, {96, 112}, {5, 3}, {1, 1}, {2, 300}, {300, 2}} {
		img := noise(size.X, size.Y)
		before := bytes.Clone(img.Pix)
		for _, tr := range transforms {
			changed := false
			for i := range 8 {
				out := tr.apply(new(Memory), generator(i), img)
				if out.Rect != img.Rect {
					t.Fatalf("%s of %v has bounds %v", tr.name, size, out.Rect)
				}
				if !out.Opaque() {
					t.Fatalf("%s of %v is not opaque", tr.name, size)
				}
				if !bytes.Equal(img.Pix, before) {
					t.Fatalf("%s of %v writes to its argument", tr.name, size)
				}
				if !same(out, tr.apply(new(Memory), generator(i), img)) {
					t.Fatalf("%s of %v: two results of the same draws", tr.name, size)
				}
				changed = changed || !same(out, img)
			}
			if size.X == 112 && !changed {
				t.Errorf("%s changes nothing", tr.name)
			}
		}
	}
}

func TestFlip(t *testing.T) {
	for _, w := range []int{1, 2, 7, 112} {
		img := noise(w, 5)
		once := flip(new(Memory), nil, img)
		if !same(once, imaging.FlipH(img)) {
			t.Errorf("width %d: not the mirror image", w)
		}
		if !same(flip(new(Memory), nil, once), img) {
			t.Errorf("width %d: flipped twice is not the same", w)
		}
	}
}

// padAndCrop is what shift stands for, done plainly.
func padAndCrop(img *image.NRGBA, by, x, y int) *image.NRGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	padded := imaging.Paste(constant(w+2*by, h+2*by, black), img, image.Pt(by, by))
	return imaging.Crop(padded, image.Rect(x, y, x+w, y+h))
}

func TestShift(t *testing.T) {
	img := noise(9, 7)
	for _, by := range []int{1, 2, 6, 20} {
		s := Settings{ShiftBy: by}
		seen := map[string]int{}
		draws := 60 * (2*by + 1) * (2*by + 1)
		if by > 2 {
			draws = 50
		}
		for i := range draws {
			out := s.shift(new(Memory), generator(i), img)
			rng := generator(i)
			dx, dy := rng.IntN(2*by+1)-by, rng.IntN(2*by+1)-by
			if !same(out, padAndCrop(img, by, by-dx, by-dy)) {
				t.Fatalf("by %d: moved by (%d, %d) is not padded and cropped", by, dx, dy)
			}
			seen[string(pixels(out))]++
		}
		if by > 2 {
			continue
		}
		// Each of the offsets has a share of 60, standard deviation below 8.
		if want := (2*by + 1) * (2*by + 1); len(seen) != want {
			t.Errorf("by %d: %d different offsets, want %d", by, len(seen), want)
		}
		for _, n := range seen {
			if n < 60-5*8 || n > 60+5*8 {
				t.Errorf("by %d: an offset comes %d times of %d", by, n, draws)
			}
		}
	}
}

func TestRandomCrop(t *testing.T) {
	const w, h = 112, 96
	img := noise(w, h)
	low, high := 1.0, 0.0
	for i := range 200 {
		out := randomCrop(new(Memory), generator(i), img)
		var kept image.Rectangle
		for y := range h {
			for x := range w {
				if out.NRGBAAt(x, y) != black {
					kept = kept.Union(image.Rect(x, y, x+1, y+1))
				}
			}
		}
		for y := range h {
			for x := range w {
				want := black
				if image.Pt(x, y).In(kept) {
					want = img.NRGBAAt(x, y)
				}
				if got := out.NRGBAAt(x, y); got != want {
					t.Fatalf("draw %d: (%d, %d) is %v, want %v", i, x, y, got, want)
				}
			}
		}
		area := float64(kept.Dx()*kept.Dy()) / (w * h)
		low, high = min(low, area), max(high, area)
		// Sides are rounded, by half a pixel of about 40 at least.
		if ratio := float64(kept.Dx()) / float64(kept.Dy()); area < 0.19 || ratio < 0.73 || ratio > 1.37 {
			t.Errorf("draw %d keeps %v: %.3f of the area, aspect ratio %.3f", i, kept, area, ratio)
		}
	}
	if low > 0.25 || high < 0.9 {
		t.Errorf("areas from %.3f to %.3f, want about 0.2 to 1", low, high)
	}
}

func TestDownscale(t *testing.T) {
	face := color.NRGBA{R: 200, G: 150, B: 120, A: 255}
	checks := constant(64, 64, color.NRGBA{A: 255})
	for y := range 64 {
		for x := range 64 {
			if (x+y)%2 == 0 {
				checks.SetNRGBA(x, y, color.NRGBA{R: 255, G: 255, B: 255, A: 255})
			}
		}
	}
	blurred := 0
	for i := range 100 {
		if out := downscale(new(Memory), generator(i), constant(64, 64, face)); !same(out, constant(64, 64, face)) {
			t.Fatalf("draw %d changes an even image", i)
		}
		var change float64
		out := downscale(new(Memory), generator(i), checks)
		for y := range 64 {
			for x := 1; x < 64; x++ {
				change += math.Abs(float64(out.NRGBAAt(x, y).R) - float64(out.NRGBAAt(x-1, y).R))
			}
		}
		if change < 0.6*255*64*63 {
			blurred++
		}
	}
	if blurred < 80 { // not those of a factor close to 1
		t.Errorf("%d of 100 draws take detail away", blurred)
	}
}

func TestJitter(t *testing.T) {
	middle := color.NRGBA{R: 128, G: 128, B: 128, A: 255}
	low, high := uint8(255), uint8(0)
	for i := range 300 {
		c := jitter(new(Memory), generator(i), constant(2, 2, middle)).NRGBAAt(1, 1)
		if c.R != c.G || c.G != c.B {
			t.Fatalf("draw %d makes grey to %v", i, c)
		}
		low, high = min(low, c.R), max(high, c.R)
	}
	// 20 % of 255 up or down and then a contrast of up to 1.5.
	if low < 128-78 || low > 128-60 || high > 128+78 || high < 128+60 {
		t.Errorf("mid-grey becomes %d to %d, want about %d to %d", low, high, 128-77, 128+77)
	}
	colours := map[color.NRGBA]bool{}
	for i := range 300 {
		colours[jitter(new(Memory), generator(i), constant(1, 1, color.NRGBA{R: 200, G: 120, B: 90, A: 255})).NRGBAAt(0, 0)] = true
	}
	if len(colours) < 250 {
		t.Errorf("300 draws make %d colours", len(colours))
	}
}

func TestGrey(t *testing.T) {
	img := noise(20, 10)
	out := grey(new(Memory), nil, img)
	for y := range 10 {
		for x := range 20 {
			c, g := img.NRGBAAt(x, y), out.NRGBAAt(x, y)
			luma := 0.299*float64(c.R) + 0.587*float64(c.G) + 0.114*float64(c.B)
			if g.R != g.G || g.G != g.B || math.Abs(float64(g.R)-luma) > 0.5+1e-9 {
				t.Fatalf("%v becomes %v, want %.2f", c, g, luma)
			}
		}
	}
	if !same(grey(new(Memory), nil, out), out) {
		t.Error("grey is changed")
	}
}

// A dot right of the centre stays at its distance and goes up or down by no more than the angle.
func TestRotate(t *testing.T) {
	const size, radius = 112, 40
	img := constant(size, size, color.NRGBA{A: 255})
	centre := float64(size-1) / 2
	for y := size/2 - 2; y < size/2+2; y++ {
		for x := size/2 + radius - 2; x < size/2+radius+2; x++ {
			img.SetNRGBA(x, y, color.NRGBA{R: 255, G: 255, B: 255, A: 255})
		}
	}
	low, high := 90.0, -90.0
	for i := range 100 {
		out := rotate(new(Memory), generator(i), img)
		var sx, sy, sum float64
		for y := range size {
			for x := range size {
				v := float64(out.NRGBAAt(x, y).R)
				sx, sy, sum = sx+v*float64(x), sy+v*float64(y), sum+v
			}
		}
		dx, dy := sx/sum-centre, sy/sum-centre
		angle := math.Atan2(dy, dx) * 180 / math.Pi
		low, high = min(low, angle), max(high, angle)
		// The turned image's centre is up to half a pixel off on each side.
		if r := math.Hypot(dx, dy); math.Abs(r-radius) > 1 || math.Abs(angle) > maxAngle+1 {
			t.Errorf("draw %d: the dot is at distance %.2f and %.2f degrees", i, r, angle)
		}
	}
	if low > -0.9*maxAngle || high < 0.9*maxAngle {
		t.Errorf("angles from %.1f to %.1f degrees", low, high)
	}
	white := constant(size, size, color.NRGBA{R: 255, G: 255, B: 255, A: 255})
	if out := rotate(new(Memory), rand.New(extreme{}), white); out.NRGBAAt(0, 0) != black || out.NRGBAAt(size-1, size-1) != black || out.NRGBAAt(size/2, size/2) != white.NRGBAAt(0, 0) {
		t.Error("corners are not black, or the centre is not white")
	}
}

// extreme makes Float64 return almost 1.
type extreme struct{}

func (extreme) Uint64() uint64 { return math.MaxUint64 }

func BenchmarkTransforms(b *testing.B) {
	img := noise(112, 112)
	run := func(name string, f func(*Memory, *rand.Rand, *image.NRGBA) *image.NRGBA) {
		b.Run(name, func(b *testing.B) {
			m, rng := new(Memory), generator(0)
			for b.Loop() {
				f(m, rng, img)
			}
		})
	}
	for _, tr := range transforms {
		run(tr.name, tr.apply)
	}
	run("imaging.FlipH", func(_ *Memory, _ *rand.Rand, img *image.NRGBA) *image.NRGBA { return imaging.FlipH(img) })
	for _, name := range Presets() {
		s, err := Preset(name)
		if err != nil {
			b.Fatal(err)
		}
		run(fmt.Sprintf("Apply/%s", name), s.ApplyIn)
	}
}
