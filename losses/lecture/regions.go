package lecture

import (
	"fmt"
	"math"

	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/losses/lecture/figure"
	"github.com/faceverify/fv/losses/metric"
)

// xyz is a point in space: x to the right, y up, z towards the reader.
type xyz struct{ x, y, z float64 }

func (a xyz) dot(b xyz) float64 { return a.x*b.x + a.y*b.y + a.z*b.z }

// turned returns the point after a turn about the vertical axis and one about the horizontal, in radians.
func (a xyz) turned(yaw, pitch float64) xyz {
	sy, cy := math.Sincos(yaw)
	x, z := cy*a.x+sy*a.z, cy*a.z-sy*a.x
	sp, cp := math.Sincos(pitch)
	return xyz{x, cp*a.y - sp*z, cp*z + sp*a.y}
}

// spherePoints returns n points spread evenly over the sphere: a spiral with the golden angle.
func spherePoints(n int) []xyz {
	points := make([]xyz, n)
	for i := range points {
		y := 1 - (2*float64(i)+1)/float64(n)
		r := math.Sqrt(1 - y*y)
		sin, cos := math.Sincos(float64(i) * math.Pi * (3 - math.Sqrt(5)))
		points[i] = xyz{r * cos, y, r * sin}
	}
	return points
}

const sphereSize = 1500

// circleShift, in degrees, keeps points of the circle from boundaries, where rounding would decide.
const circleShift = 0.3

// rule says whether a point of the sphere with these cosines to the own and the other weight satisfies the own class.
type rule func(own, other float64) bool

// headRule is that of a head with the scale 1.
func headRule(h losses.Head) rule {
	return func(own, other float64) bool {
		a, _, _ := h.Target(own, 1)
		b, _, _ := h.Other(other, 1)
		return a > b
	}
}

// euclideanRule is the triplet loss's, with the weights in the place of positive and negative: of unit length, as all points here.
func euclideanRule(margin float64) rule {
	l := anchored{metric.Triplet{Margin: margin}}
	grad := make([]float64, 9)
	return func(own, other float64) bool {
		// In coordinates where x is the first axis: the loss knows the embeddings by their products with x only.
		up := func(c float64) float64 { return math.Sqrt(max(0, 1-c*c)) }
		return metric.Batch(l, grad, []float64{1, 0, 0, own, up(own), 0, other, up(other), 0}, []int{0, 0, 1}) == 0
	}
}

// side says which class a point satisfies: 1, 2, or 0 for neither.
func side(r rule, cos1, cos2 float64) int {
	switch {
	case r(cos1, cos2):
		return 1
	case r(cos2, cos1):
		return 2
	}
	return 0
}

var sideMarks = []struct {
	name  string
	color figure.Color
}{{"between", figure.Grid}, {"one", figure.Blue}, {"two", figure.Vermilion}}

