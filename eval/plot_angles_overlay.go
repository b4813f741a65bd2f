package eval

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// PlotAnglesOverlay draws the densities of the angles of several systems over each other, those of positive
// pairs in whole lines, those of negative pairs in broken ones. Results without angles are passed over; nil is
// returned unless two have some.
func PlotAnglesOverlay(results []NamedResult) *Picture {
	var shown []int
	var top float64
	for i, n := range results {
		if a := n.Result.Angles; a != nil && len(a.Positive.Density) > 0 && len(a.Negative.Density) > 0 {
			shown = append(shown, i)
			top = math.Max(top, 1.1*perDegree(math.Max(slices.Max(a.Positive.Density), slices.Max(a.Negative.Density))))
		}
	}
	if len(shown) < 2 {
		return nil
	}
	p := newAnglePlot("", "share of the pairs, per degree", 0, top)
	p.Y.Tick.Marker = percentTicks{}
	for _, i := range shown {
		a, c := results[i].Result.Angles, colors[i%len(colors)]
		for _, side := range []struct {
			density []float64
			dashes  []vg.Length
		}{{a.Negative.Density, []vg.Length{4, 3}}, {a.Positive.Density, nil}} {
			p.Add(newLine(densityLine(side.density, top), c, 1.4, side.dashes...))
		}
		p.Legend.Add(shorten(results[i].Name, 30), newLine(plotter.XYs{{}}, c, 3))
	}
	out := &Picture{plot: p, width: pictureWidth, height: 250}
	for _, x := range across(0, math.Pi) {
		b := band{x: x, lines: []string{fmt.Sprintf("%.1f°: share of positive, negative", x*180/math.Pi)}}
		for _, i := range shown {
			a := results[i].Result.Angles
			at := int(math.Round(x / math.Pi * (len64(a.Positive.Density) - 1)))
			positive, negative := perDegree(a.Positive.Density[at]), perDegree(a.Negative.Density[at])
			b.lines = append(b.lines, shorten(results[i].Name, 30)+": "+percent(positive, 2)+", "+percent(negative, 2))
			b.dots = append(b.dots, marker{positive, systemColor(i)}, marker{negative, systemColor(i)})
		}
		out.bands = append(out.bands, b)
	}
	return out
}
