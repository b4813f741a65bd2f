package pipeline

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Size is the height and width of a network's input. As text it is "112x96".
type Size struct{ Height, Width int }

// MarshalText implements encoding.TextMarshaler.
func (s Size) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%dx%d", s.Height, s.Width), nil
}

// UnmarshalText implements encoding.TextUnmarshaler. A single number is a square.
func (s *Size) UnmarshalText(text []byte) error {
	h, w, two := strings.Cut(string(text), "x")
	if !two {
		w = h
	}
	height, err1 := strconv.Atoi(h)
	width, err2 := strconv.Atoi(w)
	if err1 != nil || err2 != nil {
		return fmt.Errorf("%q is no size: want height x width, such as 112x96", text)
	}
	*s = Size{height, width}
	return nil
}

func (s Size) validate() error {
	const most = 1024
	for _, v := range []int{s.Height, s.Width} {
		if v < 16 || v > most || v%16 != 0 {
			return settingError("size", "%dx%d: height and width must be multiples of 16 up to %d, such as 112x112", s.Height, s.Width, most)
		}
	}
	return nil
}

// Span is a number of steps, as text "200", or of epochs, as text "1.5epochs".
type Span struct {
	N      float64
	Epochs bool
}

// MarshalText implements encoding.TextMarshaler.
func (s Span) MarshalText() ([]byte, error) {
	text := strconv.AppendFloat(nil, s.N, 'f', -1, 64)
	if s.Epochs {
		text = append(text, "epochs"...)
	}
	return text, nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Span) UnmarshalText(text []byte) error {
	number, epochs := string(text), false
	for _, unit := range []string{"epochs", "epoch", "ep"} {
		if n, ok := strings.CutSuffix(number, unit); ok {
			number, epochs = strings.TrimSpace(n), true
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n >= 0 && n < 1e9) || !epochs && n != math.Trunc(n) {
		return fmt.Errorf("%q is neither a number of steps, such as 200, nor of epochs, such as 0.5epochs", text)
	}
	*s = Span{n, epochs}
	return nil
}

// Steps returns the span in steps of epochs of so many, at least 1 unless it is 0.
func (s Span) Steps(perEpoch int) int {
	n := s.N
	if s.Epochs {
		n *= float64(perEpoch)
	}
	if n > 0 {
		return max(1, int(math.Round(n)))
	}
	return 0
}

// Factor is a share of something. As text it is "0.1x"; the x may be left out.
type Factor float64

// MarshalText implements encoding.TextMarshaler.
func (f Factor) MarshalText() ([]byte, error) {
	return append(strconv.AppendFloat(nil, float64(f), 'g', -1, 64), 'x'), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *Factor) UnmarshalText(text []byte) error {
	v, err := strconv.ParseFloat(strings.TrimSuffix(string(text), "x"), 64)
	if err != nil || !(v >= 0 && v <= 1e6) {
		return fmt.Errorf("%q is no factor, such as 0.1x", text)
	}
	*f = Factor(v)
	return nil
}

// Bytes is an amount of memory. As text it is "512MiB", "2GB", "0" or "auto", which is -1.
type Bytes int64

var byteUnits = []struct {
	name  string
	bytes float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1 << 40}, {"B", 1}}

// MarshalText implements encoding.TextMarshaler.
func (b Bytes) MarshalText() ([]byte, error) {
	if b < 0 {
		return []byte("auto"), nil
	}
	for _, u := range []int{2, 1, 0} {
		if unit := Bytes(byteUnits[u].bytes); b > 0 && b%unit == 0 {
			return fmt.Appendf(nil, "%d%s", b/unit, byteUnits[u].name), nil
		}
	}
	return strconv.AppendInt(nil, int64(b), 10), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *Bytes) UnmarshalText(text []byte) error {
	number, factor := string(text), 1.0
	if number == "auto" {
		*b = -1
		return nil
	}
	for _, u := range byteUnits {
		if n, ok := strings.CutSuffix(number, u.name); ok {
			number, factor = strings.TrimSpace(n), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n >= 0 && n*factor < 1<<60) {
		return fmt.Errorf("%q is no amount of memory: want a number with a unit, such as 512MiB, or auto", text)
	}
	*b = Bytes(n * factor)
	return nil
}

// Params are named numbers. As text they are "name=1;other=2.5", sorted by name.
type Params map[string]float64

// MarshalText implements encoding.TextMarshaler.
func (p Params) MarshalText() ([]byte, error) {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(p)) {
		parts = append(parts, name+"="+strconv.FormatFloat(p[name], 'g', -1, 64))
	}
	return []byte(strings.Join(parts, ";")), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Params) UnmarshalText(text []byte) error {
	*p = nil
	for part := range strings.FieldsFuncSeq(string(text), func(r rune) bool { return r == ';' || r == ',' }) {
		name, value, ok := strings.Cut(part, "=")
		v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if !ok || err != nil || math.IsNaN(v) {
			return fmt.Errorf("%q is not name=number", part)
		}
		if *p == nil {
			*p = Params{}
		}
		(*p)[strings.TrimSpace(name)] = v
	}
	return nil
}
