package eval

import (
	"cmp"
	"fmt"
	"image/color"
	"iter"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Directions are unit vectors in two or three dimensions, each of a class.
type Directions struct {
	Dim   int       // 2 or 3
	Unit  []float64 // [N,Dim]
	Class []int     // [N], from 0
	Names []string  // of the classes
}

// View is an orthonormal basis to look at a sphere with: right and up on the picture, and out of it.
type View [3][3]float64

// View returns one with as many of the directions in front as there can be: it looks along the mean of the
// classes' means, and aslant where that is short.
func (d *Directions) View() View {
	towards := [3]float64{0.08, -0.14, 0.1}
	means := d.Means()
	for _, m := range means {
		for k, v := range m {
			towards[k] += v / float64(len(means))
		}
	}
	unit := func(v [3]float64) [3]float64 {
		r := math.Sqrt(v[0]*v[0] + v[1]*v[1] + v[2]*v[2])
		return [3]float64{v[0] / r, v[1] / r, v[2] / r}
	}
	cross := func(a, b [3]float64) [3]float64 {
		return [3]float64{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
	}
	towards = unit(towards)
	north := [3]float64{0, 0, 1}
	if math.Abs(towards[2]) > 0.9 {
		north = [3]float64{0, 1, 0}
	}
	right := unit(cross(north, towards))
	return View{right, cross(towards, right), towards}
}

// Means returns the mean direction of each class, a unit vector, or zeros where it has none.
func (d *Directions) Means() [][]float64 {
	means := make([][]float64, len(d.Names))
	for k := range means {
		means[k] = make([]float64, d.Dim)
	}
	for i, class := range d.Class {
		for k, v := range d.Unit[i*d.Dim:][:d.Dim] {
			means[class][k] += v
		}
	}
	for _, m := range means {
		normalise(m)
	}
	return means
}

// see returns where a direction is on the picture, and how far in front.
func (v View) see(x []float64) (right, up, front float64) {
	if len(x) == 2 {
		return x[0], x[1], 1
	}
	for k, c := range x {
		right, up, front = right+v[0][k]*c, up+v[1][k]*c, front+v[2][k]*c
	}
	return right, up, front
}

// ClassColors is how many classes have a colour of their own; the next as many have another shape.
const ClassColors = 8

// PlotDirections draws directions as points of a circle or a sphere, with a line to the mean of each class. What
// is behind the sphere is faint. Without names there is no legend.
func PlotDirections(d *Directions, title string, legend bool) *Picture {
	if d.Dim != 2 && d.Dim != 3 {
		panic(fmt.Sprintf("eval: directions in %d dimensions cannot be drawn", d.Dim))
	}
	p := newPlot(title, "", "")
	p.HideAxes()
	const edge = 1.08
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -edge, edge, -edge, edge
	p.Add(globe{d, d.View()})
	picture := &Picture{plot: p, width: featuresSide, height: featuresSide}
	if title != "" {
		picture.height += featuresTitle
	}
	if !legend {
		return picture
	}
	for k, name := range d.Names {
		p.Legend.Add(shorten(name, 48), classMark{k})
	}
	p.Legend.Left, p.Legend.Top = true, true
	picture.below = legendLine*vg.Length(len(d.Names)) + legendGap
	picture.height += picture.below
	return picture
}

// Sizes of the pictures of features.
const (
	featuresSide  = 300 * vg.Length(1)
	featuresTitle = 20 * vg.Length(1)
)

// classGlyph is the mark of a class, at full strength or faint.
func classGlyph(class int, faint bool) draw.GlyphStyle {
	shapes := []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}}
	c := colors[class%ClassColors]
	if c.A = 0xb0; faint {
		c.A = 0x28
	}
	return draw.GlyphStyle{Color: c, Radius: 1.6, Shape: shapes[class/ClassColors%len(shapes)]}
}

// classMark is what the legend shows of a class.
type classMark struct{ class int }

func (m classMark) Thumbnail(c *draw.Canvas) {
	g := classGlyph(m.class, false)
	g.Radius = 3
	c.DrawGlyph(g, c.Center())
}

// globe is the plotter of directions.
type globe struct {
	*Directions
	view View
}

func (g globe) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	at := func(x []float64) (vg.Point, bool) {
		right, up, front := g.view.see(x)
		return vg.Point{X: tx(right), Y: ty(up)}, front >= 0
	}
	line := func(c0 color.Color, width vg.Length, points []vg.Point) {
		c.StrokeLines(draw.LineStyle{Color: c0, Width: width}, points)
	}
	var rim []vg.Point
	for _, xy := range circle(2, [2]int{0, 1}) {
		rim = append(rim, vg.Point{X: tx(xy[0]), Y: ty(xy[1])})
	}
	if g.Dim == 3 {
		for _, plane := range [][2]int{{0, 1}, {1, 2}, {0, 2}} {
			var arc []vg.Point
			for _, x := range circle(3, plane) {
				if pt, front := at(x); front {
					arc = append(arc, pt)
				} else if arc != nil {
					line(grid, 0.7, arc)
					arc = nil
				}
			}
			if arc != nil {
				line(grid, 0.7, arc)
			}
		}
	}
	line(ink, 0.7, rim)
	for i := range g.order() {
		pt, front := at(g.Unit[i*g.Dim:][:g.Dim])
		c.DrawGlyph(classGlyph(g.Class[i], !front), pt)
	}
	centre := vg.Point{X: tx(0), Y: ty(0)}
	for class, m := range g.Means() {
		pt, front := at(m)
		style := classGlyph(class, !front)
		line(style.Color, 1, []vg.Point{centre, pt})
	}
}

// order yields the points from the farthest to the nearest.
func (g globe) order() iter.Seq[int] {
	front := make([]float64, len(g.Class))
	index := make([]int, len(g.Class))
	for i := range index {
		_, _, front[i] = g.view.see(g.Unit[i*g.Dim:][:g.Dim])
		index[i] = i
	}
	slices.SortStableFunc(index, func(a, b int) int { return cmp.Compare(front[a], front[b]) })
	return slices.Values(index)
}

// circle returns points of the unit circle in a plane of two axes.
func circle(dim int, plane [2]int) [][]float64 {
	const n = 120
	out := make([][]float64, n+1)
	for i := range out {
		x := make([]float64, dim)
		x[plane[1]], x[plane[0]] = math.Sincos(2 * math.Pi * float64(i) / n)
		out[i] = x
	}
	return out
}

var _ plot.Plotter = globe{}
var _ plot.Thumbnailer = classMark{}
