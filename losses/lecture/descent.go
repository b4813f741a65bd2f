package lecture

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/internal/random"
	"github.com/faceverify/fv/losses/lecture/figure"
	"github.com/faceverify/fv/losses/plain"
)

const (
	descentSamples = 24
	descentEpochs  = 12
)

var descentRates = []float64{0.05, 0.1, 0.3, 0.6, 1, 1.5}

// descentModes are how many samples a step reads.
var descentModes = []struct {
	name  string
	batch int
	color figure.Color
}{{"one", 1, figure.Vermilion}, {"mini", 6, figure.Teal}, {"full", descentSamples, figure.Blue}}

// line is y = W x + B.
type straight struct{ W, B float64 }

// descent is a line that is fitted to points by steps against the gradient of their mean loss.
type descent struct {
	loss plain.Elementwise
	x, y []float64
}

// drawnLine returns points about a line.
func drawnLine(n int) descent {
	d := descent{loss: plain.L2{}}
	r := random.New(1, random.Lecture, 0, 0)
	for i := range n {
		x := -1 + 2*(float64(i)+0.5)/float64(n)
		d.x = append(d.x, x)
		d.y = append(d.y, 0.9*x+0.4+0.25*r.NormFloat64())
	}
	return d
}

// at returns the mean loss of the chosen points, all if nil, and its gradient.
func (d descent) at(l straight, chosen []int) (value float64, g straight) {
	if chosen == nil {
		for i := range d.x {
			chosen = append(chosen, i)
		}
	}
	p, t, dp := make([]float64, len(chosen)), make([]float64, len(chosen)), make([]float64, len(chosen))
	for k, i := range chosen {
		p[k], t[k] = l.W*d.x[i]+l.B, d.y[i]
	}
	value = plain.Mean(d.loss, dp, p, t)
	for k, i := range chosen {
		g.W += dp[k] * d.x[i]
		g.B += dp[k]
	}
	return value, g
}

// run returns the lines after 0, 1, 2 ... steps that read batch points each, in an order drawn anew in each epoch.
func (d descent) run(batch int, rate float64) []straight {
	l := straight{-0.9, -0.8}
	path := []straight{l}
	for epoch := range descentEpochs {
		order := random.New(1, random.Lecture, epoch, 1).Perm(len(d.x))
		for ; len(order) > 0; order = order[batch:] {
			_, g := d.at(l, order[:batch])
			l = straight{l.W - rate*g.W, l.B - rate*g.B}
			path = append(path, l)
		}
	}
	return path
}

// least returns the line of least loss: Newton's step is exact for a loss that is a square.
func (d descent) least() straight {
	_, g := d.at(straight{}, nil)
	_, gw := d.at(straight{W: 1}, nil)
	_, gb := d.at(straight{B: 1}, nil)
	a, b, c := gw.W-g.W, gb.W-g.W, gb.B-g.B
	det := a*c - b*b
	return straight{(b*g.B - c*g.W) / det, (b*g.W - a*g.B) / det}
}

// contour returns the lines whose loss is that of the best plus above, found along rays from the best.
func (d descent) contour(best straight, above float64) []xy {
	low, _ := d.at(best, nil)
	var points []xy
	for k := range 73 {
		sin, cos := math.Sincos(float64(k) * 5 * degree)
		near, far := 0.0, 8.0
		for range 40 {
			mid := (near + far) / 2
			if v, _ := d.at(straight{best.W + mid*cos, best.B + mid*sin}, nil); v-low < above {
				near = mid
			} else {
				far = mid
			}
		}
		points = append(points, xy{X: best.W + near*cos, Y: best.B + near*sin})
	}
	return points
}

// descentTrack is a run as the script gets it.
type descentTrack struct {
	W    []json.RawMessage `json:"w"`
	B    []json.RawMessage `json:"b"`
	Loss []json.RawMessage `json:"loss"`
}

