package matrix

import (
	"bufio"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/faceverify/fv/internal/atomicfile"
)

// Writer writes embeddings one by one; no file has its name before Commit.
type Writer interface {
	// Write appends a row. norm is the vector's length before it was normalised, which
	// Parquet and CSV keep.
	Write(identity, name string, v []float32, norm float64) error
	// Commit gives the file its name.
	Commit() error
	// Abort leaves nothing behind; after Commit it does nothing.
	Abort()
}

// CheckName returns a [FormatError] unless Create and Read know the extension of path.
func CheckName(path string) error {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".npy", ".parquet", ".csv":
		return nil
	}
	return &FormatError{path}
}

// Create chooses the format by the extension of path, which is .npy, .parquet or .csv;
// its folder is made if needed.
func Create(path string, dim int) (Writer, error) {
	if err := CheckName(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".npy":
		return newNpyWriter(path, dim)
	case ".parquet":
		return newParquetWriter(path)
	default:
		return newCSVWriter(path, dim)
	}
}

// FormatError is the error of a file name whose extension is no format of matrices.
type FormatError struct{ Path string }

func (e *FormatError) Error() string {
	return e.Path + ": want a name that ends in .npy, .parquet or .csv"
}

// npyWriter writes X.npy, float32 [N,D], and beside it X.names.csv with a line
// identity,name for each row.
type npyWriter struct {
	file  *atomicfile.File
	out   *bufio.Writer
	names *csvWriter
	n     int
	dim   int
}

func newNpyWriter(path string, dim int) (*npyWriter, error) {
	names, err := newCSVWriter(NamesPath(path), 0)
	if err != nil {
		return nil, err
	}
	file, err := atomicfile.Create(path)
	if err != nil {
		names.Abort()
		return nil, err
	}
	w := &npyWriter{file: file, out: bufio.NewWriterSize(file, 1<<16), names: names, dim: dim}
	if _, err := w.out.Write(npyHeader(0, dim)); err != nil {
		w.Abort()
		return nil, err
	}
	return w, nil
}

// npyHeader returns a version 1.0 header of a float32 matrix. It has 128 bytes
// whatever n is, so that it can be written again when n is known.
// https://numpy.org/neps/nep-0001-npy-format.html
func npyHeader(n, dim int) []byte {
	const size = 128
	dict := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", n, dim)
	header := append([]byte("\x93NUMPY\x01\x00"), 0, 0)
	binary.LittleEndian.PutUint16(header[8:], uint16(size-len(header)))
	return fmt.Appendf(header, "%-*s\n", size-len(header)-1, dict)
}

func (w *npyWriter) Write(identity, name string, v []float32, _ float64) error {
	var b [4]byte
	for _, x := range v {
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(x))
		if _, err := w.out.Write(b[:]); err != nil {
			return err
		}
	}
	w.n++
	return w.names.Write(identity, name, nil, 0)
}

func (w *npyWriter) Commit() error {
	if err := w.out.Flush(); err != nil {
		return err
	}
	if _, err := w.file.WriteAt(npyHeader(w.n, w.dim), 0); err != nil {
		return err
	}
	// What can fail comes before either file has its name, so that one does not stand beside an old one of the other.
	w.names.out.Flush()
	if err := errors.Join(w.names.out.Error(), w.names.file.Sync(), w.file.Sync()); err != nil {
		return err
	}
	return errors.Join(w.file.Commit(), w.names.Commit())
}

func (w *npyWriter) Abort() { w.file.Abort(); w.names.Abort() }

// csvWriter writes identity,name and, unless dim is 0, norm and the values e0,e1...
type csvWriter struct {
	file   *atomicfile.File
	out    *csv.Writer
	record []string
}

func newCSVWriter(path string, dim int) (*csvWriter, error) {
	file, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	w := &csvWriter{file: file, out: csv.NewWriter(file)}
	header := []string{"identity", "name"}
	if dim > 0 {
		header = append(header, "norm")
		for i := range dim {
			header = append(header, "e"+strconv.Itoa(i))
		}
	}
	if err := w.out.Write(header); err != nil {
		w.Abort()
		return nil, err
	}
	return w, nil
}

func (w *csvWriter) Write(identity, name string, v []float32, norm float64) error {
	w.record = append(w.record[:0], identity, name)
	if v != nil {
		w.record = append(w.record, strconv.FormatFloat(norm, 'g', 9, 32))
		for _, x := range v {
			w.record = append(w.record, strconv.FormatFloat(float64(x), 'g', -1, 32))
		}
	}
	return w.out.Write(w.record)
}

func (w *csvWriter) Commit() error {
	w.out.Flush()
	if err := w.out.Error(); err != nil {
		return err
	}
	return w.file.Commit()
}

func (w *csvWriter) Abort() { w.file.Abort() }

// parquetRow is a line of the Parquet file; norm is the vector's length before it was
// normalised.
type parquetRow struct {
	Name     string    `parquet:"name"`
	Identity string    `parquet:"identity,dict"`
	Vector   []float32 `parquet:"vector"`
	Norm     float32   `parquet:"norm"`
}

type parquetWriter struct {
	file *atomicfile.File
	out  *parquet.GenericWriter[parquetRow]
	n    int
}

// parquetGroup is how many rows are held before they are written.
const parquetGroup = 8192

func newParquetWriter(path string) (*parquetWriter, error) {
	file, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	return &parquetWriter{file: file, out: parquet.NewGenericWriter[parquetRow](io.Writer(file), parquet.Compression(&parquet.Snappy))}, nil
}

func (w *parquetWriter) Write(identity, name string, v []float32, norm float64) error {
	if _, err := w.out.Write([]parquetRow{{name, identity, v, float32(norm)}}); err != nil {
		return err
	}
	if w.n++; w.n%parquetGroup == 0 {
		return w.out.Flush()
	}
	return nil
}

func (w *parquetWriter) Commit() error {
	if err := w.out.Close(); err != nil {
		return err
	}
	return w.file.Commit()
}

func (w *parquetWriter) Abort() { w.file.Abort() }