func regionsChapter() *chapter {
	points := spherePoints(sphereSize)
	draw := func(v values) view {
		k := v["j-k"] * degree
		yaw, pitch := v["j-yaw"]*degree, v["j-pitch"]*degree
		out := view{pairs: true}
		sin, cos := math.Sincos(k / 2)
		w := [2]xy{{X: -sin, Y: cos}, {X: sin, Y: cos}}
		ws := [2]xyz{{-sin, 0, cos}, {sin, 0, cos}}
		for _, l := range []struct {
			id, title string
			rule      rule
		}{
			{"euclidean", "Euclidean margin", euclideanRule(v["j-euclidean"])},
			{"modified", "Modified softmax", headRule(losses.NormFace{Scale: 1})},
			{"asoftmax", "A-Softmax", headRule(losses.SphereFace{Scale: 1, Margin: v["j-m"]})},
		} {
			flat := figure.New("j-"+l.id+"-circle", 240, 240, l.title+": the parts of the circle that satisfy class 1, class 2 or neither")
			flat.Title = l.title
			p := flat.Panel(axes{X: [2]float64{-1.35, 1.35}, Y: [2]float64{-1.35, 1.35}, Bare: true, Square: true})
			var arcs [3][]xy
			for d := range 360 {
				s, c := math.Sincos((float64(d) + circleShift) * degree)
				which := side(l.rule, c*w[0].X+s*w[0].Y, c*w[1].X+s*w[1].Y)
				arcs[which] = append(arcs[which], xy{X: c, Y: s})
			}
			ball := figure.New("j-"+l.id+"-sphere", 240, 240, l.title+": the parts of the sphere that satisfy class 1, class 2 or neither")
			ball.Title = "On the sphere"
			q := ball.Panel(axes{X: [2]float64{-1.1, 1.1}, Y: [2]float64{-1.1, 1.1}, Bare: true, Square: true})
			q.Area("disc", style{Color: figure.Grid, Faint: 0.6, Drag: "turn j-yaw j-pitch"}, figure.Arc(1.03, 0, 2*math.Pi)...)
			var dots [3][]xy
			for _, x := range points {
				if t := x.turned(yaw, pitch); t.z > 0 {
					which := side(l.rule, x.dot(ws[0]), x.dot(ws[1]))
					dots[which] = append(dots[which], xy{X: t.x, Y: t.y})
				}
			}
			for i, m := range sideMarks {
				p.Dots(m.name, style{Color: m.color, Width: 9}, arcs[i]...)
				q.Dots(m.name, style{Color: m.color, Width: 5.2}, dots[i]...)
			}
			for i, at := range w {
				name, c := fmt.Sprintf("w%d", i+1), sideMarks[i+1].color
				p.Arrow(name, style{Color: c}, xy{}, xy{X: 0.9 * at.X, Y: 0.9 * at.Y})
				p.Text(name+"-name", style{Color: c, Bold: true, Size: 13}, xy{X: 1.2 * at.X, Y: 1.2 * at.Y}, figure.Middle, xy{Y: 4}, fmt.Sprintf("W%c", '₁'+rune(i)))
				t := ws[i].turned(yaw, pitch)
				label := ""
				if t.z > 0 {
					label = fmt.Sprintf("W%c", '₁'+rune(i))
				}
				q.Text(name+"-name", style{Color: figure.Ink, Bold: true, Size: 14}, xy{X: t.x, Y: t.y}, figure.Middle, xy{Y: 5}, label)
			}
			out.row = append(out.row, flat, ball)
			share := func(i int) float64 {
				n := 0
				for _, x := range points {
					if side(l.rule, x.dot(ws[0]), x.dot(ws[1])) == i {
						n++
					}
				}
				return 100 * float64(n) / sphereSize
			}
			out.readings = append(out.readings, page.Reading{ID: "j-left-" + l.id, Label: l.title + ", left to neither", Value: fixed(share(0), 1) + " % of the sphere"})
		}
		return out
	}
	return &chapter{
		id: "regions", title: "Regions on circle and sphere",
		intro: []page.Block{
			page.Text("Where may an embedding of each class lie, if all have length 1? Blue satisfies class 1, orange class 2, grey neither. A Euclidean margin, as the triplet loss has it, cuts a band of constant width out of the sphere: the same as a margin in the cosine. A-Softmax leaves a cap about each weight, whose size depends on how far apart the weights are."),
			page.Formula(`‖x - W_1‖^2 + m < ‖x - W_2‖^2~~cos θ_1 > cos θ_2~~ψ(θ_1) > cos θ_2`),
		},
		controls: page.Controls{
			{ID: "j-k", Label: "angle between W₁ and W₂", Min: 20, Max: 180, Step: 5, Value: 90, Unit: "°"},
			{ID: "j-euclidean", Label: "m of the Euclidean margin", Max: 2, Step: 0.1, Value: 0.6},
			{ID: "j-m", Label: "m of A-Softmax", Min: 1, Max: 4, Step: 0.25, Value: 2},
			{ID: "j-yaw", Label: "turn", Min: -180, Max: 180, Step: 1, Value: 12, Unit: "°"},
			{ID: "j-pitch", Label: "tilt", Min: -90, Max: 90, Step: 1, Value: 24, Unit: "°"},
		},
		draw:  draw,
		outro: []page.Block{page.Text("The sphere turns under the finger or the mouse. Whether a point satisfies a class is asked of the losses for every one of 1 500 points.")},
	}
}
