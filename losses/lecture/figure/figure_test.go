package figure

import (
	"bytes"
	"encoding/xml"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"
)

// small is a panel of 100 by 100 units for the unit square, without axes.
func small(marks func(p *Panel)) *Figure {
	f := New("small", 108, 108, `a "small" <figure>`)
	marks(f.Panel(Axes{X: [2]float64{0, 1}, Y: [2]float64{0, 1}, Bare: true}))
	return f
}

func TestMarks(t *testing.T) {
	nan := math.NaN()
	f := small(func(p *Panel) {
		p.Line("inside", Style{}, XY{0, 0}, XY{1, 1})
		p.Line("cut", Style{}, XY{0.5, 0.5}, XY{0.5, 2}, XY{1, 0.5})
		p.Line("out", Style{}, XY{2, 0}, XY{2, 1})
		p.Line("gap", Style{}, XY{0, 0}, XY{0.1, 0}, Gap, XY{0.2, 0}, XY{0.3, 0}, XY{0.3, nan})
		p.Area("area", Style{}, XY{0, 0}, XY{3, 0}, XY{0, 1})
		p.Dots("dots", Style{}, XY{0.5, 0.25}, XY{1.5, 0}, XY{nan, 0})
		p.Arrow("arrow", Style{}, XY{0, 0.5}, XY{0.5, 0.5})
		p.Arrow("nothing", Style{}, XY{0.5, 0.5}, XY{0.5, 0.5})
		p.Text("text", Style{}, XY{0.5, 0.5}, Middle, XY{1, -2}, "θ < π")
	})
	got := f.State()
	for name, want := range map[string]string{
		"inside": "M4 104L104 4", "cut": "M54 54L54 4M87.3 4L104 54", "out": "", "gap": "M4 104L14 104M24 104L34 104",
		"area": "M4 104L104 104L4 4Z", "dots": "M54 79h.01", "arrow": "M4 54L54 54M46.7 57.3L54 54L46.7 50.7", "nothing": "", "text": "55 52 θ < π",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}

// A page's picture takes its colours from the page; a file's has them.
func TestSVG(t *testing.T) {
	f := small(func(p *Panel) {
		p.Line("l", Style{Color: Teal, Hover: "a & b", Drag: "x id"}, XY{0, 0}, XY{1, 1})
	})
	inPage := f.PageSVG()
	for _, want := range []string{`id="small"`, `aria-label="a &quot;small&quot; &lt;figure&gt;"`, `data-mark="l"`, `data-hover="a &amp; b"`, `data-drag="x id"`, `stroke="var(--fig-2)"`, `data-x="0 1 4.0000 104.0000"`} {
		if !strings.Contains(inPage, want) {
			t.Errorf("the page's picture lacks %s", want)
		}
	}
	var file bytes.Buffer
	if err := f.WriteSVG(&file); err != nil {
		t.Fatal(err)
	}
	if s := file.String(); strings.Contains(s, "data-") || strings.Contains(s, "var(") || !strings.Contains(s, `stroke="#14906f"`) {
		t.Errorf("the file is %s", s)
	}
	d := xml.NewDecoder(&file)
	for {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// The picture as PNG shows an area where it is, on white.
func TestPNG(t *testing.T) {
	f := small(func(p *Panel) {
		p.Area("", Style{Color: Blue, Faint: 1e-9}, XY{0, 0}, XY{0.5, 0}, XY{0.5, 1}, XY{0, 1})
		p.Text("", Style{Color: Vermilion, Bold: true}, XY{0.75, 0.5}, Middle, XY{}, "ψ")
	})
	var b bytes.Buffer
	if err := f.WritePNG(&b); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	size := img.Bounds().Size()
	if size.X != 330 || size.Y != 330 { // 108 units at 220 dots for 72
		t.Fatalf("the picture is %v", size)
	}
	for _, c := range []struct {
		x    int
		want [3]uint32
	}{{80, [3]uint32{0x0a, 0x5f, 0xb0}}, {300, [3]uint32{255, 255, 255}}} {
		r, g, b, _ := img.At(c.x, 40).RGBA()
		if got := [3]uint32{r >> 8, g >> 8, b >> 8}; got != c.want {
			t.Errorf("at %d the colour is %v, want %v", c.x, got, c.want)
		}
	}
	letters := 0
	for y := range size.Y {
		for x := range size.X {
			if r, g, b, _ := img.At(x, y).RGBA(); r>>8 == 0xe2 && g>>8 == 0x46 && b>>8 == 0x1c {
				letters++
			}
		}
	}
	if letters < 50 {
		t.Errorf("the letter has %d dots", letters)
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		ticks []Tick
		want  string
	}{
		{Round(0, 1, 5), "0.0 0.2 0.4 0.6 0.8 1.0"}, {Round(-4, 4, 5), "−4 −2 0 2 4"}, {Round(0, 4.6, 5), "0 1 2 3 4"},
		{Every(0, 180, 90, "°"), "0° 90° 180°"}, {Every(-1, 1, 0.5, ""), "−1.0 −0.5 0.0 0.5 1.0"},
	} {
		var labels []string
		for _, k := range c.ticks {
			labels = append(labels, k.Label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("ticks %s, want %s", got, c.want)
		}
	}
}
