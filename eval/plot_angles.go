package eval

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// PlotAngles draws the histograms of the angles of positive and negative pairs, in radians
// on [0, π], one bin a degree, and a dashed line at the angle of a threshold unless that
// is NaN. top is the upper end of the axis, 0 for what the histograms need: pictures
// side by side should share one (see [Angles.Top]).
func PlotAngles(a *Angles, title string, threshold, top float64) *Picture {
	p := newPlot(title, "angle between the two embeddings (radians)", "share of the pairs, per degree")
	if top == 0 {
		top = a.Top()
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, math.Pi, 0, top
	p.X.Tick.Marker = piTicks{}
	p.Y.Tick.Marker = percentTicks{}
	sides := []struct {
		name string
		side AngleSide
		c    color.NRGBA
	}{
		{"negative: two people", a.Negative, colors[1]},
		{"positive: one person", a.Positive, colors[0]},
	}
	for _, s := range sides {
		outline := steps(s.side.Histogram)
		area, err := plotter.NewPolygon(outline)
		if err != nil {
			panic(err) // steps makes finite points
		}
		fill := s.c
		fill.A = 0x60
		area.Color = fill
		area.LineStyle.Width = 0
		p.Add(area)
	}
	for _, s := range sides {
		p.Add(newLine(steps(s.side.Histogram), s.c, 1.4))
	}
	for i := range sides {
		s := sides[len(sides)-1-i]
		p.Legend.Add(s.name, newLine(plotter.XYs{{}}, s.c, 3))
	}
	if !math.IsNaN(threshold) {
		l := newLine(plotter.XYs{{X: threshold, Y: 0}, {X: threshold, Y: top}}, ink, 1, 4, 3)
		p.Add(l)
		p.Legend.Add(fmt.Sprintf("threshold of the EER: %.1f°", threshold*180/math.Pi), l)
	}
	p.Legend.Top = true
	p.Legend.XOffs, p.Legend.YOffs = -8, -4
	return &Picture{plot: p, width: pictureWidth, height: 250}
}

// Top returns an upper end of the axis that leaves room above the histograms.
func (a *Angles) Top() float64 {
	var most float64
	for i, f := range a.Positive.Histogram {
		most = math.Max(most, math.Max(f, a.Negative.Histogram[i]))
	}
	return most * 1.3
}

// steps returns the outline of a histogram, from and to the axis.
func steps(histogram []float64) plotter.XYs {
	const width = math.Pi / AngleBins
	var xy plotter.XYs
	last := 0.0
	for i, f := range histogram {
		if f != last {
			x := float64(i) * width
			xy = append(xy, plotter.XY{X: x, Y: last}, plotter.XY{X: x, Y: f})
			last = f
		}
	}
	if last != 0 || len(xy) == 0 {
		xy = append(xy, plotter.XY{X: math.Pi, Y: last}, plotter.XY{X: math.Pi, Y: 0})
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
