package figure

import (
	"fmt"
	"image/color"
	"io"
	"math"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
)

// resolution of PNG files in dots for each unit of the picture, times 72.
const resolution = 220

// fonts are those that every build carries.
var fonts = font.NewCache(liberation.Collection())

// WritePNG writes the picture as a file, on white.
func (f *Figure) WritePNG(w io.Writer) error {
	c := vgimg.NewWith(vgimg.UseWH(vg.Length(f.W), vg.Length(f.H)), vgimg.UseDPI(resolution), vgimg.UseBackgroundColor(color.White))
	at := func(q XY) vg.Point { return vg.Point{X: vg.Length(q.X), Y: vg.Length(f.H - q.Y)} } // upwards
	for _, p := range f.panels {
		for _, m := range p.all() {
			c.SetColor(tint(m.style.Color, m.opacity()))
			if m.kind == text {
				p.letter(c, m, at)
				continue
			}
			for _, s := range p.strokes(m) {
				var path vg.Path
				if len(s.points) == 1 {
					path.Move(at(s.points[0]))
					path.Arc(at(s.points[0]), vg.Length(m.width()/2), 0, 6.2832)
					path.Close()
					c.Fill(path)
					continue
				}
				path.Move(at(s.points[0]))
				for _, q := range s.points[1:] {
					path.Line(at(q))
				}
				if m.kind == area {
					path.Close()
					c.Fill(path)
					continue
				}
				c.SetLineWidth(vg.Length(m.width()))
				c.SetLineDash(nil, 0)
				if m.style.Dash {
					c.SetLineDash([]vg.Length{5, 4}, 0)
				}
				c.Stroke(path)
			}
		}
	}
	_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(w)
	return err
}

// letter writes a text.
func (p *Panel) letter(c *vgimg.Canvas, m *mark, at func(XY) vg.Point) {
	if m.text == "" {
		return
	}
	look := font.Font{Typeface: "Liberation", Variant: "Sans"}
	if m.style.Bold {
		look.Weight = xfont.WeightBold
	}
	face := fonts.Lookup(look, font.Length(m.size()))
	q := p.place(m.points[0])
	pt := at(XY{q.X + m.shift.X, q.Y + m.shift.Y})
	switch m.anchor {
	case Middle:
		pt.X -= face.Width(m.text) / 2
	case End:
		pt.X -= face.Width(m.text)
	}
	if m.halo() {
		c.SetColor(color.White)
		for k := range 12 {
			sin, cos := math.Sincos(float64(k) * math.Pi / 6)
			c.FillString(face, vg.Point{X: pt.X + vg.Length(1.4*cos), Y: pt.Y + vg.Length(1.4*sin)}, m.text)
		}
		c.SetColor(tint(m.style.Color, m.opacity()))
	}
	c.FillString(face, pt, m.text)
}

// tint returns a colour of the light palette.
func tint(c Color, opacity float64) color.NRGBA {
	var r, g, b uint8
	if _, err := fmt.Sscanf(light(c), "#%02x%02x%02x", &r, &g, &b); err != nil {
		panic(err) // the palette is ours
	}
	return color.NRGBA{r, g, b, uint8(255*opacity + 0.5)}
}
