package eval

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// angleSide is one side of a picture of angles.
type angleSide struct {
	name string
	AngleSide
	color color.NRGBA
	page  string
}

func (a *Angles) sides() []angleSide {
	return []angleSide{
		{"negative: two people", a.Negative, impostorColor, impostorPage},
		{"positive: one person", a.Positive, genuineColor, genuinePage},
	}
}

// PlotAngles draws the histograms of the angles of positive and negative pairs, in radians
// on [0, π], one bin a degree, with their densities as lines, and a dashed line at the angle of a
// threshold unless that is NaN. top is the upper end of the axis, 0 for what the histograms need: pictures
// side by side should share one (see [Angles.Top]).
func PlotAngles(a *Angles, title string, threshold, top float64) *Picture {
	if top == 0 {
		top = a.Top()
	}
	p := newAnglePlot(title, "share of the pairs, per degree", 0, top)
	p.Y.Tick.Marker = percentTicks{}
	for _, s := range a.sides() {
		area, err := plotter.NewPolygon(steps(s.Histogram, func(f float64) float64 { return f }, 0))
		if err != nil {
			panic(err) // steps makes finite points
		}
		fill := s.color
		fill.A = 0x60
		area.Color = fill
		area.LineStyle.Width = 0
		p.Add(area)
	}
	for _, s := range a.sides() {
		if len(s.Density) > 0 {
			p.Add(newLine(densityLine(s.Density, top), s.color, 1.4))
		}
	}
	return finishAngles(p, a, threshold, func(share float64) float64 { return share })
}

func len64(x []float64) float64 { return float64(len(x)) }

// PlotAnglesLog is PlotAngles with a logarithmic axis, which shows the tails, and without the densities.
func PlotAnglesLog(a *Angles, title string, threshold float64) *Picture {
	least := 1.0
	for _, s := range a.sides() {
		for _, f := range s.Histogram {
			if f > 0 {
				least = math.Min(least, f)
			}
		}
	}
	low := math.Min(-2, math.Floor(math.Log10(least)-0.2))
	height := func(share float64) float64 { return math.Max(low, math.Log10(share)) }
	p := newAnglePlot(title, "share of the pairs, per degree, logarithmic", low, 0)
	p.Y.Tick.Marker = decadeTicks{}
	for _, s := range a.sides() {
		p.Add(newLine(steps(s.Histogram, height, low), s.color, 1.4))
	}
	return finishAngles(p, a, threshold, height)
}

func newAnglePlot(title, y string, low, high float64) *plot.Plot {
	p := newPlot(title, "angle between the two embeddings (radians)", y)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, math.Pi, low, high
	p.X.Tick.Marker = piTicks{}
	p.Legend.Top = true
	p.Legend.XOffs, p.Legend.YOffs = -8, -4
	return p
}

// perDegree turns a density per radian into a share per degree.
func perDegree(density float64) float64 { return density * math.Pi / AngleBins }

// densityLine returns the line of a density over the angles, cut at height top.
func densityLine(density []float64, top float64) plotter.XYs {
	xy := make(plotter.XYs, len(density))
	for i, d := range density {
		xy[i] = plotter.XY{X: float64(i) * math.Pi / (len64(density) - 1), Y: math.Min(top, perDegree(d))}
	}
	return xy
}

// finishAngles adds what the two pictures have in common.
func finishAngles(p *plot.Plot, a *Angles, threshold float64, height func(share float64) float64) *Picture {
	sides := a.sides()
	for i := range sides {
		s := sides[len(sides)-1-i]
		p.Legend.Add(s.name, newLine(plotter.XYs{{}}, s.color, 3))
	}
	if !math.IsNaN(threshold) {
		l := newLine(plotter.XYs{{X: threshold, Y: p.Y.Min}, {X: threshold, Y: p.Y.Max}}, ink, 1, 4, 3)
		p.Add(l)
		p.Legend.Add(fmt.Sprintf("threshold of the EER: %.1f°", threshold*180/math.Pi), l)
	}
	out := &Picture{plot: p, width: pictureWidth, height: 250}
	const width = math.Pi / AngleBins
	for i := 0; i < AngleBins; i += 2 {
		b := band{x: float64(i+1) * width, lines: []string{fmt.Sprintf("%d° to %d°", i, i+2)}}
		for k := range sides {
			s := sides[len(sides)-1-k]
			share := s.Histogram[i] + s.Histogram[i+1]
			b.lines = append(b.lines, s.name[:8]+": "+percent(share, 2))
			b.dots = append(b.dots, marker{math.Min(p.Y.Max, height(share/2)), s.page})
		}
		out.bands = append(out.bands, b)
	}
	return out
}

// Top returns an upper end of the axis that leaves room above the histograms.
func (a *Angles) Top() float64 {
	var most float64
	for i, f := range a.Positive.Histogram {
		most = math.Max(most, math.Max(f, a.Negative.Histogram[i]))
	}
	return most * 1.3
}

// steps returns the outline of a histogram, from and to the axis at height base.
func steps(histogram []float64, height func(share float64) float64, base float64) plotter.XYs {
	const width = math.Pi / AngleBins
	var xy plotter.XYs
	last := base
	for i, f := range histogram {
		if y := height(f); y != last {
			x := float64(i) * width
			xy = append(xy, plotter.XY{X: x, Y: last}, plotter.XY{X: x, Y: y})
			last = y
		}
	}
	if last != base || len(xy) == 0 {
		xy = append(xy, plotter.XY{X: math.Pi, Y: last}, plotter.XY{X: math.Pi, Y: base})
	}
	return xy
}

// piTicks marks multiples of π/6.
type piTicks struct{}

func (piTicks) Ticks(float64, float64) []plot.Tick {
	labels := []string{"0", "π/6", "π/3", "π/2", "2π/3", "5π/6", "π"}
	ticks := make([]plot.Tick, len(labels))
	for i, l := range labels {
		ticks[i] = plot.Tick{Value: float64(i) * math.Pi / 6, Label: l}
	}
	return ticks
}

// percentTicks are the default ticks as percentages.
type percentTicks struct{}

func (percentTicks) Ticks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	for i, t := range ticks {
		if t.Label != "" {
			ticks[i].Label = fmt.Sprintf("%g %%", math.Round(t.Value*1e6)/1e4)
		}
	}
	return ticks
}
