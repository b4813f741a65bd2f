package eval

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// hoverBands is how many bands a picture has across its axis.
const hoverBands = 72

// band is a strip of a picture that shows values while the pointer is on it. It needs no script: the page's
// style shows the tip of the strip that is hovered over, or touched.
type band struct {
	x     float64 // where the values are, in the axis's units
	lines []string
	dots  []marker
}

// marker marks a value on a curve.
type marker struct {
	y     float64
	color string
}

// dataArea is where the picture draws its data.
func (p *Picture) dataArea() draw.Canvas {
	c := draw.Crop(draw.New(vgsvg.New(p.width, p.height)), pictureMargin, -pictureMargin, pictureMargin, -pictureMargin)
	if p.below != 0 {
		legend := p.plot.Legend
		p.plot.Legend = plot.Legend{TextStyle: legend.TextStyle}
		defer func() { p.plot.Legend = legend }()
		c = draw.Crop(c, 0, 0, p.below, 0)
	}
	return p.plot.DataCanvas(c)
}

// hoverSVG returns the bands as elements that lie on top of the picture.
func (p *Picture) hoverSVG() string {
	if len(p.bands) == 0 {
		return ""
	}
	area := p.dataArea()
	toX, toY := p.plot.Transforms(&area)
	x := func(v float64) float64 { return toX(v).Points() }
	y := func(v float64) float64 { return (p.height - toY(v)).Points() } // SVG counts from the top
	left, right := area.Min.X.Points(), area.Max.X.Points()
	top, bottom := (p.height - area.Max.Y).Points(), (p.height - area.Min.Y).Points()
	var b strings.Builder
	for i, s := range p.bands {
		at, from, to := x(s.x), left, right
		if i > 0 {
			from = (x(p.bands[i-1].x) + at) / 2
		}
		if i+1 < len(p.bands) {
			to = (x(p.bands[i+1].x) + at) / 2
		}
		fmt.Fprintf(&b, `<g class="hover"><rect class="hit" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/><g class="tip"><line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`,
			from, top, to-from, bottom-top, at, top, at, bottom)
		middle := 0.0
		for _, d := range s.dots {
			middle += y(d.y) / float64(len(s.dots))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="2.6" fill="%s"/>`, at, y(d.y), d.color)
		}
		// The box stands where the curves are not: beside the line, in the other half.
		const line, letter, pad = 11.0, 4.95, 5.0
		width, height := 2*pad, line*float64(len(s.lines))+pad
		for _, text := range s.lines {
			width = math.Max(width, letter*float64(len([]rune(text)))+2*pad)
		}
		bx, by := at+6, top+4
		if at > (left+right)/2 {
			bx = at - 6 - width
		}
		if middle < (top+bottom)/2 {
			by = bottom - 4 - height
		}
		fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2"/>`, bx, by, width, height)
		for k, text := range s.lines {
			fmt.Fprintf(&b, `<text x="%.1f" y="%.1f">%s</text>`, bx+pad, by+line*float64(k+1), escapeText(text))
		}
		b.WriteString("</g></g>\n")
	}
	return b.String()
}

func escapeText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// across returns positions evenly from low to high.
func across(low, high float64) []float64 {
	x := make([]float64, hoverBands+1)
	for i := range x {
		x[i] = low + (high-low)*float64(i)/hoverBands
	}
	return x
}

// curveBands says what each curve is at false accept rates; place turns a true accept rate into the height
// of the dot, and text into words.
func curveBands(curves []*Curve, xs []float64, far func(x float64) float64, name string, place func(tar float64) float64, text func(tar float64) string) []band {
	var bands []band
	for _, x := range xs {
		b := band{x: x, lines: []string{name + " ≤ " + percent(far(x), 2)}}
		for i, c := range curves {
			tar := c.tarAt(far(x))
			b.lines = append(b.lines, shorten(c.Name, 30)+": "+text(tar))
			if y := place(tar); !math.IsNaN(y) {
				b.dots = append(b.dots, marker{y, systemColor(i)})
			}
		}
		bands = append(bands, b)
	}
	return bands
}

// systemColor is the page's colour of a system.
func systemColor(i int) string { return fmt.Sprintf("var(--plot-%d)", i%len(colors)) }

// tarAt is the TAR at the last point whose FAR is at most far, 0 if there is none.
func (c *Curve) tarAt(far float64) float64 {
	tar := 0.0
	for i, f := range c.FAR {
		if f > far {
			break
		}
		tar = c.TAR[i]
	}
	return tar
}
