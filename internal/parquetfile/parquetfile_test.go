package parquetfile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

type row struct {
	Name   string    `parquet:"name,dict"`
	Age    *int32    `parquet:"Age"`
	Vector []float32 `parquet:"vector,list"`
	Bare   []float64 `parquet:"bare"`
	Inner  struct {
		Name string `parquet:"name"`
	} `parquet:"inner"`
}

func open(t *testing.T, rows []row) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.parquet")
	if err := parquet.WriteFile(path, rows); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	p, err := Open(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestColumns(t *testing.T) {
	age := int32(3)
	p := open(t, []row{{Name: "a", Age: &age, Vector: []float32{1, 2}, Bare: []float64{5}}, {Name: "b"}, {Name: "c", Vector: make([]float32, 5000)}})
	if got := strings.Join(p.Columns(), " "); !strings.Contains(got, "vector.list.element") || !strings.Contains(got, "inner.name") {
		t.Errorf("columns %q", got)
	}
	if p.Single("vector") >= 0 || p.Single("bare") >= 0 || p.Single("inner") >= 0 || p.Single("age") < 0 || p.Single("other", "name") < 0 || p.List("name") >= 0 || p.List("bare") < 0 {
		t.Errorf("columns are of other forms than they are: %q", p.Columns())
	}
	var got []string
	var lengths []int
	err := p.Rows([]int{p.Single("name"), p.Single("age"), p.List("Vector"), p.List("bare")}, func(n int, v [][]parquet.Value) error {
		got = append(got, Text(v[0][0])+Text(v[1][0]))
		lengths = append(lengths, n, len(v[2]), len(v[3]))
		return nil
	})
	if err != nil || !slices.Equal(got, []string{"a3", "b", "c"}) || !slices.Equal(lengths, []int{1, 2, 1, 2, 1, 1, 3, 5000, 1}) {
		t.Errorf("%q %v, %v", got, lengths, err)
	}
}

// A file can announce millions of rows in a few bytes; each would take its place in memory.
func TestManyRows(t *testing.T) {
	rows := make([]row, 1<<20)
	p := open(t, rows)
	called := 0
	err := p.Rows([]int{p.Single("name")}, func(int, [][]parquet.Value) error { called++; return nil })
	if err == nil || called > 0 || !strings.Contains(err.Error(), "x.parquet: it announces 1048576 rows, in ") {
		t.Errorf("%v after %d rows of %d bytes", err, called, p.file.Size())
	}
}
