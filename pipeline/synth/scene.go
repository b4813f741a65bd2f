package synth

import (
	"math"
	"math/rand/v2"

	"github.com/faceverify/fv/internal/random"
)

// scene is what is particular to one picture.
type scene struct {
	yaw, pitch, roll, scale float64 // radians; scale of the head in the picture
	dx, dy                  float64 // its place

	light           vec // towards the light, in the head's frame
	ambient, direct float64
	tint            rgb
	gain            float64

	smile, open, lids, raise, gazeX, gazeY float64

	glasses, sunglasses, hat bool
	hatColour, shirt         rgb
	cover                    cover

	back             [2]rgb
	backX, backY     float64 // direction in which one becomes the other
	blobs            [4]blob
	blur, noise      float64 // deviation in pixels of a 112 picture; of a value in 0 ... 1
	contrast, bright float64
}

// blob is something round in the background.
type blob struct {
	x, y, r float64
	c       rgb
}

// cover is something flat before the face: a hand, a scarf, a pole.
type cover struct {
	on                 bool
	x, y, nx, ny, half float64 // a strip about a line with this normal
	c                  rgb
}

// newScene draws the circumstances of a picture. Every number drawn is drawn for
// every picture, so that a change to one does not move the others.
func newScene(seed uint64, person, index int, p *identity) *scene {
	rng := random.New(seed, random.Synth, person, index+1)
	normal := func(mean, dev float64) float64 {
		return mean + dev*min(max(rng.NormFloat64(), -2.2), 2.2)
	}
	chance := func(p float64) bool { return rng.Float64() < p }
	s := &scene{
		yaw: normal(0, 0.3), pitch: normal(0, 0.12), roll: normal(0, 0.09), scale: normal(1.14, 0.06),
		dx: normal(0, 0.035), dy: normal(0.03, 0.04),
		ambient: 0.45 + 0.3*rng.Float64(), direct: 0.25 + 0.6*rng.Float64(),
		gain:  normal(1, 0.09),
		smile: normal(0.3, 0.5), open: max(0, normal(-0.4, 0.7)), lids: 1 - max(0, normal(-0.1, 0.25)), raise: normal(0, 1),
		gazeX: normal(0, 0.35), gazeY: normal(0, 0.2),
		glasses: chance(p.glasses), sunglasses: chance(0.025), hat: chance(0.06),
		hatColour: colour(rng), shirt: colour(rng),
		blur: max(0, normal(0.25, 0.4)), noise: max(0, normal(0.012, 0.012)),
		contrast: normal(1, 0.1), bright: normal(0, 0.05),
	}
	warm := normal(0, 0.07)
	s.tint = rgb{1 + warm, 1, 1 - warm}
	// The light comes from anywhere before the face and mostly from above.
	azimuth, height := normal(0, 0.75), normal(0.45, 0.4)
	s.light = vec{math.Sin(azimuth) * math.Cos(height), -math.Sin(height), math.Cos(azimuth) * math.Cos(height)}
	s.cover = cover{
		on: chance(0.09), x: normal(0, 0.4), y: normal(0.35, 0.35),
		half: 0.05 + 0.1*rng.Float64(), c: colour(rng),
	}
	angle := rng.Float64() * math.Pi
	s.cover.nx, s.cover.ny = math.Cos(angle), math.Sin(angle)
	s.back = [2]rgb{colour(rng), colour(rng)}
	angle = rng.Float64() * 2 * math.Pi
	s.backX, s.backY = math.Cos(angle), math.Sin(angle)
	for i := range s.blobs {
		s.blobs[i] = blob{2*rng.Float64() - 1, 2*rng.Float64() - 1, 0.1 + 0.4*rng.Float64(), colour(rng)}
	}
	return s
}

// colour draws any colour, most often a dull one.
func colour(rng *rand.Rand) rgb {
	v, chroma := 0.1+0.8*rng.Float64(), 0.45*rng.Float64()*rng.Float64()
	h := rng.Float64() * 2 * math.Pi
	return rgb{v + chroma*math.Cos(h), v + chroma*math.Cos(h+2.1), v + chroma*math.Cos(h+4.2)}
}
