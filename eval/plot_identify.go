package eval

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/plotter"
)

// PlotCMC draws a cumulative match characteristic: the share of mated probes whose mate is among
// the k highest scores, for k = 1 ... len(shares), on a logarithmic axis.
func PlotCMC(shares []float64) *Picture {
	p := newPlot("", "rank, logarithmic", "share of mated probes")
	last := math.Max(1, math.Log10(float64(len(shares))))
	low := 1.0
	var xy plotter.XYs
	for i, s := range shares {
		xy = append(xy, plotter.XY{X: math.Log10(float64(i + 1)), Y: s})
		low = math.Min(low, s)
	}
	p.X.Min, p.X.Max = 0, last
	p.Y.Min, p.Y.Max = math.Floor(10*math.Min(low, 0.9))/10, 1
	p.X.Tick.Marker = decadeTicks{}
	p.Add(newLine(thin(xy, 1e-3*last, 1e-3), colors[0], 2.2))
	out := &Picture{plot: p, width: pictureWidth, height: pictureHeight}
	for i, s := range shares {
		x := math.Log10(float64(i + 1))
		if n := len(out.bands); n > 0 && x-out.bands[n-1].x < last/hoverBands {
			continue
		}
		out.bands = append(out.bands, band{x, []string{fmt.Sprintf("rank %d", i+1), percent(s, 2)}, []marker{{s, systemColor(0)}}})
	}
	return out
}

// PlotIdentification draws the false negative against the false positive identification rate, both
// logarithmic, of a curve that holds DIR as TAR and FPIR as FAR.
func PlotIdentification(r *ROC) *Picture {
	p := newPlot("", "false positive identification rate (FPIR), logarithmic", "false negative identification rate (FNIR), logarithmic")
	left, bottom := 1.0, 1.0
	var xy plotter.XYs
	for _, at := range r.Points {
		fpir, fnir := float64(at.FalseAccepts)/math.Max(1, float64(r.Impostors)), 1-r.TAR(at)
		if fpir > 0 && fnir > 0 {
			xy = append(xy, plotter.XY{X: math.Log10(fpir), Y: math.Log10(fnir)})
			left, bottom = math.Min(left, fpir), math.Min(bottom, fnir)
		}
	}
	p.X.Min, p.X.Max = math.Min(-1, math.Log10(left)), 0
	p.Y.Min, p.Y.Max = math.Min(-1, math.Log10(bottom)), 0
	p.X.Tick.Marker, p.Y.Tick.Marker = decadeTicks{}, decadeTicks{}
	if xy = thin(xy, -1e-3*p.X.Min, -1e-3*p.Y.Min); len(xy) > 0 {
		line := newLine(xy, colors[0], 2.2)
		p.Add(line)
		p.Legend.Add(fmt.Sprintf("%d mated, %d non-mated probes", r.Genuine, r.Impostors), line)
		p.Legend.Left = true
	}
	out := &Picture{plot: p, width: pictureWidth, height: pictureHeight}
	for _, x := range across(p.X.Min, p.X.Max) {
		at := r.PointAtFAR(math.Pow(10, x))
		fnir := 1 - r.TAR(at)
		b := band{x: x, lines: []string{"FPIR ≤ " + percent(math.Pow(10, x), 2), "FNIR " + percent(fnir, 2)}}
		if fnir > 0 {
			b.dots = []marker{{math.Log10(fnir), systemColor(0)}}
		}
		out.bands = append(out.bands, b)
	}
	return out
}
