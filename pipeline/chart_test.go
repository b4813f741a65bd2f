package pipeline

import (
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"
)

func TestChart(t *testing.T) {
	var x, y, flat []float64
	for i := range 5000 {
		x, y, flat = append(x, float64(i)), append(y, 10*math.Exp(-float64(i)/1000)), append(flat, 3)
	}
	for name, svg := range map[string]string{
		"two":   chart("loss <and> more", "step", series{"a & b", x, y, 0}, series{"flat", x, flat, 1}),
		"flat":  chart("flat", "step", series{"flat", x, flat, 0}),
		"point": chart("point", "step", series{"point", x[:1], y[:1], 0}),
		"zeros": chart("zeros", "step", series{"zeros", []float64{0, 1}, []float64{0, 0}, 0}),
	} {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			_, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v in %s", name, err, svg)
			}
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") || len(svg) > 20_000 {
			t.Errorf("%s: %d bytes: %.300s", name, len(svg), svg)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct{ lo, hi float64 }{{0, 1}, {0.93, 0.97}, {3, 3}, {3, 3.0000000000000004}, {-5, 1e6}, {0, 0}, {1e-9, 2e-9}} {
		ts := ticks(c.lo, c.hi, 5)
		if len(ts) < 2 || len(ts) > 8 || ts[0] > c.lo || ts[len(ts)-1] < c.hi {
			t.Errorf("ticks of %v to %v: %v", c.lo, c.hi, ts)
		}
	}
}
