// Package figure draws the pictures of the lecture on losses: panels with axes, and in them lines, areas, dots, arrows
// and text. A picture is written as SVG for a page, where a script can move what has a name, as SVG for a file, and as
// PNG; the three come from one geometry.
package figure

import "math"

// XY is a point, in the units of a panel's axes unless said otherwise.
type XY struct{ X, Y float64 }

// Gap ends a line or an area: what follows starts anew.
var Gap = XY{math.NaN(), math.NaN()}

// Figure is a picture. Its units are about those of a phone's screen, so that text of 11 units can be read there.
type Figure struct {
	ID      string // unique in a page, and the name of its files
	Alt     string // the picture in words
	Title   string // above the picture
	Caption string // below it
	W, H    float64

	panels []*Panel
}

// New returns an empty picture.
func New(id string, w, h float64, alt string) *Figure { return &Figure{ID: id, W: w, H: h, Alt: alt} }

// Axes are the ranges of a panel and what is written at its sides.
type Axes struct {
	X, Y           [2]float64
	XLabel, YLabel string // the latter stands above the axis, where it can be read
	XTicks, YTicks []Tick // nil makes round ones
	Bare           bool   // no axes, and little margin
	Square         bool   // the same unit in both directions: the shorter side is centred
}

// Tick is a marked place of an axis.
type Tick struct {
	At    float64
	Label string
}

// Panel is a part of a picture with coordinates of its own.
type Panel struct {
	axes                     Axes
	left, top, right, bottom float64 // in units of the picture
	marks                    []*mark
}

// Margins of a panel with axes, and of a bare one.
const (
	marginLeft, marginRight, marginTop, marginBottom = 34, 14, 20, 30
	marginBare                                       = 4
)

// Panel adds a panel that fills the picture.
func (f *Figure) Panel(a Axes) *Panel { return f.PanelIn(a, 0, 0, f.W, f.H) }

// PanelIn adds a panel, margins included, between left and right, top and bottom.
func (f *Figure) PanelIn(a Axes, left, top, right, bottom float64) *Panel {
	p := &Panel{axes: a, left: left + marginLeft, top: top + marginTop, right: right - marginRight, bottom: bottom - marginBottom}
	if a.Bare {
		p.left, p.top, p.right, p.bottom = left+marginBare, top+marginBare, right-marginBare, bottom-marginBare
	}
	if a.Square {
		w, h := p.right-p.left, p.bottom-p.top
		unit := min(w/(a.X[1]-a.X[0]), h/(a.Y[1]-a.Y[0]))
		dx, dy := (w-unit*(a.X[1]-a.X[0]))/2, (h-unit*(a.Y[1]-a.Y[0]))/2
		p.left, p.right, p.top, p.bottom = p.left+dx, p.right-dx, p.top+dy, p.bottom-dy
	}
	f.panels = append(f.panels, p)
	return p
}

// place returns where a point stands in the picture.
func (p *Panel) place(q XY) XY {
	a := p.axes
	return XY{
		p.left + (q.X-a.X[0])/(a.X[1]-a.X[0])*(p.right-p.left),
		p.bottom - (q.Y-a.Y[0])/(a.Y[1]-a.Y[0])*(p.bottom-p.top),
	}
}

// Style is how a mark looks.
type Style struct {
	Color Color
	Width float64 // of a line, or the diameter of a dot; 0 is 1.8, of dots 6
	Dash  bool
	Faint float64 // from 0, opaque, to 1, invisible; areas are 0.75 where it is 0
	Size  float64 // of text; 0 is 11
	Bold  bool
	Hover string // what a reader is told who points at the line
	Drag  string // what a reader moves who drags the mark: see the page's script
}

type kind int

const (
	line kind = iota
	area
	dots
	arrow
	text
)

// mark is one thing in a panel. A script finds it by its name.
type mark struct {
	kind   kind
	name   string
	style  Style
	points []XY
	text   string
	anchor Anchor
	shift  XY // of text, in units of the picture, downwards
}

// Anchor says which part of a text stands at its point.
type Anchor string

// Where text can be held.
const (
	Start  Anchor = "start"
	Middle Anchor = "middle"
	End    Anchor = "end"
)

// halo says whether paper shows about a text's letters, so that lines do not cross them: what stands on axes has no need of it.
func (m *mark) halo() bool { return m.style.Color != Ink || m.style.Bold }

func (p *Panel) add(m *mark) { p.marks = append(p.marks, m) }

// Line adds a line through the points, cut off at the panel's sides. A mark without a name cannot be moved.
func (p *Panel) Line(name string, s Style, points ...XY) {
	p.add(&mark{kind: line, name: name, style: s, points: points})
}

// Area adds a filled area within the points. What lies outside the panel is moved to its sides.
func (p *Panel) Area(name string, s Style, points ...XY) {
	p.add(&mark{kind: area, name: name, style: s, points: points})
}

// Dots adds a dot at each point in the panel.
func (p *Panel) Dots(name string, s Style, points ...XY) {
	p.add(&mark{kind: dots, name: name, style: s, points: points})
}

// Arrow adds an arrow.
func (p *Panel) Arrow(name string, s Style, from, to XY) {
	p.add(&mark{kind: arrow, name: name, style: s, points: []XY{from, to}})
}

// Text writes at a point. The shift is in units of the picture, to the right and downwards.
func (p *Panel) Text(name string, s Style, at XY, anchor Anchor, shift XY, words string) {
	p.add(&mark{kind: text, name: name, style: s, points: []XY{at}, anchor: anchor, shift: shift, text: words})
}

// Function returns the points of a line y = f(x) with n steps from lo to hi.
func Function(lo, hi float64, n int, f func(x float64) float64) []XY {
	points := make([]XY, n+1)
	for i := range points {
		x := lo + (hi-lo)*float64(i)/float64(n)
		points[i] = XY{x, f(x)}
	}
	return points
}

// Arc returns points of a circle about the origin between two angles in radians, one for each degree or nearer.
func Arc(radius, from, to float64) []XY {
	n := max(1, int(math.Ceil(math.Abs(to-from)*180/math.Pi-1e-9)))
	points := make([]XY, n+1)
	for i := range points {
		sin, cos := math.Sincos(from + (to-from)*float64(i)/float64(n))
		points[i] = XY{radius * cos, radius * sin}
	}
	return points
}
