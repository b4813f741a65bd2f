package figure

import (
	"math"
	"strconv"
	"strings"
)

// stroke is a connected part of a mark, in units of the picture.
type stroke struct {
	points []XY
	closed bool
}

// headLength is the length of an arrow's head, headSpread half its opening in radians.
const headLength, headSpread = 8, 0.42

// strokes returns what is drawn of a mark that is no text. Dots are strokes of one point.
func (p *Panel) strokes(m *mark) []stroke {
	switch m.kind {
	case dots:
		var out []stroke
		for _, q := range m.points {
			if p.inside(q) {
				out = append(out, stroke{points: []XY{p.place(q)}})
			}
		}
		return out
	case area:
		var out []stroke
		for _, part := range parts(m.points) {
			s := stroke{closed: true}
			for _, q := range part {
				s.points = append(s.points, p.place(p.clamp(q)))
			}
			out = append(out, s)
		}
		return out
	case arrow:
		a, b := p.place(m.points[0]), p.place(m.points[1])
		out := []stroke{{points: []XY{a, b}}}
		if math.Hypot(b.X-a.X, b.Y-a.Y) < 1 {
			return nil
		}
		back := math.Atan2(a.Y-b.Y, a.X-b.X)
		head := stroke{}
		for _, turn := range []float64{-headSpread, 0, headSpread} {
			q := b
			if turn != 0 {
				sin, cos := math.Sincos(back + turn)
				q = XY{b.X + headLength*cos, b.Y + headLength*sin}
			}
			head.points = append(head.points, q)
		}
		return append(out, head)
	}
	var out []stroke
	for _, part := range parts(m.points) {
		out = append(out, p.clip(part)...)
	}
	return out
}

// parts cuts points at gaps.
func parts(points []XY) [][]XY {
	var out [][]XY
	start := 0
	for i := range len(points) + 1 {
		if i == len(points) || math.IsNaN(points[i].X) || math.IsNaN(points[i].Y) {
			if i > start {
				out = append(out, points[start:i])
			}
			start = i + 1
		}
	}
	return out
}

func (p *Panel) inside(q XY) bool {
	a := p.axes
	return q.X >= a.X[0] && q.X <= a.X[1] && q.Y >= a.Y[0] && q.Y <= a.Y[1]
}

func (p *Panel) clamp(q XY) XY {
	a := p.axes
	return XY{min(max(q.X, a.X[0]), a.X[1]), min(max(q.Y, a.Y[0]), a.Y[1])}
}

// clip returns the parts of a line that are in the panel.
func (p *Panel) clip(points []XY) []stroke {
	if len(points) == 1 {
		return nil
	}
	var out []stroke
	joined := false // whether the last part ends where the next begins
	for i := range len(points) - 1 {
		from, to, ok := p.cut(points[i], points[i+1])
		if !ok {
			joined = false
			continue
		}
		if !joined {
			out = append(out, stroke{points: []XY{p.place(from)}})
		}
		last := &out[len(out)-1]
		last.points = append(last.points, p.place(to))
		joined = to == points[i+1]
	}
	return out
}

// cut returns the part of the segment ab in the panel (Liang and Barsky 1984).
func (p *Panel) cut(a, b XY) (from, to XY, ok bool) {
	dx, dy := b.X-a.X, b.Y-a.Y
	t0, t1 := 0.0, 1.0
	for _, e := range [4][2]float64{
		{-dx, a.X - p.axes.X[0]}, {dx, p.axes.X[1] - a.X}, {-dy, a.Y - p.axes.Y[0]}, {dy, p.axes.Y[1] - a.Y},
	} {
		switch {
		case e[0] == 0 && e[1] < 0:
			return a, b, false
		case e[0] < 0:
			t0 = max(t0, e[1]/e[0])
		case e[0] > 0:
			t1 = min(t1, e[1]/e[0])
		}
	}
	if t0 > t1 {
		return a, b, false
	}
	from, to = a, b
	if t0 > 0 {
		from = XY{a.X + t0*dx, a.Y + t0*dy}
	}
	if t1 < 1 {
		to = XY{a.X + t1*dx, a.Y + t1*dy}
	}
	return from, to, true
}

// number writes a coordinate: a tenth of a unit is less than can be seen.
func number(v float64) string {
	s := strconv.FormatFloat(v, 'f', 1, 64)
	s = strings.TrimSuffix(s, ".0")
	if s == "-0" {
		return "0"
	}
	return s
}

// pathData returns a mark's strokes as the d of an SVG path. A dot is a line too short to be seen, with round ends.
func pathData(strokes []stroke) string {
	var b strings.Builder
	for _, s := range strokes {
		if len(s.points) == 1 {
			b.WriteString("M" + number(s.points[0].X) + " " + number(s.points[0].Y) + "h.01")
			continue
		}
		for i, q := range s.points {
			b.WriteByte("ML"[min(i, 1)])
			b.WriteString(number(q.X) + " " + number(q.Y))
		}
		if s.closed {
			b.WriteByte('Z')
		}
	}
	return b.String()
}

// Round returns ticks from lo to hi at about n round numbers.
func Round(lo, hi float64, n int) []Tick {
	rough := (hi - lo) / float64(n)
	unit := math.Pow(10, math.Floor(math.Log10(rough)))
	step := unit
	for _, k := range []float64{2, 5, 10} {
		if step < rough*0.9 {
			step = k * unit
		}
	}
	return Every(lo, hi, step, "")
}

// Every returns ticks at multiples of step, with a suffix to their numbers.
func Every(lo, hi, step float64, suffix string) []Tick {
	var ticks []Tick
	digits := max(0, int(-math.Floor(math.Log10(step)+1e-9)))
	if math.Abs(step*math.Pow10(digits)-math.Round(step*math.Pow10(digits))) > 1e-9 {
		digits++
	}
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi+1e-9*step; i++ {
		label := strconv.FormatFloat(i*step+0, 'f', digits, 64)
		label = strings.Replace(label, "-", "−", 1)
		ticks = append(ticks, Tick{i * step, label + suffix})
	}
	return ticks
}
