package pipeline

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// A chart's picture is this many units wide and high; text is legible when a phone shows it
// 360 pixels wide.
const (
	chartWidth, chartHeight = 380.0, 240.0
	chartLeft, chartRight   = 46.0, 10.0
	chartTop, chartBottom   = 10.0, 38.0
	plotWidth, plotHeight   = chartWidth - chartLeft - chartRight, chartHeight - chartTop - chartBottom
	chartPoints             = 400 // a curve with more is thinned to means
)

// series is a curve of a chart.
type series struct {
	name  string
	x, y  []float64
	color int // of the page's plot colours
}

// chart returns a line chart as an <svg> element in a page's colours.
func chart(alt, xLabel string, curves ...series) string {
	xMin, xMax, yMin, yMax := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for i, s := range curves {
		s.x, s.y = thin(s.x), thin(s.y)
		curves[i] = s
		for k := range s.x {
			xMin, xMax = min(xMin, s.x[k]), max(xMax, s.x[k])
			yMin, yMax = min(yMin, s.y[k]), max(yMax, s.y[k])
		}
	}
	if xMin == xMax {
		xMin, xMax = xMin-1, xMax+1
	}
	ys := ticks(yMin, yMax, 5)
	yMin, yMax = min(yMin, ys[0]), max(yMax, ys[len(ys)-1])
	px := func(x float64) float64 { return chartLeft + (x-xMin)/(xMax-xMin)*plotWidth }
	py := func(y float64) float64 { return chartTop + (yMax-y)/(yMax-yMin)*plotHeight }

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-label="%s" font-family="sans-serif" font-size="10">`,
		chartWidth, chartHeight, html.EscapeString(alt))
	for _, y := range ys {
		fmt.Fprintf(&b, `<line x1="%g" x2="%g" y1="%.1f" y2="%.1f" stroke="var(--plot-grid)"/>`, chartLeft, chartWidth-chartRight, py(y), py(y))
		fmt.Fprintf(&b, `<text x="%g" y="%.1f" text-anchor="end" fill="var(--plot-ink)">%s</text>`, chartLeft-5, py(y)+3.5, label(y))
	}
	for _, x := range ticks(xMin, xMax, 6) {
		if x < xMin || x > xMax {
			continue
		}
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%g" y2="%g" stroke="var(--plot-ink)"/>`, px(x), px(x), chartTop+plotHeight, chartTop+plotHeight+4)
		fmt.Fprintf(&b, `<text x="%.1f" y="%g" text-anchor="middle" fill="var(--plot-ink)">%s</text>`, px(x), chartTop+plotHeight+15, label(x))
	}
	fmt.Fprintf(&b, `<text x="%g" y="%g" text-anchor="middle" fill="var(--plot-ink)">%s</text>`, chartLeft+plotWidth/2, chartHeight-6, html.EscapeString(xLabel))
	for i, s := range curves {
		var points strings.Builder
		for k := range s.x {
			fmt.Fprintf(&points, "%.1f,%.1f ", px(s.x[k]), py(s.y[k]))
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="var(--plot-%d)" stroke-width="1.6" stroke-linejoin="round"/>`, strings.TrimSpace(points.String()), s.color)
		if len(curves) > 1 {
			fmt.Fprintf(&b, `<text class="halo" x="%g" y="%g" text-anchor="end" fill="var(--plot-%d)">%s</text>`,
				chartWidth-chartRight-4, chartTop+12+13*float64(i), s.color, html.EscapeString(s.name))
		}
	}
	b.WriteString("</svg>")
	return b.String()
}

func label(v float64) string { return strings.TrimPrefix(fmt.Sprintf("%.4g", v), "+") }

// ticks returns round numbers about lo ... hi, some n of them, at least two.
func ticks(lo, hi float64, n int) []float64 {
	size := max(math.Abs(lo), math.Abs(hi))
	if hi-lo <= 1e-9*size { // equal but for rounding
		d := max(size*0.1, 1e-3)
		lo, hi = lo-d, hi+d
	}
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/float64(n))))
	for _, f := range []float64{1, 2, 5, 10} {
		if (hi-lo)/(step*f) <= float64(n) {
			step *= f
			break
		}
	}
	var ts []float64
	for k := math.Floor(lo / step); k <= math.Ceil(hi/step); k++ {
		ts = append(ts, k*step)
	}
	return ts
}

// thin returns means of neighbours if there are more than chartPoints values.
func thin(v []float64) []float64 {
	if len(v) <= chartPoints {
		return v
	}
	out := make([]float64, chartPoints)
	for i := range out {
		from, to := i*len(v)/chartPoints, (i+1)*len(v)/chartPoints
		for _, x := range v[from:to] {
			out[i] += x / float64(to-from)
		}
	}
	return out
}
