package synth

import "math"

// face is a person in a scene, ready to be looked at from any point of the
// picture: the head is an ellipsoid in a shell of hair, lit by one light, and features are
// painted on it in the frame of the head, so that they turn with it.
type face struct {
	p *identity
	s *scene

	cosRoll, sinRoll, cosYaw, sinYaw, cosPitch, sinPitch float64

	view  vec     // towards the viewer, in the head's frame
	gloss vec     // half-way between the light and the viewer
	edge  float64 // width over which edges change
}

func newFace(p *identity, s *scene, edge float64) *face {
	f := &face{p: p, s: s, edge: edge}
	f.sinRoll, f.cosRoll = math.Sincos(s.roll)
	f.sinYaw, f.cosYaw = math.Sincos(s.yaw)
	f.sinPitch, f.cosPitch = math.Sincos(s.pitch)
	f.view = vec{-f.sinYaw, f.cosYaw * f.sinPitch, f.cosYaw * f.cosPitch}
	f.gloss = s.light.plus(f.view).unit()
	return f
}

// sample returns the colour seen at a point of the picture, which spans -1 to 1,
// before the background c.
func (f *face) sample(c rgb, x, y float64) rgb {
	px, py := (x-f.s.dx)/f.s.scale, (y-f.s.dy)/f.s.scale
	px, py = px*f.cosRoll+py*f.sinRoll, py*f.cosRoll-px*f.sinRoll
	// Dividing x by the profile gives the ellipsoid the outline of a head.
	hx := px / f.profile(py/f.p.height)
	origin := vec{hx * f.cosYaw, py*f.cosPitch + hx*f.sinYaw*f.sinPitch, hx*f.sinYaw*f.cosPitch - py*f.sinPitch}

	near, far, hit := f.intersect(origin, f.p.hairVol)
	front := 0.0
	if hit > 0 {
		front = hit * f.hairy(near)
	}
	if front < 1 { // else hair hides what is behind it
		c = f.body(c, px, py)
		if hit > 0 {
			if a := hit * f.hairy(far); a > 0 {
				c = mix(c, f.hairAt(far), a)
			}
		}
		c = f.ears(c, hx, py, false)
		if at, _, on := f.intersect(origin, 1); on > 0 {
			c = mix(c, f.skinAt(at), on)
		}
		c = f.ears(c, hx, py, true)
	}
	if front > 0 {
		c = mix(c, f.hairAt(near), front)
	}
	if f.s.hat && hit > 0 {
		c = f.hat(c, near, hit)
	}
	return f.s.cover.over(c, x, y, f.edge)
}

// profile returns how much wider than an ellipse the head is at height v = y/height.
func (f *face) profile(v float64) float64 {
	return 1 - f.p.jaw*step(0.1, 1, v) + f.p.cheek*bump((v-0.2)/0.5) + 0.06*step(0.3, 0.9, -v)
}

// intersect returns where the line of sight from origin enters and leaves the
// head's ellipsoid, size times as large, and how much of the sample hits it.
func (f *face) intersect(origin vec, size float64) (near, far vec, hit float64) {
	a, b, c := 1/(size*f.p.width), 1/(size*f.p.height), 1/(size*f.p.depth)
	o := vec{origin.x * a, origin.y * b, origin.z * c}
	d := vec{f.view.x * a, f.view.y * b, f.view.z * c}
	dd, od := d.dot(d), o.dot(d)
	disc := od*od - dd*(o.dot(o)-1)
	// At the outline the discriminant falls by 2 dd/width a unit of length.
	hit = inside(-disc*f.p.width/(2*dd), f.edge)
	if hit == 0 {
		return vec{}, vec{}, 0
	}
	root := math.Sqrt(max(disc, 0))
	return origin.plus(f.view.scaled((root - od) / dd)), origin.plus(f.view.scaled((-root - od) / dd)), hit
}

