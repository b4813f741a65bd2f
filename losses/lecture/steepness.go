package lecture

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/losses/lecture/figure"
)

// The experiment: one sample among classes whose weights stand at right angles to it, as nearly all do in many dimensions.
const (
	steepClasses = 1000
	steepSteps   = 80
	steepRate    = 0.03 // times 1/s: of θ, in radians
)

var (
	steepScales = []float64{8, 16, 30, 64}
	steepStarts = []float64{30, 60, 90, 120, 150}
	steepHeads  = []struct {
		id, name, label string
		color           figure.Color
		dash            bool
		params          map[string]float64
	}{
		{"normface", "normface", "NormFace", figure.Grey, false, nil},
		{"cosface", "cosface", "CosFace, m = 0.35", figure.Vermilion, true, nil},
		{"arcface", "arcface", "ArcFace, m = 0.5", figure.Teal, false, nil},
		{"spherefacer", "sphereface-r-v1", "SphereFace-R v1, m = 1.5", figure.Purple, false, nil},
		{"sphereface", "sphereface", "A-Softmax, m = 4", figure.Blue, false, map[string]float64{"margin": 4}},
	}
)

// everyDegree returns f at 0°, 1° ... 180°.
func everyDegree(f func(theta float64) float64) []float64 {
	var out []float64
	for d := range 181 {
		out = append(out, f(float64(d)*degree))
	}
	return out
}

// probability returns that of the own class at the angle theta.
func (c curve) probability(theta float64) float64 {
	own, _ := c.own(theta)
	return 1 / (1 + (steepClasses-1)*math.Exp(c.unit*(c.other(math.Pi/2)-own)))
}

// descend returns the angle after 0, 1, 2 ... steps against the gradient of the cross-entropy, -(1 - p) dz/dθ.
func (c curve) descend(theta float64) []float64 {
	path := []float64{theta}
	for range steepSteps {
		_, slope := c.own(theta)
		theta = math.Abs(theta + steepRate*(1-c.probability(theta))*slope)
		path = append(path, theta)
	}
	return path
}

