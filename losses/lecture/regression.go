package lecture

import (
	"math"

	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/internal/random"
	"github.com/faceverify/fv/losses/lecture/figure"
	"github.com/faceverify/fv/losses/plain"
)

// fitPoints are about the line y = 1.5 + 0.6 x; the last is the one that a reader drags.
func fitPoints() (x, y []float64) {
	r := random.New(1, random.Lecture, 0, 2)
	for i := range 10 {
		v := 0.6 + 0.85*float64(i)
		x = append(x, v)
		y = append(y, math.Round(100*(1.5+0.6*v+0.35*r.NormFloat64()))/100)
	}
	return append(x, 0), append(y, 0)
}

// fitSteps is enough for Huber's loss to come to rest.
const fitSteps = 300

// fitWeighted fits a line by weighted squares: a residual r with the derivative d weighs d/r, which is how often it would have to
// count if the loss were the squared one. For the squared loss itself the first step is exact.
func fitWeighted(l plain.Elementwise, x, y []float64) straight {
	var s straight
	for range fitSteps {
		var w, wx, wy, wxx, wxy float64
		for i := range x {
			p := s.W*x[i] + s.B
			k := 1.0
			if r := p - y[i]; r != 0 {
				_, d := l.At(p, y[i])
				k = d / r
			}
			w, wx, wy, wxx, wxy = w+k, wx+k*x[i], wy+k*y[i], wxx+k*x[i]*x[i], wxy+k*x[i]*y[i]
		}
		s.W = (w*wxy - wx*wy) / (w*wxx - wx*wx)
		s.B = (wy - s.W*wx) / w
	}
	return s
}

// fitThrough fits a line by absolute errors: some best line goes through two of the points.
func fitThrough(l plain.L1, x, y []float64) straight {
	var best straight
	least := math.Inf(1)
	p, dp := make([]float64, len(x)), make([]float64, len(x))
	for i := range x {
		for j := range i {
			if x[i] == x[j] {
				continue
			}
			w := (y[i] - y[j]) / (x[i] - x[j])
			s := straight{w, y[i] - w*x[i]}
			for k := range x {
				p[k] = s.W*x[k] + s.B
			}
			if v := plain.Mean(l, dp, p, y); v < least-1e-12 {
				least, best = v, s
			}
		}
	}
	return best
}

func regressionChapter() *chapter {
	x, y := fitPoints()
	last := len(x) - 1
	colors := []figure.Color{figure.Teal, figure.Blue, figure.Vermilion}
	names := []string{"l1", "l2", "huber"}
	labels := []string{"L1", "L2", "Huber"}

	draw := func(v values) view {
		all := []plain.Elementwise{plain.L1{}, plain.L2{}, plain.Huber{Delta: v["b-delta"]}}
		value := figure.New("b-loss", 380, 290, "L1, L2 and Huber's loss against the residual")
		value.Title = "The loss"
		slope := figure.New("b-gradient", 380, 290, "The derivatives of the three")
		slope.Title = "Its derivative: the pull of a point on the line"
		slope.Caption = "L2 pulls in proportion to the error, L1 always alike, Huber's loss like L2 up to δ and like δ L1 beyond."
		value.Caption = "Huber's loss leaves the parabola at δ and goes on straight."
		p := value.Panel(axes{X: [2]float64{-4, 4}, Y: [2]float64{0, 5}, XLabel: "residual r = ŷ − y", YLabel: "loss"})
		q := slope.Panel(axes{X: [2]float64{-4, 4}, Y: [2]float64{-4, 4}, XLabel: "residual r = ŷ − y", YLabel: "dL/dr", YTicks: figure.Every(-4, 4, 2, "")})
		fit := figure.New("b-fit", 380, 330, "Three lines fitted to the same points, of which one is far away: L2 follows it, L1 and Huber do not")
		fit.Title, fit.Caption = "One outlier", "Drag the large point. The same eleven points are fitted under each loss."
		r := fit.Panel(axes{X: [2]float64{0, 10}, Y: [2]float64{0, 10}, XLabel: "x", YLabel: "y"})
		x[last], y[last] = v["b-x"], v["b-y"]
		fits := []straight{fitThrough(plain.L1{}, x, y), fitWeighted(all[1], x, y), fitWeighted(all[2], x, y)}
		out := view{row: []*figure.Figure{value, slope, fit}}
		for i, l := range all {
			width := []float64{1.8, 1.8, 2.4}[i]
			s := style{Color: colors[i], Width: width, Dash: i == 0, Hover: labels[i]}
			p.Line(names[i], s, figure.Function(-4, 4, 160, func(r float64) float64 { v, _ := l.At(r, 0); return v })...)
			q.Line(names[i]+"-slope", s, figure.Function(-4, 4, 160, func(r float64) float64 { _, d := l.At(r, 0); return d })...)
			r.Line(names[i]+"-fit", s, xy{X: 0, Y: fits[i].B}, xy{X: 10, Y: 10*fits[i].W + fits[i].B})
			out.readings = append(out.readings, page.Reading{ID: "b-" + names[i], Label: "slope under " + labels[i], Value: fixed(fits[i].W, 3)})
			for k, panel := range []*figure.Panel{p, q} {
				panel.Text("", style{Color: colors[i], Bold: true}, xy{X: -4, Y: []float64{5, 4}[k]}, figure.Start, xy{X: 130 + 32*float64(i), Y: 14}, labels[i])
			}
			r.Text("", style{Color: colors[i], Bold: true}, xy{X: 0, Y: 10}, figure.Start, xy{X: 8 + 32*float64(i), Y: 16}, labels[i])
		}
		var points []xy
		for i := range last {
			points = append(points, xy{X: x[i], Y: y[i]})
		}
		r.Dots("", style{Color: figure.Ink, Width: 6}, points...)
		r.Dots("outlier", style{Color: figure.Purple, Width: 13, Drag: "xy b-x b-y"}, xy{X: x[last], Y: y[last]})
		return out
	}
	px, py := rounded(x[:last], 6), rounded(y[:last], 6)
	return &chapter{
		id: "regression", title: "L1, L2 and Huber",
		intro: []page.Block{
			page.Text("Three ways to count an error r. The squared one lets large errors rule; the absolute one treats all alike, but has a kink at 0; Huber's is the first near 0 and the second far away, with one slope where they meet."),
			page.Formula(`L_1 = |r|~~L_2 = \frac{1}{2} r^2~~L_δ = \cases{\frac{1}{2} r^2 & |r| ≤ δ; δ (|r| - \frac{1}{2} δ) & "beyond"}`),
		},
		controls: page.Controls{
			{ID: "b-delta", Label: "δ of Huber", Min: 0.2, Max: 3, Step: 0.1, Value: 1},
			{ID: "b-x", Label: "outlier x", Min: 0.1, Max: 9.9, Step: 0.05, Value: 9},
			{ID: "b-y", Label: "outlier y", Min: 0.1, Max: 9.9, Step: 0.05, Value: 0.8},
		},
		draw: draw, data: map[string]any{"x": px, "y": py, "steps": fitSteps},
		outro: []page.Block{page.Text("The points lie about a line of slope 0.6. Under L1 some best line passes through two of the points, so it jumps from one pair to another while a point is dragged.")},
	}
}