// lit returns a colour under the scene's light on a surface with normal n.
func (f *face) lit(c rgb, n vec, shine float64) rgb {
	l := f.s.ambient + f.s.direct*max(0, n.dot(f.s.light))
	l *= f.s.gain * (0.8 + 0.2*max(0, n.dot(f.view))) // edges are darker
	c = rgb{c.r * l * f.s.tint.r, c.g * l * f.s.tint.g, c.b * l * f.s.tint.b}
	if g := n.dot(f.gloss); g > 0 && shine > 0 {
		g *= g
		g *= g
		g *= g
		g *= shine * f.s.direct
		c = rgb{c.r + g, c.g + g, c.b + g}
	}
	return c
}

// normal returns the unit normal of the ellipsoid at a point.
func (f *face) normal(at vec) vec {
	p := f.p
	return vec{at.x / (p.width * p.width), at.y / (p.height * p.height), at.z / (p.depth * p.depth)}.unit()
}

// background is a gradient with a few round things.
func (s *scene) background(x, y float64) rgb {
	c := mix(s.back[0], s.back[1], step(-1.2, 1.2, x*s.backX+y*s.backY))
	for _, b := range s.blobs {
		dx, dy := x-b.x, y-b.y
		c = mix(c, b.c, 0.6*step(b.r*b.r, 0.5*b.r*b.r, dx*dx+dy*dy))
	}
	return c
}

// body paints neck, shoulders and long hair, which lie behind the head.
func (f *face) body(c rgb, x, y float64) rgb {
	p := f.p
	light := (f.s.ambient + 0.5*f.s.direct) * f.s.gain
	if p.style == long && y > -0.3 {
		w := p.width * p.hairVol * (0.9 + 0.18*step(-0.3, 0.15, y) + 0.06*p.waves*texture(3*y, p.waves*9))
		strands := 0.75 + 0.2*texture(40*x, 3*y)
		c = mix(c, p.hair.scaled(light*strands), inside(math.Abs(x)-w, f.edge)*step(1.15, 0.95, y))
	}
	if y < 0.25 {
		return c
	}
	neck := math.Abs(x) - 0.62*p.width - 0.25*max(0, y-0.75)
	c = mix(c, p.skin.scaled(0.72*light*(1-0.35*step(0.6*p.width, 0, 0.6*p.width-math.Abs(x)))), inside(neck, f.edge))
	collar := 0.86 + 0.12*x*x
	if d := collar - y; d < f.edge {
		shade := light * (0.8 - 0.15*x*f.s.light.x)
		c = mix(c, f.s.shirt.scaled(shade), inside(d+0.12*bump(x/(0.6*p.width)), f.edge))
	}
	return c
}

// ears paints the ears nearer to the viewer than the head's middle, or the others.
func (f *face) ears(c rgb, x, y float64, near bool) rgb {
	p := f.p
	for side := -1.0; side <= 1; side += 2 {
		if (side*f.sinYaw < 0) != near {
			continue
		}
		dx := side*x - p.width*f.cosYaw - 0.012
		dy := y - 0.03*p.height + f.sinPitch*0.1
		wide := p.earSize * (0.38 + 0.5*math.Abs(f.sinYaw))
		if dx < -wide || dx > wide || math.Abs(dy) > p.earSize {
			continue
		}
		r := math.Hypot(dx/wide, dy/p.earSize)
		n := vec{side * f.cosYaw, 0, 0.6}.unit()
		ear := mix(p.skin, rgb{0.6, 0.2, 0.15}, 0.12).scaled(0.7 + 0.3*step(0.2, 0.8, r))
		c = mix(c, f.lit(ear, n, 0), inside((r-1)*wide, f.edge))
	}
	return c
}

// over paints what lies between the viewer and the face.
func (o cover) over(c rgb, x, y, edge float64) rgb {
	if !o.on {
		return c
	}
	across, along := (x-o.x)*o.nx+(y-o.y)*o.ny, (y-o.y)*o.nx-(x-o.x)*o.ny
	a := inside(math.Abs(across)-o.half, edge)
	if a == 0 {
		return c
	}
	round := across / o.half
	return mix(c, o.c.scaled(0.65+0.35*(1-round*round)+0.08*texture(12*across, 4*along)), a)
}
