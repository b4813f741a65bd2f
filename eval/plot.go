package eval

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The colours of the pictures. A page replaces them by its own (see [Picture.PageSVG]), so each
// stands for one thing only: colors for systems that are compared, genuineColor and impostorColor for
// the two kinds of pairs, and their errors.
var (
	ink           = color.NRGBA{0x1b, 0x1f, 0x24, 0xff}
	grid          = color.NRGBA{0xe3, 0xe7, 0xec, 0xff}
	genuineColor  = color.NRGBA{0x0d, 0x8a, 0x7c, 0xff}
	impostorColor = color.NRGBA{0xb5, 0x30, 0x6e, 0xff}
	colors        = []color.NRGBA{
		{0x1d, 0x5f, 0xb4, 0xff}, {0xc8, 0x50, 0x1e, 0xff}, {0x6b, 0x4f, 0xb8, 0xff}, {0x9a, 0x7a, 0x10, 0xff},
		{0x3f, 0x9b, 0xd1, 0xff}, {0x7a, 0x4a, 0x2b, 0xff}, {0x2f, 0x3f, 0x73, 0xff}, {0x70, 0x75, 0x7c, 0xff},
	}
)

// The page's colours of the two kinds.
const (
	genuinePage  = "var(--plot-genuine)"
	impostorPage = "var(--plot-impostor)"
)

// Picture is a plot with its size.
type Picture struct {
	plot          *plot.Plot
	width, height vg.Length
	below         vg.Length // height of the legend below the plot; 0 for one inside it
	bands         []band    // what a page shows where the pointer is
}

// legendLine is the height of a line of a legend below the plot, legendIndent how far
// it stands from the left.
const (
	legendLine   = 12.7 * vg.Length(1)
	legendIndent = 34 * vg.Length(1)
	legendGap    = 5 * vg.Length(1) // from the plot
)

// Sizes of the pictures: text is legible when a phone shows them 360 pixels wide.
const (
	pictureWidth  = 380 * vg.Length(1)
	pictureHeight = 300 * vg.Length(1)
	pictureDPI    = 220
	pictureMargin = 5
)

// WritePNG writes the picture as PNG, 220 dots an inch, on white.
func (p *Picture) WritePNG(w io.Writer) error {
	c := vgimg.NewWith(vgimg.UseWH(p.width, p.height), vgimg.UseDPI(pictureDPI), vgimg.UseBackgroundColor(color.White))
	p.draw(draw.New(c))
	_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(w)
	return err
}

// draw draws the picture with a margin.
func (p *Picture) draw(c draw.Canvas) {
	if p.plot.BackgroundColor != nil {
		c.SetColor(p.plot.BackgroundColor)
		c.Fill(c.Rectangle.Path())
	}
	c = draw.Crop(c, pictureMargin, -pictureMargin, pictureMargin, -pictureMargin)
	if p.below == 0 {
		p.plot.Draw(c)
		return
	}
	legend := p.plot.Legend
	p.plot.Legend = plot.Legend{TextStyle: legend.TextStyle}
	p.plot.Draw(draw.Crop(c, 0, 0, p.below, 0))
	p.plot.Legend = legend
	legend.Draw(draw.Crop(c, legendIndent, 0, 0, p.below-legendGap-(c.Max.Y-c.Min.Y)))
}

// WriteSVG writes the picture as an SVG file on white.
func (p *Picture) WriteSVG(w io.Writer) error { return p.svg(w, color.White) }

func (p *Picture) svg(w io.Writer, background color.Color) error {
	c := vgsvg.New(p.width, p.height)
	p.plot.BackgroundColor = background
	p.draw(draw.New(c))
	_, err := c.WriteTo(w)
	return err
}

// PageSVG returns the picture as an element for a page: no background, and colours taken
// from the page's style, so that they suit light and dark. Values appear where the pointer is.
func (p *Picture) PageSVG(alt string) (string, error) {
	var b bytes.Buffer
	if err := p.svg(&b, nil); err != nil {
		return "", err
	}
	text := b.String()
	start := strings.Index(text, "<svg ")
	if start < 0 {
		return "", fmt.Errorf("the SVG canvas wrote no <svg> element")
	}
	hex := func(c color.NRGBA) string { return fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B) }
	swap := []string{hex(ink), "var(--plot-ink)", hex(grid), "var(--plot-grid)", "#000000", "var(--plot-ink)", hex(genuineColor), genuinePage, hex(impostorColor), impostorPage}
	for i, c := range colors {
		swap = append(swap, hex(c), fmt.Sprintf("var(--plot-%d)", i))
	}
	text = strings.NewReplacer(swap...).Replace(text[start:])
	_, inside, _ := strings.Cut(text, ">")
	if end := strings.LastIndex(inside, "</svg>"); end >= 0 {
		inside = inside[:end] + p.hoverSVG() + inside[end:]
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-label="%s">%s`,
		p.width.Points(), p.height.Points(), escapeAttribute(alt), inside), nil
}

func escapeAttribute(s string) string {
	return strings.NewReplacer("&", "&amp;", `"`, "&quot;", "<", "&lt;").Replace(s)
}