func steepnessChapter() *chapter {
	exact := func(i int, s float64) curve {
		e := steepHeads[i]
		params := map[string]float64{"scale": s}
		for k, v := range e.params {
			params[k] = v
		}
		return curve{head: exactHead(e.name, params), unit: s, norm: 1}
	}
	type table struct {
		P    [][]json.RawMessage   `json:"p"`    // by scale: at 0°, 1° ... 180°
		Path [][][]json.RawMessage `json:"path"` // by scale and start: degrees over steps
	}
	tables := map[string]*table{}
	inDegrees := func(path []float64) []float64 {
		out := make([]float64, len(path))
		for i, t := range path {
			out[i] = t / degree
		}
		return out
	}
	for i, e := range steepHeads {
		t := &table{}
		for _, s := range steepScales {
			c := exact(i, s)
			t.P = append(t.P, rounded(everyDegree(c.probability), 4))
			var paths [][]json.RawMessage
			for _, start := range steepStarts {
				paths = append(paths, rounded(inDegrees(c.descend(start*degree)), 2))
			}
			t.Path = append(t.Path, paths)
		}
		tables[e.id] = t
	}
	draw := func(v values) view {
		scale, start, step := int(v["m-scale"]), int(v["m-start"]), int(v["m-step"])
		slope := figure.New("m-slope", 380, 330, "The steepness of the target logit against the angle for five heads")
		slope.Title, slope.Caption = "How steep", "−df/dθ, in units of s. CosFace only shifts the cosine and is as steep as NormFace; A-Softmax is up to four times as steep, and not near its knots; past their end ArcFace and SphereFace-R are flat. The points are where the sample below is now."
		p := slope.Panel(axes{X: [2]float64{0, 180}, Y: [2]float64{-0.2, 5.6}, XLabel: "angle θ", YLabel: "−df/dθ", XTicks: angleTicks})
		prob := figure.New("m-probability", 380, 330, "The probability of the own class against the angle")
		prob.Title, prob.Caption = "When a sample counts as learned", fmt.Sprintf("The probability of the own class among %d, the others at 90°. Where it is 1 the gradient is gone: a margin moves that place to smaller angles.", steepClasses)
		q := prob.Panel(axes{X: [2]float64{0, 180}, Y: [2]float64{0, 1}, XLabel: "angle θ", YLabel: "p", XTicks: angleTicks})
		path := figure.New("m-path", 380, 330, "The angle of one sample over the steps of gradient descent under five heads")
		path.Title, path.Caption = "What it does to training", "The angle of a sample that descends its own gradient, at the rate 0.03/s. Slopes set the pace far away, the margin sets where it stops."
		r := path.Panel(axes{X: [2]float64{0, steepSteps}, Y: [2]float64{0, 180}, XLabel: "steps", YLabel: "angle θ", YTicks: angleTicks})
		out := view{row: []*figure.Figure{slope, prob, path}}
		for i, e := range steepHeads {
			c := exact(i, steepScales[scale])
			angles := inDegrees(c.descend(steepStarts[start] * degree))
			s := style{Color: e.color, Width: 2, Dash: e.dash, Hover: e.label}
			p.Line("", s, figure.Function(0.5, 180, 359, func(x float64) float64 { _, d := c.own(x * degree); return -d })...)
			_, now := c.own(angles[step] * degree)
			p.Dots(e.id+"-slope", style{Color: e.color, Width: 9}, xy{X: angles[step], Y: -now})
			p.Text("", style{Color: e.color, Bold: true}, xy{X: 0, Y: 5.6}, figure.Start, xy{X: 8, Y: 14 + 13.5*float64(i)}, e.label)
			p1 := everyDegree(c.probability)
			q.Line(e.id, s, figure.Function(0, 180, 180, func(x float64) float64 { return p1[int(x)] })...)
			q.Text("", style{Color: e.color, Bold: true}, xy{X: 180, Y: 1}, figure.End, xy{X: -4, Y: 14 + 13.5*float64(i)}, e.label)
			r.Line(e.id, s, figure.Function(0, steepSteps, steepSteps, func(x float64) float64 { return angles[int(x)] })...)
			r.Dots(e.id+"-at", style{Color: e.color, Width: 9}, xy{X: float64(step), Y: angles[step]})
			r.Text("", style{Color: e.color, Bold: true}, xy{X: steepSteps, Y: 180}, figure.End, xy{X: -4, Y: 14 + 13.5*float64(i)}, e.label)
			out.readings = append(out.readings, page.Reading{ID: "m-" + e.id, Label: e.label, Value: fixed(angles[step], 1) + "°"})
		}
		return out
	}
	var scales, starts []string
	for _, s := range steepScales {
		scales = append(scales, fmt.Sprint(s))
	}
	for _, s := range steepStarts {
		starts = append(starts, fmt.Sprint(s)+"°")
	}
	return &chapter{
		id: "steepness", title: "How steep a logit is, and what that does to training",
		intro: []page.Block{
			page.Text("The gradient that turns an embedding towards its class is a product: how wrong the probability still is, the scale s, and the slope of the target logit. A head that is flat somewhere teaches nothing there. Between its knots ψ is up to m times as steep as the cosine, which throws a training off; at them it is flat, and for m = 4 one knot is at 90°, where nearly all samples start. The cosine that λ mixes in makes up for both."),
			page.Formula(`\frac{∂ L}{∂ θ} = -(1 - p) s \frac{d f}{dθ}~~p = \frac{e^{s f(θ)}}{e^{s f(θ)} + (C - 1) e^{s cos 90°}}`),
		},
		controls: page.Controls{
			{ID: "m-scale", Label: "scale s", Max: float64(len(scales) - 1), Step: 1, Value: 2, Stops: scales},
			{ID: "m-start", Label: "start at θ", Max: float64(len(starts) - 1), Step: 1, Value: 2, Stops: starts},
			{ID: "m-step", Label: "step", Max: steepSteps, Step: 1, Value: 40},
			{ID: "m-run", Label: "Run"},
		},
		draw: draw, data: tables,
		outro: []page.Block{page.Text("From 90° this sample does not move at all under A-Softmax with m = 4, and from elsewhere it stalls at the next knot: here λ is 0. All gradients here are exact ones. In training, SphereFace and SphereFace-R detach the margin by default: the slope is then that of the cosine everywhere, whatever the logit.")},
	}
}
