package matrix

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
)

// The header of a .npy file is written as a Python dictionary. It is matched as text, key by
// key, because nothing in a file of numbers may be evaluated.
// https://numpy.org/neps/nep-0001-npy-format.html
var (
	npyDescr   = regexp.MustCompile(`'descr'\s*:\s*'([^']*)'`)
	npyFortran = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	npyShape   = regexp.MustCompile(`'shape'\s*:\s*\(\s*(\d+)\s*,\s*(\d+)\s*,?\s*\)`)
)

// parseNpy reads a matrix of float32 or float64, little-endian and by rows, from a file of
// the given size.
func parseNpy(r io.Reader, path string, size int64) (*Matrix, error) {
	in := bufio.NewReaderSize(r, 1<<18)
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%s: "+format, append([]any{path}, args...)...)
	}
	var start [12]byte
	if _, err := io.ReadFull(in, start[:10]); err != nil || string(start[:6]) != "\x93NUMPY" {
		return nil, bad("not a .npy file: it does not start with \\x93NUMPY and a version")
	}
	length, before := int64(binary.LittleEndian.Uint16(start[8:])), int64(10)
	if start[6] > 1 {
		if _, err := io.ReadFull(in, start[10:]); err != nil {
			return nil, bad("the header is cut off")
		}
		length, before = int64(binary.LittleEndian.Uint32(start[8:])), 12
	}
	if length > 1<<20 || before+length > size {
		return nil, bad("the header is said to have %d bytes, the file has %d", length, size)
	}
	header := make([]byte, length)
	if _, err := io.ReadFull(in, header); err != nil {
		return nil, bad("the header is cut off")
	}
	descr, order, shape := npyDescr.FindSubmatch(header), npyFortran.FindSubmatch(header), npyShape.FindSubmatch(header)
	if descr == nil || order == nil {
		return nil, bad("the header %.80q has no 'descr' or no 'fortran_order'", header)
	}
	if shape == nil {
		return nil, bad("the header %.120q has no shape (N, D); want a matrix, one row an embedding", header)
	}
	if string(order[1]) == "True" {
		return nil, bad("the matrix is stored by columns (fortran_order); save numpy.ascontiguousarray of it")
	}
	bytes := int64(4)
	switch string(descr[1]) {
	case "<f4":
	case "<f8":
		bytes = 8
	default:
		return nil, bad("values of type %q; want float32 (<f4) or float64 (<f8)", descr[1])
	}
	n, err1 := strconv.ParseInt(string(shape[1]), 10, 32)
	dim, err2 := strconv.ParseInt(string(shape[2]), 10, 24)
	if err1 != nil || err2 != nil {
		return nil, bad("shape (%s, %s) is too large", shape[1], shape[2])
	}
	have := size - before - length
	if dim == 0 || n == 0 {
		return nil, bad("shape (%d, %d) holds no embeddings", n, dim)
	}
	if want := n * dim * bytes; have < want {
		return nil, bad("cut off: the header announces %d rows of %d values, which take %d bytes, and %d are there: %d whole rows", n, dim, want, have, have/(dim*bytes))
	} else if have > want {
		return nil, bad("%d bytes more than the header's %d rows of %d values take", have-want, n, dim)
	}
	m := &Matrix{Path: path, Dim: int(dim), Data: make([]float32, n*dim)}
	row := make([]byte, dim*bytes)
	for i := range int(n) {
		if _, err := io.ReadFull(in, row); err != nil {
			return nil, bad("row %d: %w", i+1, err)
		}
		dst := m.Data[i*m.Dim:][:m.Dim]
		if bytes == 4 {
			for j := range dst {
				dst[j] = math.Float32frombits(binary.LittleEndian.Uint32(row[4*j:]))
			}
			continue
		}
		for j := range dst {
			dst[j] = float32(math.Float64frombits(binary.LittleEndian.Uint64(row[8*j:])))
		}
	}
	return m, nil
}
