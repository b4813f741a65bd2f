// Package augment changes training images at random, so that a network learns
// what stays the same: mirroring, shifts, occlusion, low resolution, light, colour and tilt.
//
// Every transform is a function of an opaque image and of the numbers that it draws. It
// returns an image of the same size and never writes to the one that it got, which
// may be shared. What it uncovers is black, as in aligned faces.
package augment

import (
	"errors"
	"fmt"
	"image"
	"math/rand/v2"
	"strings"

	"github.com/faceverify/fv/internal/setting"
)

// Settings hold the probability of each transform, 0 to 1. The zero value changes nothing.
type Settings struct {
	Flip       float64 // mirrored left to right
	Shift      float64 // moved by up to ShiftBy pixels in each direction
	ShiftBy    int     // pixels; at least 1 where Shift is above 0
	RandomCrop float64 // all but a random rectangle blackened
	Downscale  float64 // scaled down and back up
	Jitter     float64 // brightness, contrast and saturation changed
	Grey       float64 // colour taken away
	Rotate     float64 // turned by a few degrees
}

// The presets, from the least to the most. Light suits folders with few images an identity; strong has the
// three transforms of AdaFace (Kim et al. 2022) at that paper's probability, and suits photographs
// of all qualities. Their ShiftBy holds also where Shift is set by itself.
var presets = []struct {
	name     string
	settings Settings
}{
	{"none", Settings{ShiftBy: 4}},
	{"light", Settings{Flip: 0.5, Shift: 0.5, ShiftBy: 4}},
	{"strong", Settings{
		Flip: 0.5, Shift: 0.5, ShiftBy: 6,
		RandomCrop: 0.2, Downscale: 0.2, Jitter: 0.2, Grey: 0.05, Rotate: 0.2,
	}},
}

// Presets returns the names that Preset knows.
func Presets() []string {
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.name
	}
	return names
}

// Preset returns the settings of that name: none, light or strong.
func Preset(name string) (Settings, error) {
	for _, p := range presets {
		if p.name == name {
			return p.settings, nil
		}
	}
	return Settings{}, fmt.Errorf("augment: there is no preset %q; there are %s", name, strings.Join(Presets(), ", "))
}

// Validate returns an error that names every setting that is out of range and
// what would be right, or nil.
func (s Settings) Validate() error {
	var errs []error
	for _, p := range []struct {
		name  string
		value float64
	}{
		{"flip", s.Flip}, {"shift", s.Shift}, {"random-crop", s.RandomCrop}, {"downscale", s.Downscale},
		{"jitter", s.Jitter}, {"grey", s.Grey}, {"rotate", s.Rotate},
	} {
		if !(p.value >= 0 && p.value <= 1) {
			errs = append(errs, setting.Errorf(p.name, "augment: %s is %v; want a probability, 0 to 1", p.name, p.value))
		}
	}
	if s.ShiftBy < 0 || s.Shift > 0 && s.ShiftBy == 0 {
		errs = append(errs, setting.Errorf("shift-by", "augment: shift-by is %d; want at least 1 pixel", s.ShiftBy))
	}
	return errors.Join(errs...)
}

// Apply returns img changed by what the settings and rng say: img itself, which is
// never written to, or a new image of its size. img is opaque and its bounds begin at
// (0, 0), as embed.Contract.Resize makes it; Apply panics where they do not.
//
// Which transforms happen is drawn before how, so that another probability of one
// does not change whether the others happen. Colours come first and what uncovers black
// last, so that black stays exactly black.
func (s Settings) Apply(rng *rand.Rand, img *image.NRGBA) *image.NRGBA {
	return s.ApplyIn(new(Memory), rng, img)
}

// ApplyIn is Apply, with a result that may lie in memory, where it stays until the next call with that.
func (s Settings) ApplyIn(memory *Memory, rng *rand.Rand, img *image.NRGBA) *image.NRGBA {
	if img.Rect.Min != (image.Point{}) || img.Rect.Empty() {
		panic(fmt.Sprintf("augment: an image of bounds %v; want them to begin at (0,0)", img.Rect))
	}
	steps := [...]struct {
		probability float64
		transform   func(*Memory, *rand.Rand, *image.NRGBA) *image.NRGBA
	}{
		{s.Jitter, jitter},
		{s.Grey, grey},
		{s.Downscale, downscale},
		{s.Flip, flip},
		{s.Rotate, rotate},
		{s.Shift, s.shift},
		{s.RandomCrop, randomCrop},
	}
	var happens [len(steps)]bool
	for i := range steps {
		happens[i] = rng.Float64() < steps[i].probability
	}
	for i, yes := range happens {
		if yes {
			img = steps[i].transform(memory, rng, img)
		}
	}
	return img
}

// Memory holds images that transforms make, so that not each of a run's many changed images is new. The zero value is ready for
// use, by one goroutine at a time.
type Memory struct {
	images [2]*image.NRGBA // in turn: a transform reads what the one before it made
	next   int
}

// image returns an image of any content.
func (m *Memory) image(width, height int) *image.NRGBA {
	m.next = 1 - m.next
	img := &m.images[m.next]
	if r := image.Rect(0, 0, width, height); *img == nil || (*img).Rect != r {
		*img = image.NewNRGBA(r)
	}
	return *img
}

// uniform draws a number from [low, high).
func uniform(rng *rand.Rand, low, high float64) float64 {
	return low + (high-low)*rng.Float64()
}
