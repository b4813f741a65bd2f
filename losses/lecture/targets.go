package lecture

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/losses/lecture/figure"
)

// tableStep is the distance in degrees of the angles that the script has logits of.
const tableStep = 2

// headTable is a head's logits at 0°, 2° ... 180° for each stop of its knob.
type headTable struct {
	Title  string              `json:"title"`
	Stops  []string            `json:"stops"`
	Chosen int                 `json:"chosen"`
	Own    [][]json.RawMessage `json:"own"`
	Other  [][]json.RawMessage `json:"other,omitempty"` // where it is not cos θ
}

// everyAngle returns f at each angle of the table.
func everyAngle(f func(theta float64) float64) []float64 {
	var out []float64
	for d := 0; d <= 180; d += tableStep {
		out = append(out, f(float64(d)*degree))
	}
	return out
}

// overAngles pairs values with the angles of the table.
func overAngles(y []float64) []xy {
	points := make([]xy, len(y))
	for i, v := range y {
		points[i] = xy{X: float64(i * tableStep), Y: v}
	}
	return points
}

var angleTicks = figure.Every(0, 180, 30, "°")

func targetsChapter() *chapter {
	names := losses.Names()
	tables := make([]headTable, len(names))
	curves := make([][]curve, len(names))
	knobs := make([]knob, len(names))
	var options []string
	start := 0
	for i, name := range names {
		s, err := losses.Describe(name)
		if err != nil {
			panic(err) // the registry's own name
		}
		if name == "arcface" {
			start = i
		}
		options = append(options, s.Title)
		knobs[i] = knobOf(s)
		tables[i] = headTable{Title: s.Title, Chosen: knobs[i].chosen}
		for j := range knobs[i].stops {
			c := newCurve(name, knobs[i], j)
			curves[i] = append(curves[i], c)
			tables[i].Stops = append(tables[i].Stops, knobs[i].named(j))
			tables[i].Own = append(tables[i].Own, rounded(everyAngle(func(t float64) float64 { v, _ := c.own(t); return v }), 4))
			if c.head.Geometry().Curved {
				tables[i].Other = append(tables[i].Other, rounded(everyAngle(c.other), 4))
			}
		}
	}

	draw := func(v values) view {
		all := figure.New("g-heads", 380, 340, "The logit of the own class against the angle for every head, one of them with a margin of choice drawn thick")
		all.Title = "Every head"
		all.Caption = "In units of s, or of ‖x‖ where embeddings keep their length. Thin: the heads at their defaults (point at one for its name). Thick: the chosen one, with its margin; dashed: the logit of another class at the same angle. Drag the point."
		p := all.Panel(axes{X: [2]float64{0, 180}, Y: [2]float64{-2.1, 1.1}, XLabel: "angle θ to the class weight", YLabel: "logit / s", XTicks: angleTicks})
		for i := range names {
			c := curves[i][knobs[i].chosen]
			p.Line("", style{Color: figure.Grey, Width: 0.8, Faint: 0.35, Hover: tables[i].Title},
				overAngles(everyAngle(func(t float64) float64 { v, _ := c.own(t); return v }))...)
		}
		i := int(v["g-head"])
		stop := min(int(v["g-stop"]), len(knobs[i].stops)-1)
		c := curves[i][stop]
		at := v["g-theta"]
		value, _ := c.own(at * degree)
		other := c.other(at * degree)
		p.Line("other", style{Color: figure.Vermilion, Dash: true, Hover: "other class"}, overAngles(everyAngle(c.other))...)
		p.Line("own", style{Color: figure.Blue, Width: 3, Hover: "own class"}, overAngles(everyAngle(func(t float64) float64 { v, _ := c.own(t); return v }))...)
		p.Dots("at", style{Color: figure.Blue, Width: 12, Drag: "x g-theta"}, xy{X: at, Y: value})
		p.Text("name", style{Color: figure.Blue, Bold: true}, xy{X: 180, Y: 1.1}, figure.End, xy{X: -4, Y: 15}, tables[i].Title)
		p.Text("stop", style{Color: figure.Blue, Bold: true}, xy{X: 180, Y: 1.1}, figure.End, xy{X: -4, Y: 30}, knobs[i].named(stop))

		m := v["g-m"]
		pieces := figure.New("g-psi", 380, 340, "ψ against the angle, made of pieces of the cosine of the multiple angle")
		pieces.Title = "How ψ is put together"
		pieces.Caption = "Dashed: cos mθ, which rises again. ψ turns every second piece over and hangs each 2 below the last, so that it never rises."
		q := pieces.Panel(axes{X: [2]float64{0, 180}, Y: [2]float64{-11.5, 1.5}, XLabel: "angle θ", YLabel: "ψ(θ)", XTicks: angleTicks, YTicks: figure.Every(-11, 1, 2, "")})
		h := losses.SphereFace{Scale: 1, Margin: m}
		psi := func(t float64) float64 { v, _, _ := h.Target(math.Cos(t), 1); return v }
		q.Line("times", style{Color: figure.Grey, Width: 1.2, Dash: true, Hover: "cos mθ"}, overAngles(everyAngle(func(t float64) float64 { return math.Cos(m * t) }))...)
		q.Line("cos", style{Color: figure.Vermilion, Dash: true, Hover: "cos θ"}, overAngles(everyAngle(math.Cos))...)
		q.Line("psi", style{Color: figure.Blue, Width: 3, Hover: "ψ"}, overAngles(everyAngle(psi))...)
		var cuts, knots []xy
		for k := 0; k < 6; k++ {
			label, x := "", 0.0
			if float64(k) < m {
				edge := float64(k) * 180 / m
				knots = append(knots, xy{X: edge, Y: psi(edge * degree)})
				if k > 0 {
					cuts = append(cuts, xy{X: edge, Y: -11.5}, xy{X: edge, Y: 1.5}, figure.Gap)
				}
				label, x = fmt.Sprintf("k = %d", k), edge+90/m
			}
			q.Text(fmt.Sprintf("k%d", k), style{Color: figure.Ink, Size: 10}, xy{X: x, Y: -11.5}, figure.Middle, xy{Y: -5}, label)
		}
		q.Line("cuts", style{Color: figure.Ink, Width: 0.8, Dash: true}, cuts...)
		q.Dots("knots", style{Color: figure.Blue, Width: 8}, knots...)
		return view{row: []*figure.Figure{all, pieces}, readings: page.Readings{
			{ID: "g-own", Label: "own logit / s", Value: fixed(value, 3)},
			{ID: "g-other", Label: "another class's", Value: fixed(other, 3)},
			{ID: "g-knob", Label: "drawn with", Value: knobs[i].named(stop)},
			{ID: "g-sixty", Label: "ψ(60°)", Value: fixed(psi(60*degree), 3)},
		}}
	}
	annealed := losses.Annealing{Base: 1000, Gamma: 0.12, Power: 1, Min: 5}
	least := 1
	for annealed.Lambda(least) > annealed.Min {
		least++
	}
	return &chapter{
		id: "targets", title: "Target logits",
		intro: []page.Block{
			page.Text("With weights and embeddings of fixed length a logit is a function of the angle θ alone. A margin makes the logit of the own class smaller than that of another class at the same angle: to be ahead, a sample has to be nearer by the margin. That is all that tells the heads apart."),
			page.Formula(`z_y = s f(θ_y)~~z_j = s cos θ_j~~L = -log \frac{e^{z_y}}{e^{z_y} + Σ_{j ≠ y} e^{z_j}}`),
			page.Formula(`ψ(θ) = (-1)^k cos mθ - 2k~~θ ∈ [\frac{kπ}{m}, \frac{(k + 1) π}{m}]~~k = 0 ... m - 1`),
		},
		controls: page.Controls{
			{ID: "g-head", Label: "head", Options: options, Value: float64(start)},
			{ID: "g-stop", Label: "its margin", Max: 8, Step: 1, Value: float64(knobs[start].chosen), Stops: []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}},
			{ID: "g-theta", Label: "angle θ", Max: 180, Step: tableStep, Value: 60, Unit: "°"},
			{ID: "g-m", Label: "m of ψ", Min: 1, Max: 6, Step: 1, Value: 4},
		},
		draw: draw, data: tables,
		outro: []page.Block{page.Text(fmt.Sprintf("A-Softmax and L-Softmax are drawn with λ = 0, the margin in full. In training A-Softmax mixes ψ with λ parts of the cosine: λ is %s in the first step and reaches %g at step %d. Heads whose margin depends on ‖x‖ are drawn over ‖x‖ in place of m: MagFace, and AdaFace with lengths of mean 20 and deviation 10. The others are drawn at ‖x‖ = %d.",
			fixed(annealed.Lambda(1), 3), annealed.Min, least, shownNorm))},
	}
}
