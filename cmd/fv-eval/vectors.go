package main

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
	"github.com/faceverify/fv/internal/cli"
)

// vectorWriter writes embeddings one by one; nothing has its name before commit.
type vectorWriter interface {
	write(identity, name string, v []float32, norm float64) error
	commit() error
	abort() // after commit it does nothing
}

// newVectorWriter chooses the format by the extension of path, whose folder is made if
// needed.
func newVectorWriter(path string, dim int) (vectorWriter, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".npy":
		return newNpyWriter(path, dim)
	case ".parquet":
		return newParquetWriter(path)
	case ".csv":
		return newCSVWriter(path, dim)
	default:
		return nil, cli.Usagef("--out %s: want a name that ends in .npy, .parquet or .csv", path)
	}
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
	names, err := newCSVWriter(strings.TrimSuffix(path, filepath.Ext(path))+".names.csv", 0)
	if err != nil {
		return nil, err
	}
	file, err := atomicfile.Create(path)
	if err != nil {
		names.abort()
		return nil, err
	}
	w := &npyWriter{file: file, out: bufio.NewWriterSize(file, 1<<16), names: names, dim: dim}
	if _, err := w.out.Write(npyHeader(0, dim)); err != nil {
		w.abort()
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

func (w *npyWriter) write(identity, name string, v []float32, _ float64) error {
	var b [4]byte
	for _, x := range v {
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(x))
		if _, err := w.out.Write(b[:]); err != nil {
			return err
		}
	}
	w.n++
	return w.names.write(identity, name, nil, 0)
}

func (w *npyWriter) commit() error {
	if err := w.out.Flush(); err != nil {
		return err
	}
	if _, err := w.file.WriteAt(npyHeader(w.n, w.dim), 0); err != nil {
		return err
	}
	return errors.Join(w.file.Commit(), w.names.commit())
}

func (w *npyWriter) abort() { w.file.Abort(); w.names.abort() }

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
		w.abort()
		return nil, err
	}
	return w, nil
}

func (w *csvWriter) write(identity, name string, v []float32, norm float64) error {
	w.record = append(w.record[:0], identity, name)
	if v != nil {
		w.record = append(w.record, strconv.FormatFloat(norm, 'g', 9, 32))
		for _, x := range v {
			w.record = append(w.record, strconv.FormatFloat(float64(x), 'g', -1, 32))
		}
	}
	return w.out.Write(w.record)
}

func (w *csvWriter) commit() error {
	w.out.Flush()
	if err := w.out.Error(); err != nil {
		return err
	}
	return w.file.Commit()
}

func (w *csvWriter) abort() { w.file.Abort() }

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

func (w *parquetWriter) write(identity, name string, v []float32, norm float64) error {
	if _, err := w.out.Write([]parquetRow{{name, identity, v, float32(norm)}}); err != nil {
		return err
	}
	if w.n++; w.n%parquetGroup == 0 {
		return w.out.Flush()
	}
	return nil
}

func (w *parquetWriter) commit() error {
	if err := w.out.Close(); err != nil {
		return err
	}
	return w.file.Commit()
}

func (w *parquetWriter) abort() { w.file.Abort() }
