package lecture

import (
	"fmt"
	"math"

	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/losses/lecture/figure"
	"github.com/faceverify/fv/losses/plain"
)

// bars draws a probability and a gradient for each of three classes.
func bars(id, alt, title, caption string, target, prob, grad []float64) *figure.Figure {
	f := figure.New(id, 380, 280, alt)
	f.Title, f.Caption = title, caption
	p := f.Panel(axes{X: [2]float64{0.4, 3.6}, Y: [2]float64{-1.15, 1.25}, YLabel: "", XTicks: []figure.Tick{}, YTicks: figure.Every(-1, 1, 0.5, "")})
	p.Line("", style{Color: figure.Ink, Width: 1}, xy{X: 0.4}, xy{X: 3.6})
	p.Text("", style{Color: figure.Blue, Bold: true}, xy{X: 0.4, Y: 1.25}, figure.Start, xy{X: 2, Y: -6}, "p")
	p.Text("", style{Color: figure.Vermilion, Bold: true}, xy{X: 0.4, Y: 1.25}, figure.Start, xy{X: 18, Y: -6}, "dL/ds = p − t")
	for j := range target {
		x := float64(j + 1)
		p.Area(fmt.Sprintf("p%d", j), style{Color: figure.Blue, Faint: 0.1}, bar(x-0.17, prob[j])...)
		p.Area(fmt.Sprintf("g%d", j), style{Color: figure.Vermilion, Faint: 0.1}, bar(x+0.17, grad[j])...)
		p.Text(fmt.Sprintf("pt%d", j), style{Color: figure.Blue}, xy{X: x - 0.17, Y: prob[j]}, figure.Middle, xy{Y: -4}, fixed(prob[j], 2))
		shift := -4.0
		if grad[j] < 0 {
			shift = 13
		}
		p.Text(fmt.Sprintf("gt%d", j), style{Color: figure.Vermilion}, xy{X: x + 0.17, Y: grad[j]}, figure.Middle, xy{Y: shift}, fixed(grad[j], 2))
		p.Text("", style{Color: figure.Ink}, xy{X: x, Y: -1.15}, figure.Middle, xy{Y: 14}, fmt.Sprintf("class %d, t = %g", j+1, target[j]))
	}
	return f
}

// bar returns the corners of a bar from 0 to v.
func bar(x, v float64) []xy {
	const half = 0.15
	return []xy{{X: x - half}, {X: x - half, Y: v}, {X: x + half, Y: v}, {X: x + half}}
}

// sigmoid is 1 + dL/dz of the cross-entropy of a logit against the target 0, less 1: the derivative is σ(z) - t.
func sigmoid(z float64) float64 {
	_, d := plain.MultiLabel{}.At(z, 0)
	return d
}

