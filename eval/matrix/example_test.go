package matrix_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/matrix"
)

// Embeddings are written one by one, and read as a matrix. The extension says the format.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "faces.npy")

	w, err := matrix.Create(file, 2)
	if err != nil {
		panic(err)
	}
	defer w.Abort() // does nothing after Commit
	for _, x := range []struct {
		identity, name string
		vector         []float32
		norm           float64
	}{{"Ada", "ada/1.jpg", []float32{1, 0}, 3.5}, {"Ada", "ada/2.jpg", []float32{0.8, 0.6}, 4}, {"Bob", "bob/1.jpg", []float32{0, 1}, 3}} {
		if err := w.Write(x.identity, x.name, x.vector, x.norm); err != nil {
			panic(err)
		}
	}
	if err := w.Commit(); err != nil {
		panic(err)
	}

	m, err := matrix.Read(file)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%d embeddings of %d values, their names in %s\n", m.Len(), m.Dim, filepath.Base(matrix.NamesPath(file)))
	row, err := m.Lookup()
	if err != nil {
		panic(err)
	}
	i, _ := row("bob/1") // pairs files often leave the extension out
	fmt.Printf("%s shows %s: cosine with %s %.1f\n", m.Names[i], m.Identities[i], m.Names[1], eval.Cosine(m.Row(i), m.Row(1)))
	// Output:
	// 3 embeddings of 2 values, their names in faces.names.csv
	// bob/1.jpg shows Bob: cosine with ada/2.jpg 0.6
}
