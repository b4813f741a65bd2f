package lecture

import (
	"fmt"
	"math"

	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/losses/lecture/figure"
)

// marginAt returns the angle between the boundaries of two classes, on the arc between weights that are K apart.
func marginAt(h losses.Head, k float64) float64 {
	return k - 2*curve{head: h, unit: 1, norm: 1}.meets(k)
}

// margins are the three heads of the chapter.
func margins(sphere, cosine, angle float64) []losses.Head {
	return []losses.Head{losses.SphereFace{Scale: 1, Margin: sphere}, losses.CosFace{Scale: 1, Margin: cosine}, losses.ArcFace{Scale: 1, Margin: angle}}
}

// degrees writes an angle in radians in degrees.
func degrees(v float64) string {
	if math.IsNaN(v) {
		return "none"
	}
	return fixed(v/degree, 1) + "°"
}

func separationChapter() *chapter {
	ids := []string{"sphere", "cos", "arc"}
	labels := []string{"A-Softmax", "CosFace", "ArcFace"}
	colors := []figure.Color{figure.Blue, figure.Vermilion, figure.Teal}
	draw := func(v values) view {
		k := v["l-k"] * degree
		heads := margins(v["l-sphere"], v["l-cos"], v["l-arc"])
		f := figure.New("l-margin", 380, 320, "The margin in degrees against the angle between the two weights for three heads")
		f.Title, f.Caption = "The margin that two classes get", "The angle between their boundaries against the angle K between their weights. Drag a point."
		p := f.Panel(axes{X: [2]float64{0, 180}, Y: [2]float64{-4, 120}, XLabel: "angle K between W₁ and W₂", YLabel: "margin", XTicks: angleTicks, YTicks: figure.Every(0, 120, 30, "°")})
		rings := figure.New("l-rings", 380, 290, "The arc between two weights, and on three rings the parts that each class keeps")
		rings.Title, rings.Caption = "Where the boundaries are", "Coloured: the arc that each class keeps for itself. Grey: the margin. Where there is none, the ring is empty: no embedding on the arc satisfies both."
		q := rings.Panel(axes{X: [2]float64{-1.25, 1.25}, Y: [2]float64{-0.15, 1.55}, Bare: true, Square: true})
		out := view{row: []*figure.Figure{f, rings}}
		for i, h := range heads {
			p.Line(ids[i], style{Color: colors[i], Width: 2.2, Hover: labels[i]}, figure.Function(2, 180, 89, func(d float64) float64 { return marginAt(h, d*degree) / degree })...)
			m := marginAt(h, k)
			p.Dots(ids[i]+"-at", style{Color: colors[i], Width: 11, Drag: "x l-k"}, xy{X: v["l-k"], Y: m / degree})
			p.Text("", style{Color: colors[i], Bold: true}, xy{X: 0, Y: 120}, figure.Start, xy{X: 8, Y: 16 + 14*float64(i)}, labels[i])
			radius := []float64{1, 0.8, 0.6}[i]
			left, right := math.Pi/2+k/2, math.Pi/2-k/2
			var one, two, between []xy
			if !math.IsNaN(m) {
				t := (k - m) / 2
				one, two, between = figure.Arc(radius, left, left-t), figure.Arc(radius, right, right+t), figure.Arc(radius, right+t, left-t)
			}
			q.Line(ids[i]+"-between", style{Color: figure.Grid, Width: 12}, between...)
			q.Line(ids[i]+"-one", style{Color: figure.Blue, Width: 8}, one...)
			q.Line(ids[i]+"-two", style{Color: figure.Vermilion, Width: 8}, two...)
			q.Text("", style{Color: figure.Ink}, xy{X: -1.25, Y: 1.55}, figure.Start, xy{Y: 10 + 14*float64(i)}, []string{"outside", "middle", "inside"}[i]+": "+labels[i])
			out.readings = append(out.readings, page.Reading{ID: "l-" + ids[i] + "-margin", Label: labels[i] + "'s margin", Value: degrees(m)})
		}
		for n, turn := range []float64{math.Pi/2 + k/2, math.Pi/2 - k/2} {
			sin, cos := math.Sincos(turn)
			name, c := fmt.Sprintf("w%d", n+1), []figure.Color{figure.Blue, figure.Vermilion}[n]
			q.Arrow(name, style{Color: c, Width: 1.5}, xy{}, xy{X: 1.1 * cos, Y: 1.1 * sin})
			q.Text(name+"-name", style{Color: c, Bold: true, Size: 13}, xy{X: 1.19 * cos, Y: 1.19 * sin}, figure.Middle, xy{Y: 4}, fmt.Sprintf("W%c", '₁'+rune(n)))
		}
		return out
	}
	return &chapter{
		id: "separation", title: "Margin against the separation of classes",
		intro: []page.Block{
			page.Text("Take two weights K apart and walk from one to the other. Where does class 1 end by its own rule, and where does class 2 begin? The angle between is the margin in fact. A-Softmax's is a share of K: classes that are close, the hard ones, get the least. CosFace's is constant in the cosine and so grows as K falls, until no point satisfies it. ArcFace's is the same everywhere."),
			page.Formula(`"A-Softmax:" ~\frac{m - 1}{m + 1} K~~"CosFace:" ~2 asin \frac{m}{2 sin(K/2)}~~"ArcFace:" ~m`),
		},
		controls: page.Controls{
			{ID: "l-k", Label: "K", Min: 2, Max: 180, Step: 1, Value: 60, Unit: "°"},
			{ID: "l-sphere", Label: "m of A-Softmax", Min: 1, Max: 4, Step: 0.5, Value: 2},
			{ID: "l-cos", Label: "m of CosFace", Max: 1, Step: 0.05, Value: 0.35},
			{ID: "l-arc", Label: "m of ArcFace", Max: 1, Step: 0.05, Value: 0.5},
		},
		draw:  draw,
		outro: []page.Block{workedMargins(), workedPoint()},
	}
}