func classesChapter() *chapter {
	draw := func(v values) view {
		z := []float64{v["c-s1"], v["c-s2"], v["c-s3"]}
		grad := make([]float64, 3)
		ce, err := plain.CrossEntropy{}.Batch(grad, z, []int{2})
		if err != nil {
			panic(err) // the label is ours
		}
		one, many := []float64{0, 0, 1}, []float64{1, 0, 1}
		soft, sig, sigGrad := make([]float64, 3), make([]float64, 3), make([]float64, 3)
		var bce float64
		for j := range z {
			soft[j] = grad[j] + one[j] // the gradient is p - t
			value, d := plain.MultiLabel{}.At(z[j], many[j])
			bce += value
			sig[j], sigGrad[j] = d+many[j], d
		}
		curve := figure.New("c-sigmoid", 380, 280, "The sigmoid, with the three logits on it")
		curve.Title, curve.Caption = "The sigmoid", "One logit at a time. Drag a point along the curve: the three logits are the same in all pictures."
		p := curve.Panel(axes{X: [2]float64{-5, 5}, Y: [2]float64{0, 1}, XLabel: "logit s", YLabel: "σ(s)"})
		p.Line("", style{Color: figure.Ink, Hover: "σ(s)"}, figure.Function(-5, 5, 120, sigmoid)...)
		for j := range z {
			at := xy{X: z[j], Y: sig[j]}
			p.Dots(fmt.Sprintf("s%d", j), style{Color: figure.Blue, Width: 11, Drag: fmt.Sprintf("x c-s%d", j+1)}, at)
			p.Text(fmt.Sprintf("st%d", j), style{Color: figure.Ink}, at, figure.Middle, xy{Y: []float64{-9, 19, -9}[j]}, fmt.Sprintf("s%c", '₁'+rune(j)))
		}
		return view{
			row: []*figure.Figure{
				bars("c-softmax", "Softmax probabilities of three classes and the gradient of the cross-entropy", "Softmax: one of three, t = [0 0 1]",
					"The probabilities share 1 among them: what class 3 lacks, the others are pushed down by. The gradients sum to 0.", one, soft, grad),
				bars("c-labels", "Sigmoid probabilities of three labels and the gradient of the binary cross-entropy", "Sigmoids: each by itself, t = [1 0 1]",
					"Every class is a question of its own: several answers can be yes.", many, sig, sigGrad),
				curve,
			},
			readings: page.Readings{
				{ID: "c-ce", Label: "softmax cross-entropy", Value: fixed(ce, 4)},
				{ID: "c-bce", Label: "sum of binary cross-entropies", Value: fixed(bce, 4)},
				{ID: "c-sum", Label: "sum of softmax gradients", Value: fixed(grad[0]+grad[1]+grad[2], 4)},
			},
		}
	}
	slider := func(id, label string, value float64) page.Control {
		return page.Control{ID: id, Label: label, Min: -5, Max: 5, Step: 0.1, Value: value}
	}
	return &chapter{
		id: "classes", title: "Sigmoid and softmax",
		intro: []page.Block{
			page.Text("A network gives a logit s for each class. If exactly one class is right, softmax makes probabilities of them that sum to 1. If several may be right, each logit has a sigmoid of its own. In both, the gradient at the logit is what was said less what was meant: p − 1 for a class that is there, p for one that is not."),
			page.Formula(`σ(s) = \frac{1}{1 + e^{-s}}~~p_j = \frac{e^{s_j}}{Σ_k e^{s_k}}~~L = -log p_y~~\frac{∂ L}{∂ s_j} = p_j - t_j`),
		},
		controls: page.Controls{slider("c-s1", "s₁", 1.2), slider("c-s2", "s₂", -0.8), slider("c-s3", "s₃", 0.4)},
		draw:     draw,
	}
}

func misclassifiedChapter() *chapter {
	type counted struct {
		name, label string
		color       figure.Color
		loss        plain.Elementwise
	}
	all := []counted{{"mse", "MSE", figure.Blue, plain.MSE{}}, {"ce", "cross-entropy", figure.Vermilion, plain.BCE{}}}
	draw := func(v values) view {
		at := v["d-p"]
		curve := figure.New("d-loss", 380, 290, "Squared error and cross-entropy against the predicted probability of a sample of class 1")
		curve.Title, curve.Caption = "The loss of y = 1", "Drag the points. At the left the sample is quite wrong."
		out := figure.New("d-output", 380, 290, "The size of the derivative with respect to the probability")
		out.Title, out.Caption = "The gradient at the probability", "|dL/dŷ|: bounded by 2 for MSE, 1/ŷ for the cross-entropy."
		in := figure.New("d-logit", 380, 290, "The size of the derivative with respect to the logit")
		in.Title, in.Caption = "The gradient at the logit", "|dL/ds| after the sigmoid's slope ŷ(1 − ŷ): MSE gives up where it is most wrong."
		x := axes{X: [2]float64{0, 1}, XLabel: "predicted ŷ"}
		x.Y, x.YLabel = [2]float64{0, 5}, "loss"
		p := curve.Panel(x)
		x.Y, x.YLabel = [2]float64{0, 12}, "|dL/dŷ|"
		q := out.Panel(x)
		x.Y, x.YLabel = [2]float64{0, 1}, "|dL/ds|"
		r := in.Panel(x)
		vw := view{row: []*figure.Figure{curve, out, in}}
		for i, l := range all {
			f := func(y float64) [3]float64 {
				value, d := l.loss.At(y, 1)
				return [3]float64{value, math.Abs(d), math.Abs(d) * y * (1 - y)}
			}
			s := style{Color: l.color, Hover: l.label}
			for k, panel := range []*figure.Panel{p, q, r} {
				panel.Line("", s, figure.Function(0.005, 0.995, 198, func(y float64) float64 { return f(y)[k] })...)
				panel.Dots(l.name+"-dot", style{Color: l.color, Width: 11, Drag: "x d-p"}, xy{X: at, Y: f(at)[k]})
				panel.Text("", style{Color: l.color, Bold: true}, xy{X: 1, Y: x.Y[1] * []float64{5, 12, 1}[k]}, figure.End, xy{X: -4, Y: 14 + 14*float64(i)}, l.label)
			}
			for k, what := range []string{"loss", "|dL/dŷ|", "|dL/ds|"} {
				vw.readings = append(vw.readings, page.Reading{ID: fmt.Sprintf("d-%s-%d", l.name, k), Label: what + ", " + l.label, Value: fixed(f(at)[k], 3)})
			}
		}
		return vw
	}
	return &chapter{
		id: "misclassified", title: "Squared error against cross-entropy",
		intro: []page.Block{
			page.Text("A sample of class 1 is predicted with probability ŷ. Where ŷ = 0.1 it is misclassified at a distance of 0.9: the squared error has the slope 1.8 there, the cross-entropy 10. Behind a sigmoid the difference decides whether the sample is learned at all: 0.162 against 0.9."),
			page.Formula(`"MSE" = (y - ŷ)^2~~"BCE" = -y ln ŷ - (1 - y) ln (1 - ŷ)~~\frac{d ŷ}{d s} = ŷ (1 - ŷ)`),
		},
		controls: page.Controls{{ID: "d-p", Label: "predicted ŷ", Min: 0.01, Max: 0.99, Step: 0.01, Value: 0.1}},
		draw:     draw,
	}
}

