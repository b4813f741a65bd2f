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
	"os"
	"slices"
	"strings"

	"github.com/nlpodyssey/safetensors"

	"github.com/faceverify/fv/internal/atomicfile"
)

// MaxHeader is the most bytes that the header of a file may have. Class names
// are most of it.
const MaxHeader = 64 << 20

// Tensor is a named array in row-major order.
type Tensor struct {
	Name  string
	Shape []int // sides, outermost first; empty for a scalar
	Data  []float32
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
func Read(path string) (*File, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s: is a folder, want a safetensors file", path)
	}
	f, err := Decode(bufio.NewReaderSize(r, 1<<16), info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Decode reads a file of size bytes from r.
func Decode(r io.Reader, size int64) (*File, error) {
	var length [8]byte
	if size < int64(len(length)) {
		return nil, fmt.Errorf("%d bytes are too few for a safetensors file", size)
	}
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, fmt.Errorf("cannot read the header's length: %w", err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > MaxHeader {
		return nil, fmt.Errorf("the header claims %d bytes, at most %d are allowed: not a safetensors file?", n, MaxHeader)
	}
	rest := size - int64(len(length)) - int64(n)
	if rest < 0 {
		return nil, fmt.Errorf("the header claims %d bytes, the file has %d: it is cut short or not a safetensors file", n, size)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, fmt.Errorf("cannot read the header: %w", err)
	}
	var meta safetensors.Metadata
	if err := json.Unmarshal(header, &meta); err != nil {
		return nil, fmt.Errorf("the header is damaged: %w", err)
	}
	infos := meta.Tensors()
	names := slices.SortedFunc(maps.Keys(infos), func(a, b string) int {
		x, y := infos[a].DataOffsets, infos[b].DataOffsets
		return cmp.Or(slices.Compare(x[:], y[:]), strings.Compare(a, b))
	})
	if err := check(names, infos, uint64(rest)); err != nil {
		return nil, err
	}
	f := &File{Metadata: meta.Metadata()}
	for _, name := range names {
		t := Tensor{Name: name}
		for _, s := range infos[name].Shape {
			t.Shape = append(t.Shape, int(s))
		}
		begin, end := infos[name].DataOffsets[0], infos[name].DataOffsets[1]
		t.Data = make([]float32, (end-begin)/4)
		if err := readFloats(r, t.Data); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		f.Tensors = append(f.Tensors, t)
	}
	return f, nil
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
		// Not a product of all sides: it might overflow.
		count, room := uint64(1), (end-begin)/4
		for _, s := range info.Shape {
			if s > math.MaxInt32 || count > math.MaxUint64>>31 {
				return fmt.Errorf("tensor %q has the impossible shape %v", name, info.Shape)
			}
			count *= s
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

// Write writes f to path through a temporary file: whatever happens, path holds
// the whole of f or what it held before. Equal contents give equal bytes. It panics if a
// tensor's data does not fill its shape or two have one name.
func Write(path string, f *File) error {
	views := make(map[string]view, len(f.Tensors))
	for _, t := range f.Tensors {
		n := 1
		for _, s := range t.Shape {
			n *= s
		}
		if _, twice := views[t.Name]; twice || n != len(t.Data) {
			panic(fmt.Sprintf("tensorfile: tensor %q of shape %v has %d floats, or its name is taken", t.Name, t.Shape, len(t.Data)))
		}
		views[t.Name] = view{t}
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		return safetensors.SerializeToWriter(views, f.Metadata, w)
	})
}

// view shows a Tensor to the safetensors library.
type view struct{ t Tensor }

func (v view) DType() safetensors.DType { return safetensors.F32 }

func (v view) Shape() []uint64 {
	shape := make([]uint64, len(v.t.Shape))
	for i, s := range v.t.Shape {
		shape[i] = uint64(s)
	}
	return shape
}

func (v view) DataLen() uint64 { return 4 * uint64(len(v.t.Data)) }

func (v view) Data() []byte {
	b := make([]byte, 0, v.DataLen())
	for _, x := range v.t.Data {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}
