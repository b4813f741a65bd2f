package matrix

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/sbinet/npyio"
)

// writeVectors writes n vectors [i, i+0.25, -i] to a file of the given extension.
func writeVectors(t *testing.T, ext string, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "faces"+ext)
	w, err := Create(path, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for i := range n {
		x := float32(i)
		if err := w.Write(fmt.Sprint("Ëda, ", i%7), fmt.Sprintf("%d.jpg", i), []float32{x, x + 0.25, -x}, float64(i)/2); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("%s has its name before it is whole", path)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNpy(t *testing.T) {
	const n = 1000
	path := writeVectors(t, ".npy", n)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := npyio.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if shape := r.Header.Descr.Shape; len(shape) != 2 || shape[0] != n || shape[1] != 3 || r.Header.Descr.Fortran || r.Header.Descr.Type != "<f4" {
		t.Errorf("header %+v", r.Header)
	}
	var data []float32
	if err := r.Read(&data); err != nil || len(data) != 3*n {
		t.Fatalf("%d values, %v", len(data), err)
	}
	for i := range n {
		if data[3*i] != float32(i) || data[3*i+1] != float32(i)+0.25 || data[3*i+2] != -float32(i) {
			t.Fatalf("row %d: %v", i, data[3*i:3*i+3])
		}
	}
	names := readCSV(t, NamesPath(path))
	if len(names) != n+1 || names[0][0] != "identity" || names[0][1] != "name" || names[9][0] != "Ëda, 1" || names[9][1] != "8.jpg" {
		t.Errorf("%d lines, %v ... %v", len(names), names[0], names[9])
	}
}

func readCSV(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func TestParquet(t *testing.T) {
	const n = 2*parquetGroup + 5
	rows, err := parquet.ReadFile[parquetRow](writeVectors(t, ".parquet", n))
	if err != nil || len(rows) != n {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, r := range rows {
		if r.Identity != fmt.Sprint("Ëda, ", i%7) || r.Name != fmt.Sprintf("%d.jpg", i) || len(r.Vector) != 3 || r.Vector[1] != float32(i)+0.25 || r.Norm != float32(i)/2 {
			t.Fatalf("row %d: %+v", i, r)
		}
	}
}

func TestCSV(t *testing.T) {
	records := readCSV(t, writeVectors(t, ".csv", 3))
	if got := fmt.Sprint(records); got != "[[identity name norm e0 e1 e2] [Ëda, 0 0.jpg 0 0 0.25 -0] [Ëda, 1 1.jpg 0.5 1 1.25 -1] [Ëda, 2 2.jpg 1 2 2.25 -2]]" {
		t.Errorf("got %s", got)
	}
}

func TestUnknownExtension(t *testing.T) {
	if _, err := Create("faces.txt", 3); err == nil || !strings.Contains(err.Error(), ".npy, .parquet or .csv") {
		t.Errorf("error %v", err)
	}
}
