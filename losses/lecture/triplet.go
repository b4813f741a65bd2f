package lecture

import (
	"fmt"
	"math"

	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/losses/lecture/figure"
	"github.com/faceverify/fv/losses/metric"
)

// anchored is the triplet loss of one triplet: anchor, positive, negative. metric.Triplet lets both of a pair be the anchor.
type anchored struct{ metric.Triplet }

// Of implements metric.Loss.
func (l anchored) Of(p *metric.Products) float64 {
	v := p.Squared(0, 1) - p.Squared(0, 2) + l.Margin
	if v <= 0 {
		return 0
	}
	p.AddSquared(0, 1, 1)
	p.AddSquared(0, 2, -1)
	return v
}

// tripletState is a triplet of unit vectors, its squared distances and its loss.
type tripletState struct {
	at                 [3]xy
	positive, negative float64
	loss               float64
	gradient           []float64
}

func tripletAt(at [3]xy, margin float64) tripletState {
	s := tripletState{at: at, gradient: make([]float64, 6)}
	x := []float64{at[0].X, at[0].Y, at[1].X, at[1].Y, at[2].X, at[2].Y}
	s.loss = metric.Batch(anchored{metric.Triplet{Margin: margin}}, s.gradient, x, []int{0, 0, 1})
	d := func(i int) float64 { return squared(at[0], at[i]) }
	s.positive, s.negative = d(1), d(2)
	return s
}

func squared(a, b xy) float64 { return (a.X-b.X)*(a.X-b.X) + (a.Y-b.Y)*(a.Y-b.Y) }

// step goes against the gradient and back to length 1.
func (s tripletState) step(rate float64) [3]xy {
	var next [3]xy
	for i, q := range s.at {
		q = xy{X: q.X - rate*s.gradient[2*i], Y: q.Y - rate*s.gradient[2*i+1]}
		r := math.Hypot(q.X, q.Y)
		next[i] = xy{X: q.X / r, Y: q.Y / r}
	}
	return next
}

