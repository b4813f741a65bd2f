// Package matrix reads and writes matrices of embeddings, one named row an image, in the
// three formats that fv-eval embed writes:
//
//	X.npy       float32 [N,D], with the rows' identity,name in X.names.csv beside it
//	X.parquet   columns name, identity, vector, and norm, the length before normalisation
//	X.csv       columns identity, name, norm, e0 ... e(D-1)
package matrix

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/faceverify/fv/internal/parquetfile"
	"github.com/faceverify/fv/internal/table"
)

// Matrix is N named embeddings of Dim values.
type Matrix struct {
	Path       string
	Dim        int
	Data       []float32 // [N, Dim], by rows
	Names      []string  // N: what the image is called, in pairs files for instance
	Identities []string  // N: who it shows; "" where nothing says
}

// Len returns N.
func (m *Matrix) Len() int { return len(m.Names) }

// Row returns the embedding of row i.
func (m *Matrix) Row(i int) []float32 { return m.Data[i*m.Dim : (i+1)*m.Dim : (i+1)*m.Dim] }

// Describe names row i in an error.
func (m *Matrix) Describe(i int) string {
	return fmt.Sprintf("%s: row %d (%s)", m.Path, i+1, m.Names[i])
}

// Lookup returns a function that finds the row of an image: by its whole name or, where no row has
// that, by its name without the extension, if only one row has it. Two rows of one name are an error.
func (m *Matrix) Lookup() (func(name string) (int, bool), error) {
	whole, stems := make(map[string]int, m.Len()), make(map[string]int, m.Len())
	for i, name := range m.Names {
		if first, ok := whole[name]; ok {
			return nil, fmt.Errorf("%s: rows %d and %d are both named %s", m.Path, first+1, i+1, name)
		}
		whole[name] = i
		stem := strings.TrimSuffix(name, path.Ext(name))
		if _, ok := stems[stem]; ok {
			i = -1 // ambiguous
		}
		stems[stem] = i
	}
	return func(name string) (int, bool) {
		if i, ok := whole[name]; ok {
			return i, true
		}
		i, ok := stems[strings.TrimSuffix(name, path.Ext(name))]
		return i, ok && i >= 0
	}, nil
}

// NamesPath returns the file that names the rows of the .npy file at path.
func NamesPath(path string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + ".names.csv"
}

// Read reads the file at path; its extension says the format. A value that is not finite, a
// row of zeros, which has no direction, and a matrix without rows are errors that name the row.
func Read(path string) (*Matrix, error) {
	var read func(*os.File) (*Matrix, error)
	switch strings.ToLower(filepath.Ext(path)) {
	case ".npy":
		read = readNpy
	case ".parquet":
		read = readParquet
	case ".csv":
		read = func(f *os.File) (*Matrix, error) { return parseCSV(f, path) }
	default:
		return nil, &FormatError{path}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := read(f)
	if err != nil {
		return nil, err
	}
	m.Path = path
	return m, m.check()
}

func (m *Matrix) check() error {
	if m.Len() == 0 || m.Dim == 0 {
		return fmt.Errorf("%s: no embeddings: %d rows of %d values", m.Path, m.Len(), m.Dim)
	}
	for i := range m.Names {
		var sum float64
		for j, x := range m.Row(i) {
			if y := float64(x); math.IsNaN(y) || math.IsInf(y, 0) {
				return fmt.Errorf("%s: value %d is %v; embeddings must be finite", m.Describe(i), j+1, x)
			}
			sum += float64(x) * float64(x)
		}
		if sum == 0 {
			return fmt.Errorf("%s: all values are 0; such an embedding has no direction", m.Describe(i))
		}
	}
	return nil
}

func readNpy(f *os.File) (*Matrix, error) {
	stat, err := f.Stat()
	if err != nil {
		return nil, err
	}
	names, err := os.Open(NamesPath(f.Name()))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: the names of its rows are missing: want %s, with the header identity,name and a line for each row", f.Name(), NamesPath(f.Name()))
	} else if err != nil {
		return nil, err
	}
	defer names.Close()
	m, err := parseNpy(f, f.Name(), stat.Size())
	if err != nil {
		return nil, err
	}
	rows, err := parseCSV(names, names.Name())
	if err != nil {
		return nil, err
	}
	if n := len(m.Data) / m.Dim; rows.Len() != n {
		return nil, fmt.Errorf("%s names %d rows, %s has %d", names.Name(), rows.Len(), f.Name(), n)
	}
	m.Names, m.Identities = rows.Names, rows.Identities
	return m, nil
}

// readParquet reads the columns name, identity and vector, whose lists are of any numbers; float64 is rounded.
func readParquet(f *os.File) (*Matrix, error) {
	p, err := parquetfile.Open(f)
	if err != nil {
		return nil, err
	}
	at := []int{p.Single("name"), p.Single("identity"), p.List("vector")}
	for i, what := range []string{`column "name"`, `column "identity"`, `column "vector" with a list of numbers in each row`} {
		if at[i] < 0 {
			return nil, fmt.Errorf("%s: no %s; it has %s; want name, identity and vector", f.Name(), what, strings.Join(p.Columns(), ", "))
		}
	}
	m := &Matrix{}
	people := map[string]string{} // one copy of each identity
	err = p.Rows(at, func(row int, v [][]parquet.Value) error {
		name, vector := parquetfile.Text(v[0][0]), v[2]
		for i, value := range vector {
			x, ok := parquetfile.Number(value)
			if !ok {
				return fmt.Errorf("%s: row %d (%s): value %d of the vector is null, or there is none", f.Name(), row, name, i+1)
			}
			m.Data = append(m.Data, float32(x))
		}
		if m.Len() == 0 {
			m.Dim = len(vector)
		}
		if len(vector) != m.Dim {
			return fmt.Errorf("%s: row %d (%s) has %d values, the first has %d", f.Name(), row, name, len(vector), m.Dim)
		}
		m.Names, m.Identities = append(m.Names, name), append(m.Identities, once(people, parquetfile.Text(v[1][0])))
		return nil
	})
	return m, err
}

// once returns the first copy of a text that it was given.
func once(seen map[string]string, text string) string {
	first, ok := seen[text]
	if !ok {
		first = strings.Clone(text)
		seen[first] = first
	}
	return first
}

// parseCSV reads columns identity and name, in any order, and e0, e1 ... in order; those of a
// .names.csv file have no values, and Dim is 0.
func parseCSV(r io.Reader, path string) (*Matrix, error) {
	in, err := table.Open(r, path, `"identity,name" and the values`)
	if err != nil {
		return nil, err
	}
	identity, name := in.Column("identity"), in.Column("name")
	if identity < 0 || name < 0 {
		return nil, in.HeaderError("the columns identity and name, and the values e0, e1 and so on")
	}
	var values []int
	for i, h := range in.Header() {
		if strings.EqualFold(h, "e"+strconv.Itoa(len(values))) {
			values = append(values, i)
		}
	}
	m := &Matrix{Path: path, Dim: len(values)}
	people := map[string]string{} // one copy of each identity
	for record, err := range in.Records() {
		if err != nil {
			return nil, err
		}
		for e, i := range values {
			x, err := strconv.ParseFloat(record[i], 32)
			if err != nil {
				return nil, in.Errorf(i, "column e%d: %q is not a number of float32's range", e, record[i])
			}
			m.Data = append(m.Data, float32(x))
		}
		m.Names = append(m.Names, strings.Clone(record[name]))
		m.Identities = append(m.Identities, once(people, record[identity]))
	}
	return m, nil
}
