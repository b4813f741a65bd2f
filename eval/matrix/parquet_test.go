package matrix

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// The files were written by pandas and pyarrow: see scripts/golden/parquet.py.
func TestParquetOfOthers(t *testing.T) {
	for _, file := range []string{"pandas", "fixed", "large"} {
		m, err := Read("testdata/" + file + ".parquet")
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if m.Len() != 5 || m.Dim != 3 || fmt.Sprint(m.Identities) != "[王 Ëda 王 Ëda 王]" {
			t.Fatalf("%s: %d rows of %d values, %v", file, m.Len(), m.Dim, m.Identities)
		}
		for i := range m.Len() {
			if got, want := fmt.Sprint(m.Row(i)), fmt.Sprint([]float64{float64(i) + 0.5, -float64(i), 1}); got != want || m.Names[i] != fmt.Sprintf("王/%d.jpg", i) {
				t.Errorf("%s: row %d (%s) is %s, want %s", file, i+1, m.Names[i], got, want)
			}
		}
	}
}

func TestParquetMistakes(t *testing.T) {
	write := func(rows any) error {
		path := filepath.Join(t.TempDir(), "m.parquet")
		var err error
		switch rows := rows.(type) {
		case []noVector:
			err = parquet.WriteFile(path, rows)
		case []oneNumber:
			err = parquet.WriteFile(path, rows)
		case []nullable:
			err = parquet.WriteFile(path, rows)
		case []parquetRow:
			err = parquet.WriteFile(path, rows)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = Read(path)
		return err
	}
	one := float32(1)
	for _, c := range []struct {
		rows any
		want string
	}{
		{[]noVector{{"a", "x", []float32{1}}}, `no column "vector" with a list of numbers in each row; it has name, identity, embedding`},
		{[]oneNumber{{"a", "x", 1}}, `no column "vector" with a list of numbers in each row`},
		{[]nullable{{"a", "x", []*float32{&one, nil}}}, "row 1 (a): value 2 of the vector is null"},
		{[]parquetRow{{Name: "a", Vector: []float32{1, 2}}, {Name: "b", Vector: []float32{1}}}, "row 2 (b) has 1 values, the first has 2"},
		{[]parquetRow{{Name: "a", Vector: []float32{1, 2}}, {Name: "b"}}, "row 2 (b): value 1 of the vector is null, or there is none"},
		{[]parquetRow{{Name: "a", Vector: make([]float32, 1<<16+1)}}, "row 1: column vector: a list of more than 65536 values"},
	} {
		if err := write(c.rows); err == nil || !strings.Contains(err.Error(), "m.parquet: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

type noVector struct {
	Name      string    `parquet:"name"`
	Identity  string    `parquet:"identity"`
	Embedding []float32 `parquet:"embedding"`
}

type oneNumber struct {
	Name     string  `parquet:"name"`
	Identity string  `parquet:"identity"`
	Vector   float32 `parquet:"vector"`
}

type nullable struct {
	Name     string     `parquet:"name"`
	Identity string     `parquet:"identity"`
	Vector   []*float32 `parquet:"vector,list"`
}

// Whatever the bytes, they are an error or a matrix.
func FuzzParquet(f *testing.F) {
	for _, file := range []string{"pandas", "fixed", "large"} {
		whole, err := os.ReadFile("testdata/" + file + ".parquet")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(whole)
		f.Add(whole[:len(whole)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "m.parquet")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Read(path)
		if err == nil && (m.Len() == 0 || len(m.Data) != m.Len()*m.Dim || len(m.Identities) != m.Len()) {
			t.Errorf("%d values, %d names, %d identities, %d columns", len(m.Data), m.Len(), len(m.Identities), m.Dim)
		} else if err != nil && !strings.Contains(err.Error(), "m.parquet: ") {
			t.Errorf("the error does not name the file: %v", err)
		}
	})
}
