// Package synth draws faces: an endless supply of identities to train and test
// on where no photographs may be had.
//
// A person is some sixty numbers (the shape of head and features, skin, hair,
// beard, glasses); a picture adds pose, light, expression, what covers the face,
// background, blur and noise. Light and pose move pixels more than identity does, so strangers
// are told apart by what a network has learned, not by looking at pixels.
package synth

import (
	"image"
	"math"

	"github.com/faceverify/fv/internal/random"
)

// Face draws picture index of a person, size pixels wide and high. It depends
// on its arguments only. It panics unless size is positive.
func Face(seed uint64, identity, index, size int) *image.NRGBA {
	if size < 1 {
		panic("synth: a picture without pixels")
	}
	p := newIdentity(seed, identity)
	s := newScene(seed, identity, index, p)
	pix := newFace(p, s, 1.4/float64(size)).expose(size)
	blur(pix, size, s.blur*float64(size)/112)
	return develop(pix, size, s, random.New(seed, random.Synth, identity, -1-index).NormFloat64)
}

// expose looks at the face once a pixel and, where a pixel differs from a neighbour, at
// four more points of it: edges become smooth at half the price of five everywhere.
func (f *face) expose(size int) []rgb {
	back, first := make([]rgb, size*size), make([]rgb, size*size)
	unit := 2 / float64(size)
	for i := range first {
		x, y := (float64(i%size)+0.5)*unit-1, (float64(i/size)+0.5)*unit-1
		back[i] = f.s.background(x, y)
		first[i] = f.sample(back[i], x, y)
	}
	pix := make([]rgb, size*size)
	for i, c := range first {
		pix[i] = c
		x, y := i%size, i/size
		if !(x > 0 && c.far(first[i-1]) || x < size-1 && c.far(first[i+1]) ||
			y > 0 && c.far(first[i-size]) || y < size-1 && c.far(first[i+size])) {
			continue
		}
		var sum rgb
		for _, at := range [4][2]float64{{0.25, 0.25}, {0.75, 0.25}, {0.25, 0.75}, {0.75, 0.75}} {
			c := f.sample(back[i], (float64(x)+at[0])*unit-1, (float64(y)+at[1])*unit-1)
			sum = rgb{sum.r + c.r, sum.g + c.g, sum.b + c.b}
		}
		pix[i] = sum.scaled(0.25)
	}
	return pix
}

// develop adds the camera's part: contrast, brightness, noise, eight bits.
func develop(pix []rgb, size int, s *scene, normal func() float64) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, size, size))
	level := func(v, noise float64) uint8 {
		v = (v-0.5)*s.contrast + 0.5 + s.bright + noise
		return uint8(min(max(v, 0), 1)*255 + 0.5)
	}
	for i, c := range pix {
		grey := s.noise * normal() // most noise is alike in all channels
		out := img.Pix[4*i:][:4]
		out[0] = level(c.r, grey+0.3*s.noise*normal())
		out[1] = level(c.g, grey)
		out[2] = level(c.b, grey+0.3*s.noise*normal())
		out[3] = 255
	}
	return img
}

// blur convolves with a Gaussian of the given standard deviation, in pixels.
func blur(pix []rgb, size int, sigma float64) {
	if sigma < 0.3 {
		return
	}
	radius := int(math.Ceil(2.5 * sigma))
	kernel := make([]float64, 2*radius+1)
	total := 0.0
	for i := range kernel {
		d := float64(i-radius) / sigma
		kernel[i] = math.Exp(-d * d / 2)
		total += kernel[i]
	}
	line := make([]rgb, size)
	pass := func(at func(i int) *rgb) {
		for i := range line {
			line[i] = *at(i)
		}
		for i := range line {
			var sum rgb
			for k, w := range kernel {
				c := line[min(max(i+k-radius, 0), size-1)]
				sum = rgb{sum.r + w*c.r, sum.g + w*c.g, sum.b + w*c.b}
			}
			*at(i) = sum.scaled(1 / total)
		}
	}
	for j := range size {
		pass(func(i int) *rgb { return &pix[j*size+i] })
		pass(func(i int) *rgb { return &pix[i*size+j] })
	}
}