func descentChapter() *chapter {
	d := drawnLine(descentSamples)
	best := d.least()
	low, _ := d.at(best, nil)
	runs := make([][][]straight, len(descentRates)) // by rate and mode
	tracks := make([]map[string]descentTrack, len(descentRates))
	for i, rate := range descentRates {
		tracks[i] = map[string]descentTrack{}
		for _, m := range descentModes {
			path := d.run(m.batch, rate)
			runs[i] = append(runs[i], path)
			var w, b, loss []float64
			for _, l := range path {
				v, _ := d.at(l, nil)
				w, b, loss = append(w, l.W), append(b, l.B), append(loss, v)
			}
			tracks[i][m.name] = descentTrack{rounded(w, 4), rounded(b, 4), rounded(loss, 4)}
		}
	}
	var stops []string
	for _, r := range descentRates {
		stops = append(stops, fmt.Sprint(r))
	}
	names := map[string]string{"one": "one sample", "mini": "mini-batch of 6", "full": "all 24"}

	draw := func(v values) view {
		plane := figure.New("a-plane", 380, 330, "Three paths of gradient descent over the contours of the loss of a straight line: along the valley, wavering, and by jumps")
		plane.Title = "The way down"
		plane.Caption = "Contours of the mean loss over slope and intercept. Each path starts at the same line and has read the same number of samples."
		p := plane.Panel(axes{X: [2]float64{-1.3, 2.2}, Y: [2]float64{-1.2, 2.1}, XLabel: "slope w", YLabel: "intercept b"})
		for _, above := range []float64{0.01, 0.05, 0.15, 0.35, 0.7} {
			p.Line("", style{Color: figure.Grey, Width: 0.8, Faint: 0.45}, d.contour(best, above)...)
		}
		curve := figure.New("a-loss", 380, 330, "The loss of the three against the number of epochs")
		curve.Title = "What an epoch buys"
		curve.Caption = "The loss of all 24 samples after each step. An epoch reads every sample once, in 1, 4 or 24 steps."
		q := curve.Panel(axes{X: [2]float64{0, descentEpochs}, Y: [2]float64{-0.1, 1.4}, XLabel: "epochs", YLabel: "mean loss", XTicks: figure.Every(0, descentEpochs, 2, "")})
		q.Line("", style{Color: figure.Grey, Width: 1, Dash: true}, xy{X: 0, Y: low}, xy{X: descentEpochs, Y: low})
		q.Text("", style{Color: figure.Grey, Size: 10}, xy{X: descentEpochs, Y: low}, figure.End, xy{Y: 12}, "least possible")
		out := view{row: []*figure.Figure{plane, curve}}
		rate, read := int(v["a-rate"]), int(v["a-read"])
		for i, m := range descentModes {
			steps := read / m.batch
			path := runs[rate][i][:steps+1]
			var points, losses []xy
			for k, l := range path {
				value, _ := d.at(l, nil)
				points = append(points, xy{X: l.W, Y: l.B})
				losses = append(losses, xy{X: float64(k*m.batch) / descentSamples, Y: value})
			}
			width := []float64{1, 1.6, 2.2}[i]
			p.Line(m.name, style{Color: m.color, Width: width, Hover: names[m.name]}, points...)
			p.Dots(m.name+"-end", style{Color: m.color, Width: 9}, points[steps])
			p.Text("", style{Color: m.color}, xy{X: -1.3, Y: 2.1}, figure.Start, xy{X: 6, Y: 14 + 14*float64(2-i)}, names[m.name])
			q.Line(m.name+"-loss", style{Color: m.color, Width: width, Hover: names[m.name]}, losses...)
			q.Dots(m.name+"-now", style{Color: m.color, Width: 7}, losses[steps])
			out.readings = append(out.readings, page.Reading{ID: "a-" + m.name, Label: "loss, " + names[m.name], Value: fixed(losses[steps].Y, 4)})
		}
		p.Dots("", style{Color: figure.Ink, Width: 5}, xy{X: best.W, Y: best.B})
		p.Text("", style{Color: figure.Ink, Size: 10}, xy{X: best.W, Y: best.B}, figure.Start, xy{X: 5, Y: -5}, "best")
		return out
	}
	return &chapter{
		id: "descent", title: "Gradient descent",
		intro: []page.Block{
			page.Text("A loss says how wrong a model is; its gradient says in which direction wrong grows. A step goes the other way. The gradient of all samples is exact and dear; that of a few, or of one, is noisy and cheap, and so many more steps can be had for the same reading."),
			page.Formula(`w ← w - η \frac{1}{|B|} Σ_{i ∈ B} \frac{∂ L_i}{∂ w}~~L_i = \frac{1}{2} (w x_i + b - y_i)^2`),
		},
		controls: page.Controls{
			{ID: "a-rate", Label: "learning rate η", Max: float64(len(stops) - 1), Step: 1, Value: 2, Stops: stops},
			{ID: "a-read", Label: "samples read", Max: descentEpochs * descentSamples, Step: 1, Value: descentEpochs * descentSamples},
			{ID: "a-run", Label: "Run"},
		},
		draw: draw, data: tracks,
		outro: []page.Block{page.Text("At a small rate the path of all samples has hardly begun when single samples have arrived. At a large one the single samples never settle: their noise is as large as the step. That is why rates fall in the course of a training.")},
	}
}
