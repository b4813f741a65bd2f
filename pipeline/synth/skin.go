package synth

import "math"

// skinAt returns the colour of the head at a point of its surface, with all
// that is painted on it.
func (f *face) skinAt(at vec) rgb {
	p := f.p
	n := f.normal(at)
	x, y := at.x, at.y
	c := p.skin.scaled(1 + 0.05*texture(5*x+20, 5*y) + 0.03*texture(25*x, 25*y))
	if at.z <= 0 {
		return f.lit(c, n, 0)
	}
	if cheek := bump((math.Abs(x)-0.26)/0.2) * bump((y-0.13)/0.2); cheek > 0 {
		c = mix(c, rgb{0.8, 0.3, 0.28}, 0.22*p.blush*cheek)
	}
	c = f.lines(c, x, y)
	c = f.marks(c, x, y)
	c = f.beardOn(c, x, y)

	// Eyes lie in hollows, and the nose stands out: its points are seen
	// displaced by their height along the line of sight.
	if dy := (y - p.eyeY) / 0.14; dy > -1 && dy < 1 {
		hollow := bump((math.Abs(x)-p.eyeX+0.02)/0.17) * bump(dy)
		c = c.scaled(1 - 0.22*hollow)
	}
	slope := vec{f.view.x / f.view.z, f.view.y / f.view.z, 0}
	nx, ny := x+slope.x*p.noseHigh*0.6, y+slope.y*p.noseHigh*0.6
	if ny > p.noseTop-0.05 && ny < p.noseTip+0.1 && math.Abs(nx) < 0.25 {
		const h = 0.004
		z := f.noseHeight(nx, ny)
		n = n.plus(vec{-(f.noseHeight(nx+h, ny) - z) / h, -(f.noseHeight(nx, ny+h) - z) / h, 0}.scaled(0.9)).unit()
		c = f.nostrils(c, nx, ny)
	}
	c = f.mouth(c, x, y)
	shade := f.lit(c, n, 0.1)
	shade = f.brows(shade, x, y)
	shade = f.eyes(shade, x, y, n)
	if f.s.glasses || f.s.sunglasses {
		shade = f.glasses(shade, x+0.07*slope.x, y+0.07*slope.y)
	}
	return shade
}

// lines are the creases of age: across the brow, and from nose to mouth.
func (f *face) lines(c rgb, x, y float64) rgb {
	p := f.p
	depth := 0.25*p.age + 0.1*max(0, f.s.smile)
	if y > p.noseTip-0.02 && y < p.mouthY+0.05 {
		t := (y - p.noseTip) / (p.mouthY - p.noseTip)
		c = c.scaled(1 - depth*bump((math.Abs(x)-p.noseW-0.03-t*0.1)/0.022)*bump(t-0.4))
	}
	if p.age > 0.25 && y < p.browY-0.04 && y > p.browY-0.25 {
		wave := y + 0.01*texture(6*x, 1)
		c = c.scaled(1 - 0.22*p.age*bump(x/0.4)*bump(math.Mod(wave+10, 0.07)/0.012-2.9))
	}
	return c
}

// marks are moles and freckles.
func (f *face) marks(c rgb, x, y float64) rgb {
	for _, m := range f.p.moles {
		if m.r > 0 {
			c = mix(c, rgb{0.22, 0.12, 0.08}, 0.85*inside(math.Hypot(x-m.x, y-m.y)-m.r, 0.012))
		}
	}
	if f.p.freckle > 0.05 && y > -0.1 && y < 0.25 {
		if t := texture(45*x, 45*y); t > 0.35 {
			c = mix(c, rgb{0.5, 0.26, 0.14}, f.p.freckle*0.9*(t-0.35)*bump((y-0.08)/0.2))
		}
	}
	return c
}

func (f *face) beardOn(c rgb, x, y float64) rgb {
	p := f.p
	if y < p.noseTip || p.beard+p.moustache <= 0 {
		return c
	}
	grain := 0.75 + 0.35*texture(70*x, 50*y)
	if p.moustache > 0.05 {
		t := (y - p.noseTip - 0.04) / (p.mouthY - p.noseTip - 0.05)
		a := bump(2*t-1.1) * step(p.mouthW*1.15, p.mouthW*0.85, math.Abs(x))
		c = mix(c, p.brow, min(0.9, 1.4*p.moustache)*a*grain)
	}
	if p.beard > 0.05 {
		line := p.beardLine - 0.25*step(0.2, 0.45, math.Abs(x)) + 0.08*step(0.15, 0, math.Abs(x))
		c = mix(c, p.brow, min(0.9, 1.3*p.beard)*step(line-0.03, line+0.1, y)*grain)
	}
	return c
}

// noseHeight is how far the nose stands out of the face.
func (f *face) noseHeight(x, y float64) float64 {
	p := f.p
	t := (y - p.noseTop) / (p.noseTip - p.noseTop)
	if t < 0 || t > 1.4 {
		return 0
	}
	width := p.noseBridge + (p.noseW*1.25-p.noseBridge)*t*t
	fall := step(1.3, 0.97, t)
	wing := 0.35 * p.noseHigh * (bump((x-p.noseW*0.75)/0.05) + bump((x+p.noseW*0.75)/0.05)) * bump((t-0.95)/0.3)
	return p.noseHigh*(0.25+0.75*t)*step(0, 0.2, t)*bump(x/(1.5*width))*fall + wing
}

func (f *face) nostrils(c rgb, x, y float64) rgb {
	p := f.p
	dx, dy := (math.Abs(x)-p.noseW*0.5)/(p.noseW*0.3), (y-p.noseTip-0.018-0.06*math.Abs(x))/0.017
	return mix(c, rgb{0.14, 0.07, 0.06}, 0.75*inside((math.Hypot(dx, dy)-1)*0.02, 0.015))
}
