package matrix

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Parts come back in their order, also after they were closed; those of other work and damaged ones are
// refused.
func TestParts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npy")
	var want []string
	for k := range 3 {
		p, err := OpenParts(path, "this work")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(p.Names, want) {
			t.Fatalf("%v, want %v", p.Names, want)
		}
		rows := []PartRow{{Name: fmt.Sprint("a", k), Identity: "ada", Vector: []float32{1, float32(k)}, Norm: 2}, {Name: fmt.Sprint("b", k), Problem: "torn"}}
		if err := p.Add(rows); err != nil {
			t.Fatal(err)
		}
		want = append(want, rows[0].Name, rows[1].Name)
	}
	p, err := OpenParts(path, "this work")
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for row, err := range p.Rows() {
		if err != nil || row.Name != want[i] || (row.Problem == "torn") != (i%2 == 1) || i%2 == 0 && (row.Vector[1] != float32(i/2) || row.Norm != 2 || row.Identity != "ada") {
			t.Fatalf("row %d: %+v, %v", i, row, err)
		}
		i++
	}
	var other *OtherPartsError
	if _, err := OpenParts(path, "other work"); !errors.As(err, &other) || other.Left != "this work" {
		t.Errorf("%v", err)
	}
	if err := os.Truncate(p.file(1), 40); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenParts(path, "this work"); err == nil {
		t.Error("a damaged part is taken")
	}
	if err := p.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("the parts are still there")
	}
}
