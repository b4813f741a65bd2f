package lecture

import (
	"fmt"
	"math"

	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/losses/lecture/figure"
)

// binary is a head between two classes, whose weights may be of different lengths.
type binary struct {
	head             losses.Head
	length1, length2 float64
}

// own1 and the others are the logits of the two classes at an angle to their weight, as the own class and as the other.
func (b binary) own1(t float64) float64   { z, _, _ := b.head.Target(math.Cos(t), b.length1); return z }
func (b binary) own2(t float64) float64   { z, _, _ := b.head.Target(math.Cos(t), b.length2); return z }
func (b binary) other1(t float64) float64 { z, _, _ := b.head.Other(math.Cos(t), b.length1); return z }
func (b binary) other2(t float64) float64 { z, _, _ := b.head.Other(math.Cos(t), b.length2); return z }

// falls returns where a decreasing function of an angle has fallen to v: 0 if it is never above, π if it never falls to it.
func falls(f func(float64) float64, v float64) float64 {
	if f(0) <= v {
		return 0
	}
	if f(math.Pi) > v {
		return math.Pi
	}
	lo, hi := 0.0, math.Pi
	for range 60 {
		if mid := (lo + hi) / 2; f(mid) > v {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// regions returns where class 1 wins by its own rule in the plane of (θ1, θ2), and where class 2 does, as polygons in degrees.
func (b binary) regions() (one, two []xy) {
	for d := 0; d <= 180; d += 3 {
		t := float64(d) * degree
		one = append(one, xy{X: float64(d), Y: falls(b.other2, b.own1(t)) / degree})
		two = append(two, xy{X: falls(b.other1, b.own2(t)) / degree, Y: float64(d)})
	}
	return append(one, xy{X: 180, Y: 180}, xy{X: 0, Y: 180}), append(two, xy{X: 180, Y: 180}, xy{X: 180, Y: 0})
}

func planesChapter() *chapter {
	draw := func(v values) view {
		list := []struct {
			id, title string
			b         binary
		}{
			{"softmax", "Softmax", binary{losses.Softmax{}, v["k-ratio"], 1}},
			{"normface", "NormFace", binary{losses.NormFace{Scale: 1}, 1, 1}},
			{"sphereface", "SphereFace", binary{losses.SphereFace{Scale: 1, Margin: v["k-sphere"]}, 1, 1}},
			{"cosface", "CosFace", binary{losses.CosFace{Scale: 1, Margin: v["k-cos"]}, 1, 1}},
			{"arcface", "ArcFace", binary{losses.ArcFace{Scale: 1, Margin: v["k-arc"]}, 1, 1}},
		}
		out := view{pairs: true}
		for _, l := range list {
			one, two := l.b.regions()
			for k, plane := range []string{"angle", "cosine"} {
				f := figure.New("k-"+l.id+"-"+plane, 176, 190, fmt.Sprintf("%s: the regions of two classes in the plane of the two %ss", l.title, plane))
				f.Title = l.title + []string{"", ", cosines"}[k]
				x := axes{X: [2]float64{0, 180}, Y: [2]float64{0, 180}, XLabel: "θ₁", YLabel: "θ₂", XTicks: figure.Every(0, 180, 90, "°"), YTicks: figure.Every(0, 180, 90, "°")}
				if k == 1 {
					x = axes{X: [2]float64{-1, 1}, Y: [2]float64{-1, 1}, XLabel: "cos θ₁", YLabel: "cos θ₂", XTicks: figure.Every(-1, 1, 1, ""), YTicks: figure.Every(-1, 1, 1, "")}
				}
				p := f.Panel(x)
				at := func(q xy) xy {
					if k == 1 {
						return xy{X: math.Cos(q.X * degree), Y: math.Cos(q.Y * degree)}
					}
					return q
				}
				for n, region := range [][]xy{one, two} {
					c := []figure.Color{figure.Blue, figure.Vermilion}[n]
					var points []xy
					for _, q := range region {
						points = append(points, at(q))
					}
					p.Area([]string{"one", "two"}[n], style{Color: c}, points...)
					p.Line([]string{"edge1", "edge2"}[n], style{Color: c}, points[:len(points)-2]...)
					where := at([]xy{{X: 45, Y: 145}, {X: 135, Y: 35}}[n])
					p.Text("", style{Color: c, Bold: true, Size: 12}, where, figure.Middle, xy{Y: 4}, []string{"1", "2"}[n])
				}
				out.row = append(out.row, f)
			}
		}
		return out
	}
	return &chapter{
		id: "planes", title: "Decision regions of five heads",
		intro: []page.Block{
			page.Text("Two classes, seen by the angles of a sample to their weights, and by the cosines. In the blue region a sample of class 1 is won by class 1, in the other one a sample of class 2 by class 2; between them lies the margin, where training still has work to do. SphereFace's margin narrows with the angle, CosFace's is straight in the plane of cosines, ArcFace's in the plane of angles."),
		},
		controls: page.Controls{
			{ID: "k-ratio", Label: "‖W₁‖/‖W₂‖ of softmax", Min: 0.5, Max: 2, Step: 0.05, Value: 1.3},
			{ID: "k-sphere", Label: "m of SphereFace", Min: 1, Max: 4, Step: 0.1, Value: 2},
			{ID: "k-cos", Label: "m of CosFace", Max: 1, Step: 0.05, Value: 0.35},
			{ID: "k-arc", Label: "m of ArcFace", Max: 1.2, Step: 0.05, Value: 0.5},
		},
		draw: draw,
		outro: []page.Block{page.Table{Caption: "Boundaries of a sample of class 1", Text: 3, Head: []string{"head", "boundary", "in the picture"}, Rows: [][]string{
			{"softmax", "(W₁ − W₂)·x + b₁ − b₂ = 0", "bent by the lengths; no margin"},
			{"modified softmax", "‖x‖ (cos θ₁ − cos θ₂) = 0", "the diagonal"},
			{"NormFace", "s (cos θ₁ − cos θ₂) = 0", "the diagonal"},
			{"A-Softmax, SphereFace", "‖x‖ (ψ(θ₁) − cos θ₂) = 0;  mθ₁ = θ₂ where mθ₁ ≤ 180°", "a line through the corner: no margin at θ₁ = 0"},
			{"CosFace, AM-Softmax", "cos θ₁ = cos θ₂ + m", "a parallel in cosines"},
			{"ArcFace", "θ₁ + m = θ₂", "a parallel in angles"},
		}}},
	}
}

// square is the plane of the chapter on the bias: from -square to square both ways.
const square = 3

// half returns the part of the square where f, which is linear, is above 0, and the line where it is 0.
func half(f func(xy) float64) (region, edge []xy) {
	corners := []xy{{X: -square, Y: -square}, {X: square, Y: -square}, {X: square, Y: square}, {X: -square, Y: square}}
	for i, a := range corners {
		b := corners[(i+1)%4]
		fa, fb := f(a), f(b)
		if fa > 0 {
			region = append(region, a)
		}
		if (fa > 0) != (fb > 0) {
			lo, hi := 0.0, 1.0
			for range 60 {
				mid := (lo + hi) / 2
				if (f(xy{X: a.X + mid*(b.X-a.X), Y: a.Y + mid*(b.Y-a.Y)}) > 0) == (fa > 0) {
					lo = mid
				} else {
					hi = mid
				}
			}
			q := xy{X: a.X + lo*(b.X-a.X), Y: a.Y + lo*(b.Y-a.Y)}
			region, edge = append(region, q), append(edge, q)
		}
	}
	return region, edge
}

// logitOf returns a head's logit of x for the weight w and a bias.
func logitOf(h losses.Head, x, w xy, bias float64) float64 {
	nx, nw := math.Hypot(x.X, x.Y), math.Hypot(w.X, w.Y)
	if nx == 0 || nw == 0 {
		return bias
	}
	norm := nx
	if !h.Geometry().UnitWeights {
		norm *= nw
	}
	z, _, _ := h.Other((x.X*w.X+x.Y*w.Y)/(nx*nw), norm)
	return z + bias
}

func biasChapter() *chapter {
	draw := func(v values) view {
		turn := v["h-angle"] / 2 * degree
		sin, cos := math.Sincos(turn)
		w1, w2 := xy{X: v["h-w1"] * cos, Y: v["h-w1"] * sin}, xy{X: v["h-w2"] * cos, Y: -v["h-w2"] * sin}
		x := xy{X: v["h-x"], Y: v["h-y"]}
		out := view{}
		for _, l := range []struct {
			id, title, caption string
			head               losses.Head
			bias               float64
		}{
			{"h-softmax", "Softmax", "The boundary is perpendicular to W₁ − W₂, not halfway between them, and the bias pushes it off the origin.", losses.Softmax{}, v["h-bias"]},
			{"h-modified", "Modified softmax", "With unit weights and no bias it is the bisector, whatever was learned: only angles count.", losses.Modified{}, 0},
		} {
			f := figure.New(l.id, 380, 340, l.title+": two weights in a plane and the regions of the two classes")
			f.Title, f.Caption = l.title, l.caption
			p := f.Panel(axes{X: [2]float64{-square, square}, Y: [2]float64{-square, square}, Bare: true, Square: true})
			u1, u2 := w1, w2
			if l.head.Geometry().UnitWeights {
				u1, u2 = xy{X: cos, Y: sin}, xy{X: cos, Y: -sin}
			}
			one, edge := half(func(q xy) float64 { return logitOf(l.head, q, u1, l.bias) - logitOf(l.head, q, u2, 0) })
			two, _ := half(func(q xy) float64 { return logitOf(l.head, q, u2, 0) - logitOf(l.head, q, u1, l.bias) })
			p.Area("one", style{Color: figure.Blue}, one...)
			p.Area("two", style{Color: figure.Vermilion}, two...)
			p.Line("bisector", style{Color: figure.Grey, Width: 1, Dash: true}, xy{X: -square}, xy{X: square})
			p.Line("edge", style{Color: figure.Ink, Width: 2.2}, edge...)
			p.Arrow("w1", style{Color: figure.Blue, Width: 2.6}, xy{}, u1)
			p.Arrow("w2", style{Color: figure.Vermilion, Width: 2.6}, xy{}, u2)
			p.Text("w1-name", style{Color: figure.Blue, Bold: true, Size: 13}, u1, figure.Start, xy{X: 5, Y: -3}, "W₁")
			p.Text("w2-name", style{Color: figure.Vermilion, Bold: true, Size: 13}, u2, figure.Start, xy{X: 5, Y: 12}, "W₂")
			p.Dots("x", style{Color: figure.Ink, Width: 12, Drag: "xy h-x h-y"}, x)
			p.Text("x-name", style{Color: figure.Ink, Bold: true, Size: 13}, x, figure.Start, xy{X: 9, Y: 4}, "x")
			out.row = append(out.row, f)
			z1, z2 := logitOf(l.head, x, u1, l.bias), logitOf(l.head, x, u2, 0)
			for n, z := range []float64{z1, z2} {
				out.readings = append(out.readings, page.Reading{ID: fmt.Sprintf("%s-z%d", l.id, n+1), Label: fmt.Sprintf("%s, z%c", l.title, '₁'+rune(n)), Value: fixed(z, 3)})
			}
		}
		return out
	}
	return &chapter{
		id: "bias", title: "What lengths and biases do to a boundary",
		intro: []page.Block{
			page.Text("Softmax decides for the larger of two dot products with a bias. A class with a longer weight or a larger bias takes room from the other, which has nothing to do with what its faces look like. The modified softmax takes both away; what is left is the angle, and that is what faces are compared by."),
			page.Formula(`(W_1 - W_2) · x + b_1 - b_2 = 0~~‖x‖ (cos θ_1 - cos θ_2) = 0`),
		},
		controls: page.Controls{
			{ID: "h-w1", Label: "‖W₁‖", Min: 0.4, Max: 2.6, Step: 0.05, Value: 2},
			{ID: "h-w2", Label: "‖W₂‖", Min: 0.4, Max: 2.6, Step: 0.05, Value: 1},
			{ID: "h-angle", Label: "angle between them", Min: 20, Max: 170, Step: 5, Value: 80, Unit: "°"},
			{ID: "h-bias", Label: "b₁ − b₂", Min: -3, Max: 3, Step: 0.1, Value: 0},
			{ID: "h-x", Label: "sample x, across", Min: -2.9, Max: 2.9, Step: 0.05, Value: 1.5},
			{ID: "h-y", Label: "sample x, up", Min: -2.9, Max: 2.9, Step: 0.05, Value: -0.3},
		},
		draw: draw,
	}
}
