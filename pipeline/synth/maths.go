package synth

import "math"

type vec struct{ x, y, z float64 }

func (a vec) dot(b vec) float64 { return a.x*b.x + a.y*b.y + a.z*b.z }

func (a vec) scaled(s float64) vec { return vec{a.x * s, a.y * s, a.z * s} }

func (a vec) plus(b vec) vec { return vec{a.x + b.x, a.y + b.y, a.z + b.z} }

func (a vec) unit() vec { return a.scaled(1 / math.Sqrt(a.dot(a))) }

// rgb is a colour of values in 0 ... 1, or outside until it is written.
type rgb struct{ r, g, b float64 }

// mix returns a, b or what is between them: a + (b-a)t.
func mix(a, b rgb, t float64) rgb {
	return rgb{a.r + (b.r-a.r)*t, a.g + (b.g-a.g)*t, a.b + (b.b-a.b)*t}
}

func (a rgb) times(r, g, b float64) rgb { return rgb{a.r * r, a.g * g, a.b * b} }

func (a rgb) scaled(s float64) rgb { return rgb{a.r * s, a.g * s, a.b * s} }

// far says whether two colours differ so much that there may be an edge between them.
func (a rgb) far(b rgb) bool {
	const d = 0.06
	r, g, bl := a.r-b.r, a.g-b.g, a.b-b.b
	return r > d || r < -d || g > d || g < -d || bl > d || bl < -d
}

// bump is 1 at 0 and falls smoothly to 0 at ±1 and beyond.
func bump(x float64) float64 {
	x = 1 - x*x
	if x <= 0 {
		return 0
	}
	return x * x
}

// step rises smoothly from 0 at lo to 1 at hi.
func step(lo, hi, x float64) float64 {
	t := (x - lo) / (hi - lo)
	if t <= 0 {
		return 0
	}
	if t >= 1 {
		return 1
	}
	return t * t * (3 - 2*t)
}

// inside is 1 where the signed distance d to an edge is negative, 0 where it is
// positive, and changes over the width of the edge.
func inside(d, width float64) float64 {
	if d >= width/2 {
		return 0
	}
	if d <= -width/2 {
		return 1
	}
	return 0.5 - d/width
}

// texture is a smooth function of the plane that looks like chance: values in
// -1 ... 1 on the lattice of whole numbers, interpolated.
func texture(x, y float64) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	ix, iy := int32(fx), int32(fy)
	tx, ty := x-fx, y-fy
	tx, ty = tx*tx*(3-2*tx), ty*ty*(3-2*ty)
	top := lattice(ix, iy)*(1-tx) + lattice(ix+1, iy)*tx
	low := lattice(ix, iy+1)*(1-tx) + lattice(ix+1, iy+1)*tx
	return top*(1-ty) + low*ty
}

func lattice(x, y int32) float64 {
	h := uint32(x)*0x9e3779b1 ^ uint32(y)*0x85ebca6b
	h = (h ^ h>>15) * 0x2c1b3c6d
	h = (h ^ h>>12) * 0x297a2d39
	return float64(h^h>>15)/(1<<31) - 1
}
