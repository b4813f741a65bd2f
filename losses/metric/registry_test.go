package metric

import (
	"reflect"
	"strings"
	"testing"
)

// Every loss that is described can be made, with its defaults and with other settings, which all reach it.
func TestNew(t *testing.T) {
	for _, name := range Names() {
		d, err := Describe(name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "center" {
			if _, err := New(name, nil, All); err == nil || !strings.Contains(err.Error(), "NewCenter") {
				t.Errorf("error %v", err)
			}
			continue
		}
		l, err := New(name, nil, BatchHard)
		if err != nil || l.Name() != name {
			t.Fatalf("%s: %v, error %v", name, l, err)
		}
		for _, p := range d.Params {
			other, err := New(name, map[string]float64{p.Name: p.Default*0.8 + 0.03}, BatchHard)
			if err != nil || reflect.DeepEqual(l, other) {
				t.Errorf("%s: setting %s changes nothing, error %v", name, p.Name, err)
			}
		}
	}
	for _, c := range []struct {
		name     string
		settings map[string]float64
		want     string
	}{
		{"tripled", nil, `there is no loss "tripled"; there are angular, center`},
		{"triplet", map[string]float64{"scale": 1}, `no setting "scale"; it has margin`},
		{"supcon", map[string]float64{"temperature": 0}, "temperature is 0"},
	} {
		if _, err := New(c.name, c.settings, All); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: error %v, want one with %q", c.name, c.settings, err, c.want)
		}
	}
	for m := All; m <= BatchHard; m++ {
		if got, err := ParseMining(m.String()); err != nil || got != m {
			t.Errorf("%v is read as %v, error %v", m, got, err)
		}
	}
	if _, err := ParseMining("softest"); err == nil {
		t.Error("there is a mining softest")
	}
}