func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	text := func(size font.Length) font.Font {
		return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	}
	p.Title.Text = title
	p.Title.TextStyle.Font = text(13)
	p.Title.Padding = 6
	p.Legend.TextStyle.Font = text(10)
	p.Title.TextStyle.Color, p.Legend.TextStyle.Color = ink, ink
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font, a.Tick.Label.Font = text(11), text(10)
		a.Label.TextStyle.Color, a.Tick.Label.Color = ink, ink
		a.LineStyle.Color, a.Tick.LineStyle.Color = ink, ink
		a.Padding = 0
		a.Label.Padding = 3
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.Legend.ThumbnailWidth = 18
	p.Legend.Padding = 2
	g := plotter.NewGrid()
	g.Horizontal.Color, g.Vertical.Color = grid, grid
	p.Add(g)
	return p
}

func newLine(xy plotter.XYs, c color.Color, width float64, dashes ...vg.Length) *plotter.Line {
	l, err := plotter.NewLine(xy)
	if err != nil {
		panic(err) // NaN or no points, which callers exclude
	}
	l.Color, l.Width, l.Dashes = c, vg.Length(width), dashes
	return l
}

// PlotROC draws ROC curves: true against false accept rate, the latter on a logarithmic
// axis if log is set, from the smallest rate that the first curve resolves. The first
// own curves are drawn thick, the others as comparisons, thin. The legend is below.
func PlotROC(curves []*Curve, own int, log bool) *Picture {
	p := newPlot("", "false accept rate (FAR)", "true accept rate (TAR)")
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	p.Y.Tick.Marker = rateTicks{}
	p.X.Tick.Marker = rateTicks{}
	left := 0.0
	if log {
		// The axis is linear in log10 FAR: gonum places the label of a log axis as if
		// the axis were linear, and leaves a margin for where it is not.
		left = smallestFAR(curves)
		p.X.Min, p.X.Max = math.Log10(left), 0
		p.X.Tick.Marker = decadeTicks{}
		p.X.Label.Text += ", logarithmic"
	} else {
		p.Add(newLine(plotter.XYs{{X: 0, Y: 0}, {X: 1, Y: 1}}, ink, 0.5, 3, 3))
	}
	for i, c := range slices.Backward(curves) { // the first on top
		width := 1.0
		if i < own {
			width = 2.2
		}
		if xy := c.points(left, log); len(xy) > 0 {
			p.Add(newLine(xy, colors[i%len(colors)], width))
		}
	}
	for i, c := range curves {
		l := newLine(plotter.XYs{{}}, colors[i%len(colors)], 2)
		p.Legend.Add(shorten(c.Name, 56), l)
	}
	p.Legend.Left, p.Legend.Top = true, true
	below := legendLine*vg.Length(len(curves)) + legendGap
	out := &Picture{plot: p, width: pictureWidth, height: pictureHeight + below, below: below}
	far := func(x float64) float64 { return x }
	if log {
		far = func(x float64) float64 { return math.Pow(10, x) }
	}
	out.bands = curveBands(curves, across(p.X.Min, p.X.Max), far, "FAR", func(tar float64) float64 { return tar }, func(tar float64) string { return "TAR " + percent(tar, 2) })
	return out
}

// smallestFAR is the left end of a logarithmic axis: the smallest positive rate of the
// first curve.
func smallestFAR(curves []*Curve) float64 {
	if len(curves) > 0 {
		for _, f := range curves[0].FAR {
			if f > 0 {
				return math.Min(f, 0.1)
			}
		}
	}
	return 1e-3
}

// points returns the curve as drawn on an axis of FAR or of log10 FAR: from the left end of the axis, with a step where the
// curve enters it, without points too close to the last to be seen.
func (c *Curve) points(left float64, log bool) plotter.XYs {
	near := 1e-3 // of the axis
	position := func(far float64) float64 { return far }
	if log {
		near *= -math.Log10(left)
		position = math.Log10
	}
	var xy plotter.XYs
	enters := 0.0
	for i, far := range c.FAR {
		if far < left {
			enters = c.TAR[i]
			continue
		}
		if xy == nil {
			xy = append(xy, plotter.XY{X: position(left), Y: enters})
		}
		last := xy[len(xy)-1]
		x, y := position(far), c.TAR[i]
		if i+1 < len(c.FAR) && x-last.X < near && math.Abs(y-last.Y) < 1e-3 {
			continue
		}
		xy = append(xy, plotter.XY{X: x, Y: y})
	}
	return xy
}

// rateTicks marks a linear axis from 0 to 1.
type rateTicks struct{}

func (rateTicks) Ticks(float64, float64) []plot.Tick {
	var ticks []plot.Tick
	for i := range 6 {
		ticks = append(ticks, plot.Tick{Value: float64(i) / 5, Label: fmt.Sprintf("%.1f", float64(i)/5)})
	}
	return ticks
}

// decadeTicks marks powers of ten on an axis of their logarithms, and their multiples
// without labels.
type decadeTicks struct{}

func (decadeTicks) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for e := int(math.Floor(low)); e <= int(high); e++ {
		for m := 1; m < 10; m++ {
			v := math.Log10(float64(m)) + float64(e)
			if v < low-1e-9 || v > high+1e-9 {
				continue
			}
			t := plot.Tick{Value: v}
			if m == 1 {
				t.Label = fmt.Sprintf("%g", math.Pow10(e))
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// shorten cuts a name to n letters.
func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
