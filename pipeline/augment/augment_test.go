package augment

import (
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"
)

// certain is each transform by itself, with certainty.
var certain = map[string]Settings{
	"flip": {Flip: 1}, "shift": {Shift: 1, ShiftBy: 6}, "randomCrop": {RandomCrop: 1}, "downscale": {Downscale: 1},
	"jitter": {Jitter: 1}, "grey": {Grey: 1}, "rotate": {Rotate: 1},
}

func TestProbabilityZeroChangesNothing(t *testing.T) {
	img := noise(30, 20)
	none, err := Preset("none")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if out := (Settings{}).Apply(generator(i), img); out != img {
			t.Fatal("the zero Settings make another image")
		}
		if out := none.Apply(generator(i), img); out != img {
			t.Fatal("the preset none makes another image")
		}
	}
}

func TestProbabilityOneIsTheTransform(t *testing.T) {
	img := noise(112, 96)
	for _, tr := range transforms {
		s := certain[tr.name]
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
		for i := range 5 {
			rng := generator(i)
			for range transforms { // each has been decided on
				rng.Float64()
			}
			if !same(s.Apply(generator(i), img), tr.apply(new(Memory), rng, img)) {
				t.Errorf("%s: Apply gives another image", tr.name)
			}
		}
	}
}

// One memory for many images, each made of the one before, gives what new ones give.
func TestApplyIn(t *testing.T) {
	s, err := Preset("strong")
	if err != nil {
		t.Fatal(err)
	}
	var m Memory
	want, got := noise(30, 20), noise(30, 20)
	for i := range 300 {
		if i%50 == 49 { // another size
			want, got = noise(9+i, 21), noise(9+i, 21)
		}
		want, got = s.Apply(generator(i), want), s.ApplyIn(&m, generator(i), got)
		if !same(got, want) {
			t.Fatalf("draw %d: another image than without the memory", i)
		}
	}
}

func TestProbability(t *testing.T) {
	img := noise(8, 6)
	const n = 2000
	for p := 0.1; p < 1; p += 0.2 {
		flipped := 0
		for i := range n {
			if !same(Settings{Flip: p}.Apply(generator(i), img), img) {
				flipped++
			}
		}
		if d := math.Abs(float64(flipped) - p*n); d > 5*math.Sqrt(n*p*(1-p)) {
			t.Errorf("%d of %d flipped at probability %.1f", flipped, n, p)
		}
	}
}

// Whether an image is flipped does not depend on the other settings.
func TestDecisionsAreIndependent(t *testing.T) {
	img := noise(30, 20)
	for i := range 50 {
		alone := Settings{Flip: 0.5}.Apply(generator(i), img)
		with := Settings{Flip: 0.5, Grey: 1}.Apply(generator(i), img)
		if !same(grey(new(Memory), nil, alone), with) {
			t.Fatalf("draw %d: taking the colour away changes more than the colour", i)
		}
	}
}

// What is uncovered is black, whatever happens to the colours.
func TestUncoveredIsBlack(t *testing.T) {
	white := constant(40, 40, color.NRGBA{R: 255, G: 255, B: 255, A: 255})
	s := Settings{Jitter: 1, Downscale: 1, Shift: 1, ShiftBy: 10, RandomCrop: 1}
	for i := range 50 {
		out := s.Apply(generator(i), white)
		covered := image.Rectangle{}
		for y := range 40 {
			for x := range 40 {
				if out.NRGBAAt(x, y).R >= 128 { // jitter leaves white above
					covered = covered.Union(image.Rect(x, y, x+1, y+1))
				}
			}
		}
		for y := range 40 {
			for x := range 40 {
				if c := out.NRGBAAt(x, y); !image.Pt(x, y).In(covered) && c != black {
					t.Fatalf("draw %d: (%d, %d) is %v, outside %v", i, x, y, c, covered)
				}
			}
		}
	}
}

