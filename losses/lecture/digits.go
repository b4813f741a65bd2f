package lecture

import (
	"math"

	"github.com/faceverify/fv/internal/random"
)

// digitSide is the width and height of a drawn digit, digitKinds how many kinds there are.
const digitSide, digitKinds = 14, 6

// digitStrokes are the digits 0 to 5 as pen strokes in a square from 0 to 1, y downwards.
var digitStrokes = [digitKinds][][][2]float64{
	{{{0.5, 0.1}, {0.25, 0.3}, {0.25, 0.7}, {0.5, 0.9}, {0.75, 0.7}, {0.75, 0.3}, {0.5, 0.1}}},
	{{{0.35, 0.25}, {0.55, 0.1}, {0.55, 0.9}}},
	{{{0.25, 0.3}, {0.4, 0.1}, {0.65, 0.12}, {0.75, 0.32}, {0.25, 0.9}, {0.78, 0.9}}},
	{{{0.25, 0.12}, {0.72, 0.12}, {0.45, 0.45}, {0.75, 0.65}, {0.55, 0.9}, {0.25, 0.82}}},
	{{{0.65, 0.9}, {0.65, 0.1}, {0.22, 0.65}, {0.82, 0.65}}},
	{{{0.75, 0.1}, {0.3, 0.1}, {0.28, 0.45}, {0.6, 0.42}, {0.76, 0.65}, {0.6, 0.9}, {0.25, 0.85}}},
}

// digit writes into pixels [digitSide²] a digit as a hand of its own would have written it: turned, slanted, stretched, moved, with
// a pen of some width, bent strokes and a little noise. The same seed and index give the same picture.
func digit(pixels []float32, seed uint64, index, kind int) {
	r := random.New(seed, random.Lecture, index, 3)
	turn, slant := 0.16*r.NormFloat64(), 0.16*r.NormFloat64()
	sx, sy := 0.85+0.1*r.NormFloat64(), 0.85+0.07*r.NormFloat64()
	dx, dy := 0.05*r.NormFloat64(), 0.05*r.NormFloat64()
	pen := 0.055 + 0.02*r.Float64()
	sin, cos := math.Sincos(turn)
	var strokes [][][2]float64
	for _, s := range digitStrokes[kind] {
		var moved [][2]float64
		for _, q := range s {
			x := q[0] - 0.5 + 0.035*r.NormFloat64()
			y := q[1] - 0.5 + 0.035*r.NormFloat64()
			x, y = sx*(x-slant*y), sy*y
			moved = append(moved, [2]float64{0.5 + dx + cos*x - sin*y, 0.5 + dy + sin*x + cos*y})
		}
		strokes = append(strokes, moved)
	}
	for i := range pixels {
		x, y := (float64(i%digitSide)+0.5)/digitSide, (float64(i/digitSide)+0.5)/digitSide
		near := math.Inf(1)
		for _, s := range strokes {
			for k := range len(s) - 1 {
				near = min(near, toSegment(x, y, s[k], s[k+1]))
			}
		}
		ink := 1 / (1 + math.Exp((near-pen)/0.018))
		pixels[i] = float32(ink + 0.08*r.NormFloat64() - 0.2)
	}
}

// toSegment returns the distance of (x, y) from the segment ab.
func toSegment(x, y float64, a, b [2]float64) float64 {
	vx, vy := b[0]-a[0], b[1]-a[1]
	t := ((x-a[0])*vx + (y-a[1])*vy) / max(vx*vx+vy*vy, 1e-12)
	t = min(max(t, 0), 1)
	return math.Hypot(x-a[0]-t*vx, y-a[1]-t*vy)
}
