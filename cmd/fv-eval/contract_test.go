package main

import (
	"strings"
	"testing"
)

// The last line says what to do about the model's own contract.
func TestPrintOwn(t *testing.T) {
	p := 0.5
	best, tied, worse := contractRow{Mean: []float32{1}, Std: []float32{2}, Color: "rgb"}, contractRow{P: &p, Tied: true}, contractRow{P: new(float64)}
	own := func(r contractRow) contractRow { r.Own = true; return r }
	for _, c := range []struct {
		rows []contractRow
		want string
	}{
		{[]contractRow{best, tied}, "says none of its own"},
		{[]contractRow{own(best), tied}, "no flags are needed"},
		{[]contractRow{best, own(tied), worse}, "keep it"},
		{[]contractRow{best, tied, own(worse)}, "The model's own is worse"},
	} {
		var text strings.Builder
		printOwn(&text, c.rows)
		if !strings.Contains(text.String(), c.want) {
			t.Errorf("%+v: %q, want %q", c.rows, text.String(), c.want)
		}
	}
}
