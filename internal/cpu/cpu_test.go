package cpu

import (
	"strings"
	"testing"
)

func TestSelect(t *testing.T) {
	vs := Variants()
	if vs[0] != Generic {
		t.Errorf("Variants() = %v: want generic first", vs)
	}
	for _, v := range vs {
		if got, err := Select(v.String()); got != v || err != nil {
			t.Errorf("Select(%q) = %v, %v", v.String(), got, err)
		}
	}
	if got, err := Select(""); got != min(vs[len(vs)-1], proven) || err != nil {
		t.Errorf("Select(\"\") = %v, %v, want the fastest proven one of %v", got, err, vs)
	}
	if _, err := Select("mmx"); err == nil || !strings.Contains(err.Error(), "generic") {
		t.Errorf("Select(mmx) = %v: want an error that lists the variants", err)
	}
}