// workedMargins computes the examples of the text.
func workedMargins() page.Table {
	t := page.Table{Caption: "Worked examples", Text: 2, Head: []string{"head", "setting", "K", "boundary at θ₁", "margin"}}
	for _, e := range []struct {
		name, setting string
		head          losses.Head
		k             float64
	}{
		{"A-Softmax", "m = 2", losses.SphereFace{Scale: 1, Margin: 2}, 30}, {"A-Softmax", "m = 2", losses.SphereFace{Scale: 1, Margin: 2}, 120},
		{"CosFace", "m = 0.35", losses.CosFace{Scale: 1, Margin: 0.35}, 45}, {"CosFace", "m = 0.35", losses.CosFace{Scale: 1, Margin: 0.35}, 60},
		{"CosFace", "m = 0.35", losses.CosFace{Scale: 1, Margin: 0.35}, 120},
		{"ArcFace", "m = 0.5 rad", losses.ArcFace{Scale: 1, Margin: 0.5}, 60}, {"ArcFace", "m = 0.5 rad", losses.ArcFace{Scale: 1, Margin: 0.5}, 120},
	} {
		m := marginAt(e.head, e.k*degree)
		t.Rows = append(t.Rows, []string{e.name, e.setting, fixed(e.k, 0) + "°", degrees((e.k*degree - m) / 2), degrees(m)})
	}
	return t
}

// workedPoint computes the example of a point in the margin.
func workedPoint() page.Text {
	h := losses.SphereFace{Scale: 1, Margin: 2}
	own, _, _ := h.Target(math.Cos(11*degree), 1)
	other, _, _ := h.Other(math.Cos(19*degree), 1)
	verdict := "class 1 has it"
	if own < other {
		verdict = "class 2 wins: the point is within the margin, although it is nearer to W₁"
	}
	return page.Text(fmt.Sprintf("A point between weights that are 30° apart, 11° from W₁ and 19° from W₂, under A-Softmax with m = 2: class 1 has ψ(11°) = cos 22° = %s, class 2 cos 19° = %s; %s.", fixed(own, 4), fixed(other, 4), verdict))
}