var focalGammas = []float64{0, 0.5, 1, 2, 5}

// focalAt returns the focal loss of a sample of the class 1 with probability p, and the size of the gradient at its logit.
func focalAt(gamma, p float64) (value, slope float64) {
	value, d := plain.Focal{Gamma: gamma}.At(math.Log(p/(1-p)), 1)
	return value, math.Abs(d)
}

func focalChapter() *chapter {
	colors := []figure.Color{figure.Blue, figure.Teal, figure.Olive, figure.Vermilion, figure.Purple}
	draw := func(v values) view {
		gamma, at := v["e-gamma"], v["e-p"]
		curve := figure.New("e-loss", 380, 310, "The focal loss against the probability of the right class for five values of γ")
		curve.Title, curve.Caption = "The loss", "Thick: the γ of the slider. Drag its point along."
		slope := figure.New("e-gradient", 380, 310, "The size of the focal loss's gradient at the logit")
		slope.Title, slope.Caption = "The gradient at the logit", "|dL/ds|: how much a sample moves the network. A large γ silences what is nearly right."
		p := curve.Panel(axes{X: [2]float64{0, 1}, Y: [2]float64{0, 4}, XLabel: "probability p of the right class", YLabel: "loss"})
		q := slope.Panel(axes{X: [2]float64{0, 1}, Y: [2]float64{0, 1.5}, XLabel: "probability p of the right class", YLabel: "|dL/ds|"})
		for k, panel := range []*figure.Panel{p, q} {
			f := func(g float64) func(float64) float64 {
				return func(p float64) float64 {
					value, slope := focalAt(g, p)
					return []float64{value, slope}[k]
				}
			}
			for i, g := range focalGammas {
				panel.Line("", style{Color: colors[i], Width: 1.4, Hover: fmt.Sprintf("γ = %g", g)}, figure.Function(0.01, 0.99, 98, f(g))...)
				panel.Text("", style{Color: colors[i]}, xy{X: 1, Y: []float64{4, 1.5}[k]}, figure.End, xy{X: -4, Y: 14 + 14*float64(i)}, fmt.Sprintf("γ = %g", g))
			}
			panel.Line("gamma", style{Color: figure.Ink, Width: 2.6, Hover: "γ of the slider"}, figure.Function(0.01, 0.99, 98, f(gamma))...)
			panel.Dots("at", style{Color: figure.Ink, Width: 11, Drag: "x e-p"}, xy{X: at, Y: f(gamma)(at)})
		}
		value, d := focalAt(gamma, at)
		ce, dce := focalAt(0, at)
		return view{row: []*figure.Figure{curve, slope}, readings: page.Readings{
			{ID: "e-value", Label: "focal loss", Value: fixed(value, 4)},
			{ID: "e-ce", Label: "cross-entropy", Value: fixed(ce, 4)},
			{ID: "e-less", Label: "loss, times less", Value: fixed(ce/value, 1)},
			{ID: "e-slope-less", Label: "gradient, times less", Value: fixed(dce/d, 2)},
		}}
	}
	return &chapter{
		id: "focal", title: "Focal loss",
		intro: []page.Block{
			page.Text("Where easy samples are a thousand times as many as hard ones, their small losses add up and drown the hard ones. The focal loss multiplies the cross-entropy by the power γ of what is missing. γ = 0 is the cross-entropy."),
			page.Formula(`L = -(1 - p_t)^γ log p_t`),
		},
		controls: page.Controls{
			{ID: "e-gamma", Label: "γ", Max: 5, Step: 0.1, Value: 2},
			{ID: "e-p", Label: "probability p", Min: 0.01, Max: 0.99, Step: 0.01, Value: 0.9},
		},
		draw: draw,
	}
}
