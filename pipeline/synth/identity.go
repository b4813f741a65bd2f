package synth

import (
	"math"
	"math/rand/v2"

	"github.com/faceverify/fv/internal/random"
)

// Lengths are in units of half the picture's side, in a frame with the head's
// centre at the origin, x to the right of the picture, y down to the chin and z to the
// viewer.

// hairStyle is how the hair is cut.
type hairStyle int

const (
	bald hairStyle = iota
	short
	fringe
	parted
	long
	receding
	hairStyles
)

// identity is what all pictures of a person have in common.
type identity struct {
	width, height, depth float64 // half-axes of the head
	jaw, cheek           float64 // how far the chin tapers, the cheeks bulge
	skin                 rgb
	blush, age           float64 // redness of the cheeks, depth of lines: 0 to 1

	eyeX, eyeY, eyeW, eyeH, eyeTilt float64
	iris                            rgb
	irisR, crease                   float64

	browY, browW, browThick, browTilt, browArch float64
	brow                                        rgb

	noseTop, noseTip, noseW, noseBridge, noseHigh float64

	mouthY, mouthW, lipUp, lipLow, mouthCurve float64
	lips                                      rgb

	earSize float64

	style                    hairStyle
	hair                     rgb
	hairline, hairVol, waves float64
	side                     float64 // of the parting: -1 or 1

	moles   [3]spot
	freckle float64

	moustache, beard float64 // density: 0 is shaved
	beardLine        float64

	glasses             float64 // how likely they are worn: 0 or most of the time
	lensW, lensH, frame float64
	frameColour         rgb
}

type spot struct{ x, y, r float64 }

// newIdentity draws a person.
func newIdentity(seed uint64, number int) *identity {
	rng := random.New(seed, random.Synth, number, 0)
	normal := func(mean, dev float64) float64 { // bounded: no monsters
		return mean + dev*min(max(rng.NormFloat64(), -2.2), 2.2)
	}
	p := &identity{
		width: normal(0.53, 0.038), height: normal(0.72, 0.038), depth: normal(0.6, 0.03),
		jaw: normal(0.16, 0.09), cheek: normal(0.02, 0.025),
		blush: rng.Float64(), age: math.Pow(rng.Float64(), 2),
		eyeX: normal(0.215, 0.018), eyeY: normal(-0.09, 0.025), eyeW: normal(0.1, 0.011), eyeH: normal(0.042, 0.009),
		eyeTilt: normal(0.03, 0.09), irisR: normal(0.042, 0.004), crease: max(0, normal(0.4, 0.4)),
		browW: normal(0.135, 0.014), browThick: normal(0.024, 0.009), browTilt: normal(0.02, 0.035), browArch: normal(0.03, 0.017),
		noseTip: normal(0.17, 0.03), noseW: normal(0.085, 0.017), noseBridge: normal(0.045, 0.012), noseHigh: normal(0.13, 0.028),
		mouthY: normal(0.36, 0.028), mouthW: normal(0.185, 0.026), lipUp: normal(0.028, 0.01), lipLow: normal(0.038, 0.012),
		mouthCurve: normal(0.005, 0.015),
		earSize:    normal(0.115, 0.018),
		hairline:   normal(-0.43, 0.06), hairVol: normal(1.09, 0.035), waves: rng.Float64(),
		side: float64(2*rng.IntN(2) - 1),
	}
	p.noseTop = p.eyeY - 0.04
	p.browY = p.eyeY - normal(0.125, 0.018)

	tone := rng.Float64()
	p.skin = mix(rgb{0.94, 0.78, 0.69}, rgb{0.36, 0.23, 0.17}, tone*tone*0.9+0.1*tone)
	p.skin = p.skin.times(1+normal(0, 0.03), 1, 1+normal(0, 0.05))
	p.lips = mix(p.skin, rgb{0.66, 0.22, 0.24}, 0.35+0.45*rng.Float64())
	irises := []rgb{{0.2, 0.11, 0.06}, {0.3, 0.18, 0.09}, {0.38, 0.3, 0.13}, {0.25, 0.42, 0.3}, {0.28, 0.45, 0.65}, {0.45, 0.52, 0.57}}
	p.iris = irises[rng.IntN(2+4*int(math.Round(1-tone)))]
	p.hair = hairColour(rng, tone, p.age)
	p.brow = mix(p.hair, rgb{0.1, 0.07, 0.05}, 0.2+0.5*rng.Float64())

	p.style = 1 + hairStyle(rng.IntN(int(hairStyles)-1))
	if rng.Float64() < 0.07 {
		p.style = bald
	}
	for i := range p.moles {
		if rng.Float64() < 0.3 {
			p.moles[i] = spot{normal(0, 0.18), 0.15 + normal(0, 0.17), 0.012 + 0.01*rng.Float64()}
		}
	}
	p.freckle = max(0, normal(-0.5, 0.7)) * (1 - tone)
	if rng.Float64() < 0.35 && p.style != long {
		p.moustache = max(0, normal(0.4, 0.4))
		p.beard = max(0, normal(0.35, 0.4))
	}
	p.beardLine = normal(0.3, 0.05)
	if rng.Float64() < 0.22 {
		p.glasses = 0.6 + 0.4*rng.Float64()
	}
	p.lensW, p.lensH = normal(0.165, 0.012), normal(0.115, 0.018)
	p.frame = 0.012 + 0.012*rng.Float64()
	p.frameColour = []rgb{{0.06, 0.06, 0.07}, {0.3, 0.17, 0.08}, {0.62, 0.6, 0.55}, {0.4, 0.08, 0.1}}[rng.IntN(4)]
	return p
}

// hairColour draws a natural colour: dark skins have dark hair, old people grey.
func hairColour(rng *rand.Rand, tone, age float64) rgb {
	natural := []rgb{
		{0.07, 0.055, 0.05}, {0.13, 0.08, 0.05}, {0.24, 0.14, 0.08}, {0.36, 0.22, 0.11},
		{0.48, 0.2, 0.09}, {0.62, 0.45, 0.24}, {0.78, 0.63, 0.4},
	}
	c := natural[rng.IntN(2+int(5*(1-tone)+0.5))]
	return mix(c, rgb{0.68, 0.67, 0.66}, 0.9*max(0, 2*age-1))
}
