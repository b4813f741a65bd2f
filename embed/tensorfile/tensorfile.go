// Package tensorfile reads and writes named float32 tensors, with metadata, in
// the safetensors format: the length of a header, the header in JSON, and the
// tensors' bytes.
//
// Files are taken to be hostile: nothing is allocated that the file's own
// length does not vouch for, and an error names the file and the tensor.
package tensorfile

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/bits"
	"os"
	"slices"
	"strings"

	"github.com/nlpodyssey/safetensors"
)

// MaxHeader is the most bytes that the header of a file may have. Class names
// are most of it.
const MaxHeader = 64 << 20

// Tensor is a named array in row-major order.
type Tensor struct {
	Name  string
	Shape []int // sides, outermost first; empty for a scalar
	Data  []float32
	// Stream, if not nil, gives Write the data in Data's place, for what is larger than memory or lies elsewhere: it calls write with one
	// stretch of them after the other, and ends with an error if write gives one.
	Stream func(write func([]float32) error) error
}

// Len returns the number of floats that fill the tensor's shape.
func (t *Tensor) Len() int {
	n := 1
	for _, s := range t.Shape {
		n *= s
	}
	return n
}

// File is the contents of a file.
type File struct {
	Metadata map[string]string
	Tensors  []Tensor
}

// Tensor returns the tensor of the given name, or nil.
func (f *File) Tensor(name string) *Tensor {
	for i := range f.Tensors {
		if f.Tensors[i].Name == name {
			return &f.Tensors[i]
		}
	}
	return nil
}

// Read reads the file at path. Tensors are in the order of their bytes.
func Read(path string) (f *File, err error) {
	err = open(path, func(file *os.File, size int64) error {
		defer file.Close()
		f, err = Decode(bufio.NewReaderSize(file, 1<<16), size)
		return err
	})
	return f, err
}

// open calls read with the file at path, which read closes unless it keeps it, and its size.
func open(path string, read func(f *os.File, size int64) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		f.Close()
		return err
	case info.IsDir():
		f.Close()
		return fmt.Errorf("%s: is a folder, want a safetensors file", path)
	}
	if err := read(f, info.Size()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Decode reads a file of size bytes from r.
func Decode(r io.Reader, size int64) (*File, error) {
	f, _, err := decodeHeader(r, size)
	if err != nil {
		return nil, err
	}
	for i := range f.Tensors {
		t := &f.Tensors[i]
		t.Data = make([]float32, t.Len())
		if err := readFloats(r, t.Data); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
	}
	return f, nil
}

// decodeHeader returns what a file holds but for the data, which begin at the returned place and follow each other.
func decodeHeader(r io.Reader, size int64) (f *File, data int64, err error) {
	var length [8]byte
	if size < int64(len(length)) {
		return nil, 0, fmt.Errorf("%d bytes are too few for a safetensors file", size)
	}
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, 0, fmt.Errorf("cannot read the header's length: %w", err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > MaxHeader {
		return nil, 0, fmt.Errorf("the header claims %d bytes, at most %d are allowed: not a safetensors file?", n, MaxHeader)
	}
	data = int64(len(length)) + int64(n)
	if size < data {
		return nil, 0, fmt.Errorf("the header claims %d bytes, the file has %d: it is cut short or not a safetensors file", n, size)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, 0, fmt.Errorf("cannot read the header: %w", err)
	}
	var meta safetensors.Metadata
	if err := json.Unmarshal(header, &meta); err != nil {
		return nil, 0, fmt.Errorf("the header is damaged: %w", err)
	}
	infos := meta.Tensors()
	names := slices.SortedFunc(maps.Keys(infos), func(a, b string) int {
		x, y := infos[a].DataOffsets, infos[b].DataOffsets
		return cmp.Or(slices.Compare(x[:], y[:]), strings.Compare(a, b))
	})
	if err := check(names, infos, uint64(size-data)); err != nil {
		return nil, 0, err
	}
	f = &File{Metadata: meta.Metadata()}
	for _, name := range names {
		t := Tensor{Name: name}
		for _, s := range infos[name].Shape {
			t.Shape = append(t.Shape, int(s))
		}
		f.Tensors = append(f.Tensors, t)
	}
	return f, data, nil
}

// check returns an error unless the tensors are float32, agree with their shapes
// and fill the bytes after the header from first to last without gap or overlap.
func check(names []string, infos map[string]*safetensors.TensorInfo, size uint64) error {
	at := uint64(0)
	for _, name := range names {
		info := infos[name]
		if info.DType != safetensors.F32 {
			return fmt.Errorf("tensor %q holds %v, want F32", name, info.DType)
		}
		begin, end := info.DataOffsets[0], info.DataOffsets[1]
		switch {
		case begin > end:
			return fmt.Errorf("tensor %q ends at byte %d, before it begins at %d", name, end, begin)
		case end > size:
			return fmt.Errorf("tensor %q ends at byte %d of the data, which has %d: the file is cut short", name, end, size)
		case begin < at:
			return fmt.Errorf("tensor %q begins at byte %d, inside the one before it, which ends at %d", name, begin, at)
		case begin > at:
			return fmt.Errorf("bytes %d to %d before tensor %q belong to no tensor", at, begin, name)
		}
		at = end
		count, room := uint64(1), (end-begin)/4
		for _, s := range info.Shape {
			over, product := bits.Mul64(count, s)
			if s > math.MaxInt || over != 0 {
				return fmt.Errorf("tensor %q has the impossible shape %v", name, info.Shape)
			}
			count = product
		}
		if count != room || (end-begin)%4 != 0 {
			return fmt.Errorf("tensor %q of shape %v needs %d floats, its %d bytes hold %d", name, info.Shape, count, end-begin, room)
		}
	}
	if at != size {
		return fmt.Errorf("%d bytes after the last tensor belong to no tensor", size-at)
	}
	return nil
}

// readFloats fills dst from little-endian bytes.
func readFloats(r io.Reader, dst []float32) error {
	var chunk [1 << 14]byte
	for len(dst) > 0 {
		n := min(len(dst), len(chunk)/4)
		if _, err := io.ReadFull(r, chunk[:4*n]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		for i := range n {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(chunk[4*i:]))
		}
		dst = dst[n:]
	}
	return nil
}
