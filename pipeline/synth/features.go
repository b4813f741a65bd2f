package synth

import "math"

// eyes paints both eyes over skin that is lit already.
func (f *face) eyes(c rgb, x, y float64, n vec) rgb {
	p, s := f.p, f.s
	dx, dy := math.Abs(x)-p.eyeX, y-p.eyeY
	if math.Abs(dx) > 1.4*p.eyeW || math.Abs(dy) > 3*p.eyeH {
		return c
	}
	dy += p.eyeTilt * dx // outer corners up or down
	t := dx / p.eyeW
	arch := 1 - t*t
	opening := min(max(s.lids-0.15*max(0, s.smile-0.4), 0.04), 1)
	upper, lower := -p.eyeH*arch*(1.9*opening-0.9), 0.75*p.eyeH*arch
	light := (s.ambient + 0.6*s.direct) * s.gain
	if arch > 0 {
		in := inside(upper-dy, 0.012) * inside(dy-lower, 0.012)
		if in > 0 {
			gx := dx
			if x < 0 {
				gx = -dx
			}
			r := math.Hypot(gx-s.gazeX*0.5*p.eyeW, dy-s.gazeY*p.eyeH+0.004)
			ball := mix(rgb{0.93, 0.91, 0.89}, rgb{0.75, 0.6, 0.55}, 0.5*t*t)
			ball = mix(ball, p.iris.scaled(1-0.4*step(0.6, 1, r/p.irisR)), inside(r-p.irisR, 0.012))
			ball = mix(ball, rgb{0.02, 0.02, 0.02}, inside(r-0.42*p.irisR, 0.01))
			ball = ball.scaled(light * (1 - 0.3*step(0.02, 0, dy-upper)))
			ball = mix(ball, rgb{1, 1, 1}, 0.8*inside(math.Hypot(gx-s.gazeX*0.5*p.eyeW-0.25*p.irisR*(1+s.light.x), dy-s.gazeY*p.eyeH+0.4*p.irisR)-0.009, 0.01))
			c = mix(c, ball, in)
		}
		lash := inside(math.Abs(dy-upper)-0.007, 0.012)
		c = mix(c, rgb{0.06, 0.04, 0.04}, 0.8*lash)
		c = mix(c, c.scaled(0.75), inside(math.Abs(dy-lower)-0.004, 0.012))
	}
	crease := dy + 0.9*p.eyeH*(1+0.5*arch)
	return mix(c, c.scaled(0.6), p.crease*0.6*bump(crease/0.014)*bump(0.8*t))
}

// brows paints the eyebrows.
func (f *face) brows(c rgb, x, y float64) rgb {
	p := f.p
	dx := math.Abs(x) - p.eyeX - 0.02
	t := dx / p.browW
	if t < -1.1 || t > 1.1 {
		return c
	}
	line := p.browY - 0.018*f.s.raise - p.browArch*(1-(t-0.3)*(t-0.3)) + p.browTilt*t*0.6
	half := p.browThick * (1 - 0.28*(t+0.6)) * step(1.1, 0.7, math.Abs(t))
	a := inside(math.Abs(y-line)-half, 0.022)
	if a == 0 {
		return c
	}
	light := (f.s.ambient + 0.6*f.s.direct) * f.s.gain
	return mix(c, p.brow.scaled(light*(0.9+0.25*texture(50*x, 20*y))), 0.85*a)
}

// mouth paints the lips and what is between them.
func (f *face) mouth(c rgb, x, y float64) rgb {
	p, s := f.p, f.s
	width := p.mouthW * (1 + 0.16*s.smile - 0.1*s.open)
	t := x / width
	if math.Abs(t) > 1.15 || math.Abs(y-p.mouthY) > 0.25 {
		return c
	}
	// The middle line bends up at the corners with a smile; an open mouth
	// parts the lips from it.
	dy := y - p.mouthY + (p.mouthCurve+0.045*s.smile)*t*t
	arch := max(0, 1-t*t)
	gap := 0.075 * s.open * arch
	bow := 1 - 0.35*bump(t/0.22)
	upper, lower := -gap*0.4-p.lipUp*math.Sqrt(arch)*bow, gap+p.lipLow*math.Sqrt(arch)
	if math.Abs(t) < 1 {
		a := inside(upper-dy, 0.014) * inside(dy-lower, 0.014)
		lip := p.lips.scaled(0.88 + 0.2*step(0, lower, dy))
		c = mix(c, lip, 0.85*a)
		if gap > 0.006 {
			hole := inside(-gap*0.4-dy, 0.01) * inside(dy-gap, 0.01)
			inner := mix(rgb{0.88, 0.86, 0.82}, rgb{0.22, 0.06, 0.06}, step(0.2*gap, 0.55*gap, dy+0.1*gap))
			c = mix(c, inner, hole)
		}
	}
	if gap <= 0.006 {
		c = mix(c, rgb{0.2, 0.07, 0.07}, 0.65*inside(math.Abs(dy)-0.005, 0.013)*step(1.12, 0.95, math.Abs(t)))
	}
	return c.scaled(1 - 0.18*bump((dy-lower-0.035)/0.035)*bump(t))
}

// glasses paints frames, or sunglasses, at a distance before the eyes.
func (f *face) glasses(c rgb, x, y float64) rgb {
	p := f.p
	dx, dy := math.Abs(x)-p.eyeX-0.01, y-p.eyeY-0.01
	if math.Abs(dy) > p.lensH+p.frame+0.02 {
		return c
	}
	// A rounded rectangle.
	const round = 0.06
	qx, qy := max(math.Abs(dx)-p.lensW+round, 0), max(math.Abs(dy)-p.lensH+round, 0)
	d := math.Hypot(qx, qy) - round
	if f.s.sunglasses {
		c = mix(c, rgb{0.07, 0.07, 0.08}, 0.93*inside(d, f.edge))
	} else {
		glint := 0.06 + 0.1*step(0.03, 0, math.Abs(dx+dy*0.8-0.05*f.s.light.x))
		c = mix(c, rgb{0.85, 0.9, 0.95}, glint*inside(d, f.edge))
	}
	rim := inside(math.Abs(d)-p.frame, f.edge)
	if bridge := p.eyeX + 0.01 - p.lensW; math.Abs(x) < bridge {
		rim = max(rim, inside(math.Abs(dy+0.02)-p.frame, f.edge))
	}
	if dx > p.lensW {
		rim = max(rim, inside(math.Abs(dy+0.03)-p.frame, f.edge)) // the temples
	}
	return mix(c, p.frameColour, rim)
}
