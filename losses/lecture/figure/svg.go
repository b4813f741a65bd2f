package figure

import (
	"fmt"
	"io"
	"strings"
)

// Color is one of the palette's.
type Color int

// The palette: six colours that people who see red and green alike can tell apart, and those of paper and axes.
const (
	Blue Color = iota
	Vermilion
	Teal
	Purple
	Olive
	Grey
	Ink
	Grid
	Paper
)

// palette holds each colour on light and on dark paper.
var palette = [...][2]string{
	{"#0a5fb0", "#6c9bff"}, {"#e2461c", "#f09a55"}, {"#14906f", "#5fe6c8"}, {"#833974", "#c792dc"}, {"#77851c", "#d8e04a"}, {"#666a70", "#98938e"},
	{"#1b1f24", "#e1e5ea"}, {"#e0e4ea", "#323a44"}, {"#ffffff", "#14171b"},
}

// StyleSheet returns the palette as CSS variables --fig-0 to --fig-8, by the reader's preference of light or dark.
func StyleSheet() string {
	var b strings.Builder
	vars := func(dark int) {
		b.WriteString(":root {")
		for i, c := range palette {
			fmt.Fprintf(&b, " --fig-%d: %s;", i, c[dark])
		}
		b.WriteString(" }")
	}
	vars(0)
	b.WriteString("\n@media (prefers-color-scheme: dark) { ")
	vars(1)
	b.WriteString(" }\n")
	return b.String()
}

// painter names colours.
type painter func(Color) string

func variable(c Color) string { return fmt.Sprintf("var(--fig-%d)", int(c)) }
func light(c Color) string    { return palette[c][0] }

// PageSVG returns the picture as an element of a page: coloured by StyleSheet, without a background. Panels and named marks
// carry what a script needs to move them.
func (f *Figure) PageSVG() string {
	var b strings.Builder
	f.open(&b, fmt.Sprintf(` id="%s" role="img" aria-label="%s"`, f.ID, escape(f.Alt)))
	f.body(&b, variable, true)
	return b.String()
}

// WriteSVG writes the picture as a file, on white.
func (f *Figure) WriteSVG(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	f.open(&b, fmt.Sprintf(` width="%s" height="%s" font-family="system-ui, 'Liberation Sans', Arial, sans-serif"`, number(1.5*f.W), number(1.5*f.H)))
	fmt.Fprintf(&b, "<title>%s</title>\n"+`<rect width="100%%" height="100%%" fill="%s"/>`+"\n", escape(f.Alt), light(Paper))
	f.body(&b, light, false)
	_, err := io.WriteString(w, b.String()+"\n")
	return err
}

func (f *Figure) open(b *strings.Builder, attributes string) {
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s"%s>`+"\n", number(f.W), number(f.H), attributes)
}

// body writes the panels and the closing tag.
func (f *Figure) body(b *strings.Builder, paint painter, page bool) {
	for _, p := range f.panels {
		b.WriteString("<g")
		if page {
			a := p.axes
			fmt.Fprintf(b, ` data-x="%g %g %.4f %.4f" data-y="%g %g %.4f %.4f"`, a.X[0], a.X[1], p.left, p.right, a.Y[0], a.Y[1], p.bottom, p.top)
		}
		b.WriteString(">\n")
		for _, m := range p.all() {
			p.svg(b, m, paint, page)
		}
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>")
}

// svg writes a mark.
func (p *Panel) svg(b *strings.Builder, m *mark, paint painter, page bool) {
	s := m.style
	var own string
	if page && m.name != "" {
		own += fmt.Sprintf(` data-mark="%s"`, m.name)
	}
	if page && s.Hover != "" {
		own += fmt.Sprintf(` data-hover="%s"`, escape(s.Hover))
	}
	if page && s.Drag != "" {
		own += fmt.Sprintf(` data-drag="%s"`, s.Drag)
	}
	if s.Faint != 0 || m.kind == area {
		own += fmt.Sprintf(` opacity="%.2g"`, m.opacity())
	}
	if m.kind == text {
		at := p.place(m.points[0])
		if s.Bold {
			own += ` font-weight="600"`
		}
		if page && m.halo() {
			own += ` class="halo"`
		}
		fmt.Fprintf(b, `<text x="%s" y="%s" font-size="%s" text-anchor="%s" fill="%s"%s>%s</text>`+"\n",
			number(at.X+m.shift.X), number(at.Y+m.shift.Y), number(m.size()), m.anchor, paint(s.Color), own, escape(m.text))
		return
	}
	if m.kind == area {
		own += fmt.Sprintf(` fill="%s"`, paint(s.Color))
	} else {
		own += fmt.Sprintf(` fill="none" stroke="%s" stroke-width="%s" stroke-linecap="round" stroke-linejoin="round"`, paint(s.Color), number(m.width()))
		if s.Dash {
			own += ` stroke-dasharray="5 4"`
		}
	}
	fmt.Fprintf(b, `<path d="%s"%s/>`+"\n", pathData(p.strokes(m)), own)
}

func (m *mark) width() float64 {
	switch {
	case m.style.Width != 0:
		return m.style.Width
	case m.kind == dots:
		return 6
	}
	return 1.8
}

func (m *mark) size() float64 {
	if m.style.Size != 0 {
		return m.style.Size
	}
	return 11
}

func (m *mark) opacity() float64 {
	if m.kind == area && m.style.Faint == 0 {
		return 0.25
	}
	return 1 - m.style.Faint
}

// all returns axes and marks, the axes first.
func (p *Panel) all() []*mark {
	if p.axes.Bare {
		return p.marks
	}
	a := p.axes
	xs, ys := a.XTicks, a.YTicks
	if xs == nil {
		xs = Round(a.X[0], a.X[1], 5)
	}
	if ys == nil {
		ys = Round(a.Y[0], a.Y[1], 5)
	}
	frame := &Panel{axes: a}
	thin := Style{Color: Grid, Width: 1}
	label := Style{Color: Ink, Size: 10}
	for _, t := range xs {
		frame.Line("", thin, XY{t.At, a.Y[0]}, XY{t.At, a.Y[1]})
		frame.Text("", label, XY{t.At, a.Y[0]}, Middle, XY{0, 12}, t.Label)
	}
	for _, t := range ys {
		frame.Line("", thin, XY{a.X[0], t.At}, XY{a.X[1], t.At})
		frame.Text("", label, XY{a.X[0], t.At}, End, XY{-4, 3.5}, t.Label)
	}
	frame.Text("", label, XY{a.X[1], a.Y[0]}, End, XY{0, 25}, a.XLabel)
	frame.Text("", label, XY{a.X[0], a.Y[1]}, Start, XY{-28, -8}, a.YLabel)
	return append(frame.marks, p.marks...)
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", `"`, "&quot;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// State returns the named marks as a script sees them: the d of a path, or x, y and words of a text.
func (f *Figure) State() map[string]string {
	state := map[string]string{}
	for _, p := range f.panels {
		for _, m := range p.marks {
			switch {
			case m.name == "":
			case m.kind == text:
				at := p.place(m.points[0])
				state[m.name] = number(at.X+m.shift.X) + " " + number(at.Y+m.shift.Y) + " " + m.text
			default:
				state[m.name] = pathData(p.strokes(m))
			}
		}
	}
	return state
}
