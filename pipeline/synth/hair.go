package synth

import "math"

// hairy returns how much hair covers the shell at a point: 0 or 1, and between at the hairline.
func (f *face) hairy(at vec) float64 {
	p := f.p
	if p.style == bald {
		return 0
	}
	around := math.Sqrt(at.x*at.x + at.z*at.z)
	front := at.z / (around + 1e-9) // 1 before the face, 0 above the ears, -1 behind
	line, sides, back := p.hairline, -0.02, 0.35
	switch p.style {
	case fringe:
		line += 0.2 + 0.05*texture(14*at.x, 3)
	case parted:
		line += 0.28*step(-0.15, 0.5, p.side*at.x) - 0.05
	case long:
		line += 0.12 * step(0.05, 0.4, math.Abs(at.x))
		sides, back = 0.6, 0.8
	case receding:
		line -= 0.22 * bump((math.Abs(at.x)-0.22)/0.2)
	}
	level := line
	if t := step(0.75, 0.35, front); t > 0 {
		level += (sides - line) * t
	}
	if t := step(0.1, -0.3, front); t > 0 {
		level += (back - sides) * t
	}
	level += 0.02 * texture(25*at.x, 25*at.z)
	return inside(at.y-level, 0.03)
}

// hairAt returns the colour of the hair's shell at a point.
func (f *face) hairAt(at vec) rgb {
	p := f.p
	turn := at.x
	if at.z < 0 {
		turn = 2*p.width - math.Abs(at.x)
	}
	wave := p.waves * 0.5 * texture(6*at.y, 4*turn)
	strand := texture(38*(turn-0.3*p.side*at.y)+4*wave, 5*at.y)
	c := p.hair.scaled(0.85 + 0.28*strand + 0.3*wave)
	return f.lit(c, f.normal(at), 0.12*(1+strand))
}

// hat paints a cap on the shell of hair.
func (f *face) hat(c rgb, at vec, hit float64) rgb {
	line := -0.36 - 0.1*step(0, 0.5, at.z) + 0.25*step(0, -0.4, at.z)
	if at.y > line+0.08 {
		return c
	}
	colour := f.s.hatColour
	if at.y > line-0.07 {
		colour = colour.scaled(0.7)
	}
	return mix(c, f.lit(colour, f.normal(at), 0), hit*inside(at.y-line, f.edge))
}
