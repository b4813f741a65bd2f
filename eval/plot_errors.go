package eval

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// PlotDET draws detection error trade-off curves: the false non-match rate against the false match
// rate, both on normal-deviate axes (the quantile of the normal distribution), on which normally
// distributed scores make straight lines. The axes begin at the smallest rates that the first
// curve has. The first own curves are drawn thick.
// A. Martin et al., The DET curve in assessment of detection task performance, Eurospeech 1997.
func PlotDET(curves []*Curve, own int) *Picture {
	p := newPlot("", "false match rate (FMR), normal deviates", "false non-match rate (FNMR)")
	left, bottom, top := 1e-2, 1e-2, 0.5
	if len(curves) > 0 {
		c := curves[0]
		left = smallestFAR(curves)
		for i, far := range c.FAR {
			fnmr := 1 - c.TAR[i]
			if far <= left {
				top = math.Min(0.99, math.Max(0.5, fnmr))
			}
			if fnmr > 0 && far <= 0.5 {
				bottom = math.Min(bottom, fnmr)
			}
		}
	}
	p.X.Min, p.X.Max = mathext.NormalQuantile(left), mathext.NormalQuantile(0.5)
	p.Y.Min, p.Y.Max = mathext.NormalQuantile(bottom), mathext.NormalQuantile(top)
	p.X.Tick.Marker, p.Y.Tick.Marker = deviateTicks{}, deviateTicks{}
	for i := len(curves) - 1; i >= 0; i-- { // the first on top
		c, width := curves[i], 1.0
		if i < own {
			width = 2.2
		}
		var xy plotter.XYs
		for j, far := range c.FAR {
			fnmr := 1 - c.TAR[j]
			if far < left || fnmr < bottom || far > 0.5 || fnmr > top {
				continue
			}
			xy = append(xy, plotter.XY{X: mathext.NormalQuantile(far), Y: mathext.NormalQuantile(fnmr)})
		}
		if xy = thin(xy, 1e-3*(p.X.Max-p.X.Min), 1e-3*(p.Y.Max-p.Y.Min)); len(xy) > 0 {
			p.Add(newLine(xy, colors[i%len(colors)], width))
		}
	}
	for i, c := range curves {
		p.Legend.Add(shorten(c.Name, 56), newLine(plotter.XYs{{}}, colors[i%len(colors)], 2))
	}
	p.Legend.Left, p.Legend.Top = true, true
	below := legendLine*vg.Length(len(curves)) + legendGap
	out := &Picture{plot: p, width: pictureWidth, height: pictureHeight + below, below: below}
	out.bands = curveBands(curves, across(p.X.Min, p.X.Max), normal.CDF, "FMR", func(tar float64) float64 {
		if fnmr := 1 - tar; fnmr >= bottom && fnmr <= top {
			return mathext.NormalQuantile(fnmr)
		}
		return math.NaN()
	}, func(tar float64) string { return "FNMR " + percent(1-tar, 2) })
	return out
}

var normal = distuv.UnitNormal

// PlotErrorRates draws FMR and FNMR against the threshold, on a linear axis, or on a logarithmic one down
// to the smallest rate that the pairs have, and a dashed line at the threshold of the EER.
func PlotErrorRates(r *ROC, log bool) *Picture {
	label, height := "error rate", func(rate float64) float64 { return rate }
	if log {
		label, height = "error rate, logarithmic", math.Log10
	}
	p := newPlot("", "threshold (accept score ≥ threshold)", label)
	var fmr, fnmr plotter.XYs
	low := 1.0
	for _, at := range r.Points[1:] {
		if far := r.FAR(at); far > 0 {
			fmr = append(fmr, plotter.XY{X: at.Threshold, Y: height(far)})
			low = math.Min(low, far)
		}
		if refused := 1 - r.TAR(at); refused > 0 {
			fnmr = append(fnmr, plotter.XY{X: at.Threshold, Y: height(refused)})
			low = math.Min(low, refused)
		}
	}
	first, last := r.Points[len(r.Points)-1].Threshold, r.Points[1].Threshold
	if first == last {
		first, last = first-0.5, last+0.5
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = first, last, 0, 1
	p.Y.Tick.Marker = rateTicks{}
	if log {
		p.Y.Min, p.Y.Max = math.Min(-1, math.Log10(low)), 0
		p.Y.Tick.Marker = decadeTicks{}
	}
	lines := []struct {
		name string
		xy   plotter.XYs
		c    color.NRGBA
	}{{"FMR: strangers accepted", fmr, impostorColor}, {"FNMR: one person refused", fnmr, genuineColor}}
	for _, l := range lines {
		if xy := thin(l.xy, 1e-3*(last-first), 1e-3*(p.Y.Max-p.Y.Min)); len(xy) > 0 {
			line := newLine(xy, l.c, 2)
			p.Add(line)
			p.Legend.Add(l.name, line)
		}
	}
	if t := r.EER().Point.Threshold; !math.IsInf(t, 0) {
		line := newLine(plotter.XYs{{X: t, Y: p.Y.Min}, {X: t, Y: p.Y.Max}}, ink, 1, 4, 3)
		p.Add(line)
		p.Legend.Add(fmt.Sprintf("threshold of the EER: %.4g", t), line)
	}
	p.Legend.Left, p.Legend.Top = true, true
	below := legendLine*3 + legendGap
	out := &Picture{plot: p, width: pictureWidth, height: pictureHeight + below, below: below}
	for _, t := range across(first, last) {
		at := r.pointAt(t)
		far, fnmr := r.FAR(at), 1-r.TAR(at)
		b := band{x: t, lines: []string{fmt.Sprintf("threshold %.4g", t), "FMR " + percent(far, 3), "FNMR " + percent(fnmr, 3)}}
		for _, d := range []marker{{far, impostorPage}, {fnmr, genuinePage}} {
			if d.y > 0 || !log {
				b.dots = append(b.dots, marker{height(d.y), d.color})
			}
		}
		out.bands = append(out.bands, b)
	}
	return out
}

// thin leaves out points too close to the last one kept to be seen; the last always stays.
func thin(xy plotter.XYs, dx, dy float64) plotter.XYs {
	var out plotter.XYs
	for i, p := range xy {
		if n := len(out); n > 0 && i+1 < len(xy) && math.Abs(p.X-out[n-1].X) < dx && math.Abs(p.Y-out[n-1].Y) < dy {
			continue
		}
		out = append(out, p)
	}
	return out
}

// deviateTicks marks rates on an axis of normal deviates.
type deviateTicks struct{}

func (deviateTicks) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	labelled := math.Inf(1)
	for _, rate := range []float64{0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.01, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7} {
		v := mathext.NormalQuantile(rate)
		if v < low-1e-9 || v > high+1e-9 {
			continue
		}
		t := plot.Tick{Value: v}
		if labelled-v > 0.14*(high-low) { // nearer, labels would touch
			t.Label = fmt.Sprintf("%.3g %%", 100*rate)
			labelled = v
		}
		ticks = append(ticks, t)
	}
	return ticks
}