func tripletChapter() *chapter {
	names := [3]string{"anchor", "positive", "negative"}
	colors := [3]figure.Color{figure.Ink, figure.Blue, figure.Vermilion}
	draw := func(v values) view {
		var at [3]xy
		for i, n := range names {
			sin, cos := math.Sincos(v["f-"+n] * degree)
			at[i] = xy{X: cos, Y: sin}
		}
		before := tripletAt(at, v["f-margin"])
		after := tripletAt(before.step(v["f-rate"]), v["f-margin"])

		circle := figure.New("f-circle", 380, 340, "Anchor, positive and negative on the unit circle before and after a step")
		circle.Title, circle.Caption = "One step", "Embeddings of length 1. Drag the three; arrows show where a step takes them. Dashed: where the negative may begin, d(a,p) + m from the anchor."
		p := circle.Panel(axes{X: [2]float64{-1.4, 1.4}, Y: [2]float64{-1.3, 1.3}, Bare: true, Square: true})
		p.Line("", style{Color: figure.Grey, Width: 1}, figure.Arc(1, 0, 2*math.Pi)...)
		reach := math.Sqrt(before.positive + v["f-margin"])
		var allowed []xy
		for _, q := range figure.Arc(reach, 0, 2*math.Pi) {
			allowed = append(allowed, xy{X: at[0].X + q.X, Y: at[0].Y + q.Y})
		}
		p.Line("reach", style{Color: figure.Grey, Width: 1, Dash: true}, allowed...)
		p.Line("ap", style{Color: figure.Blue, Width: 1.2}, at[0], at[1])
		p.Line("an", style{Color: figure.Vermilion, Width: 1.2}, at[0], at[2])
		for i, n := range names {
			p.Dots(n+"-after", style{Color: colors[i], Width: 8, Faint: 0.5}, after.at[i])
			p.Arrow(n+"-step", style{Color: colors[i], Width: 2}, at[i], after.at[i])
			p.Dots(n, style{Color: colors[i], Width: 13, Drag: "angle f-" + n}, at[i])
			p.Text(n+"-name", style{Color: colors[i], Bold: true}, xy{X: 1.16 * at[i].X, Y: 1.16 * at[i].Y}, figure.Middle, xy{Y: 4}, n)
		}
		scale := figure.New("f-distances", 380, 200, "Squared distances to positive and negative and the margin, before and after the step")
		scale.Title, scale.Caption = "What the loss sees", "Squared distances from the anchor. The loss is how far the negative lies inside the bar, which is the margin."
		q := scale.Panel(axes{X: [2]float64{0, 4.6}, Y: [2]float64{-0.6, 1.7}, XLabel: "squared distance", YTicks: []figure.Tick{{At: 1}, {At: 0}}})
		for k, s := range []tripletState{before, after} {
			y, n := float64(1-k), []string{"before", "after"}[k]
			q.Text("", style{Color: figure.Ink, Bold: true}, xy{X: 4.6, Y: y}, figure.End, xy{Y: -5}, n)
			q.Area(n+"-margin", style{Color: figure.Blue, Faint: 0.7}, xy{X: s.positive, Y: y - 0.16}, xy{X: s.positive, Y: y + 0.16},
				xy{X: s.positive + v["f-margin"], Y: y + 0.16}, xy{X: s.positive + v["f-margin"], Y: y - 0.16})
			q.Dots(n+"-p", style{Color: figure.Blue, Width: 10}, xy{X: s.positive, Y: y})
			q.Dots(n+"-n", style{Color: figure.Vermilion, Width: 10}, xy{X: s.negative, Y: y})
			q.Text(n+"-pt", style{Color: figure.Blue}, xy{X: s.positive, Y: y}, figure.Middle, xy{Y: -13}, "d(a,p) "+fixed(s.positive, 2))
			q.Text(n+"-nt", style{Color: figure.Vermilion}, xy{X: s.negative, Y: y}, figure.Middle, xy{Y: 21}, "d(a,n) "+fixed(s.negative, 2))
		}
		kind := "outside the margin: no loss"
		switch {
		case before.negative <= before.positive:
			kind = "hard"
		case before.loss > 0:
			kind = "semi-hard"
		}
		return view{row: []*figure.Figure{circle, scale}, readings: page.Readings{
			{ID: "f-before", Label: "loss before", Value: fixed(before.loss, 4)},
			{ID: "f-after", Label: "loss after", Value: fixed(after.loss, 4)},
			{ID: "f-kind", Label: "the triplet is", Value: kind},
		}}
	}
	angle := func(i int, value float64) page.Control {
		return page.Control{ID: "f-" + names[i], Label: names[i], Min: -180, Max: 180, Step: 1, Value: value, Unit: "°"}
	}
	return &chapter{
		id: "triplet", title: "Triplet loss",
		intro: []page.Block{
			page.Text("The triplet loss knows no classes, only a comparison: an anchor should be nearer to a positive, of the same person, than to a negative, of another, by a margin m. Once that holds, the triplet teaches nothing any more; so it matters which triplets are taken."),
			page.Formula(`L = max(0, d(a,p) - d(a,n) + m)~~d(x, x') = ‖x - x'‖^2`),
		},
		controls: page.Controls{
			angle(0, 90), angle(1, 35), angle(2, 150),
			{ID: "f-margin", Label: "margin m", Max: 2, Step: 0.05, Value: 0.2},
			{ID: "f-rate", Label: "learning rate", Min: 0.02, Max: 0.5, Step: 0.02, Value: 0.14},
		},
		draw:  draw,
		outro: []page.Block{page.Text(fmt.Sprintf("A step moves all three, each along its own tangent. The default margin is %g in squared distance, as in FaceNet.", metric.Specs()[tripletSpec()].Params[0].Default))},
	}
}

// tripletSpec returns where the triplet loss is described.
func tripletSpec() int {
	for i, s := range metric.Specs() {
		if s.Name == "triplet" {
			return i
		}
	}
	panic("lecture: the triplet loss is not described")
}