func TestApplyLeavesItsImage(t *testing.T) {
	strong, err := Preset("strong")
	if err != nil {
		t.Fatal(err)
	}
	img := noise(112, 112)
	before := pixels(img)
	kinds := map[string]bool{}
	for i := range 100 {
		out := strong.Apply(generator(i), img)
		if out.Rect != img.Rect || !out.Opaque() {
			t.Fatalf("draw %d: bounds %v, opaque %v", i, out.Rect, out.Opaque())
		}
		if !same(out, strong.Apply(generator(i), img)) {
			t.Fatalf("draw %d: two results of the same draws", i)
		}
		kinds[string(pixels(out))] = true
	}
	if !slices.Equal(pixels(img), before) {
		t.Error("Apply writes to its argument")
	}
	if len(kinds) < 60 {
		t.Errorf("100 draws make %d different images", len(kinds))
	}
}

func TestApplyPanics(t *testing.T) {
	for _, r := range []image.Rectangle{image.Rect(1, 0, 5, 5), {}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("no panic for bounds %v", r)
				}
			}()
			Settings{}.Apply(generator(0), image.NewNRGBA(r))
		}()
	}
}

func TestPresets(t *testing.T) {
	if want := []string{"none", "light", "strong"}; !slices.Equal(Presets(), want) {
		t.Errorf("presets %v, want %v", Presets(), want)
	}
	for _, name := range Presets() {
		s, err := Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		s.Shift = 1 // set by itself, with the preset's ShiftBy
		if err := s.Validate(); err != nil {
			t.Errorf("%s with shift: %v", name, err)
		}
	}
	if _, err := Preset("medium"); err == nil || !strings.Contains(err.Error(), `no preset "medium"; there are none, light, strong`) {
		t.Errorf("error %v", err)
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		s    Settings
		want string
	}{
		{Settings{Flip: 1.5}, "flip is 1.5; want a probability, 0 to 1"},
		{Settings{Shift: -0.1, ShiftBy: 1}, "shift is -0.1"},
		{Settings{Jitter: math.NaN()}, "jitter is NaN"},
		{Settings{Grey: math.Inf(1)}, "grey is +Inf"},
		{Settings{RandomCrop: 2}, "random-crop is 2"},
		{Settings{Downscale: 2}, "downscale is 2"},
		{Settings{Rotate: 2}, "rotate is 2"},
		{Settings{Shift: 0.5}, "shift-by is 0; want at least 1 pixel"},
		{Settings{ShiftBy: -3}, "shift-by is -3"},
		{Settings{Flip: 2, Grey: -1}, "grey is -1"},
	} {
		if err := c.s.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one that says %q", c.s, err, c.want)
		}
	}
	if err := (Settings{}).Validate(); err != nil {
		t.Errorf("the zero Settings: %v", err)
	}
}

func TestSheet(t *testing.T) {
	red, blue := color.NRGBA{R: 255, A: 255}, color.NRGBA{B: 255, A: 255}
	images := []*image.NRGBA{constant(6, 5, red), constant(6, 5, blue), constant(3, 2, red)}
	sheet := Sheet(images, 2)
	if want := image.Rect(0, 0, 2*6+3*gap, 2*5+3*gap); sheet.Rect != want {
		t.Fatalf("bounds %v, want %v", sheet.Rect, want)
	}
	for _, c := range []struct {
		x, y int
		want color.NRGBA
	}{
		{0, 0, ground}, {gap, gap, red}, {gap + 5, gap + 4, red}, {gap + 6, gap, ground}, {2*gap + 6, gap, blue},
		{gap, 2*gap + 5, red}, {gap + 3, 2*gap + 5, ground}, {2*gap + 6, 2*gap + 5, ground},
	} {
		if got := sheet.NRGBAAt(c.x, c.y); got != c.want {
			t.Errorf("(%d, %d) is %v, want %v", c.x, c.y, got, c.want)
		}
	}
	if got, want := Sheet(images[:1], 8).Rect, image.Rect(0, 0, 6+2*gap, 5+2*gap); got != want {
		t.Errorf("one image of eight columns: bounds %v, want %v", got, want)
	}
	if got := Sheet(nil, 3); got.Rect.Empty() {
		t.Error("a sheet of no images has no pixels")
	}
}
