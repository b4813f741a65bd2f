package tensorfile

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/nlpodyssey/safetensors"

	"github.com/faceverify/fv/internal/atomicfile"
)

// Write writes f to path through a temporary file: whatever happens, path holds
// the whole of f or what it held before. Equal contents give equal bytes. It panics if a
// tensor's data does not fill its shape or two have one name. Streams are read in the order of the tensors' names; it is an error if one does not fill
// its tensor.
func Write(path string, f *File) error {
	views := make(map[string]view, len(f.Tensors))
	for _, t := range f.Tensors {
		if _, twice := views[t.Name]; twice || t.Stream == nil && t.Len() != len(t.Data) {
			panic(fmt.Sprintf("tensorfile: tensor %q of shape %v has %d floats, or its name is taken", t.Name, t.Shape, len(t.Data)))
		}
		views[t.Name] = view{t}
	}
	// The library would make a copy of each tensor. It writes the header, and puts the data in the order of their names.
	var header bytes.Buffer
	if err := safetensors.SerializeToWriter(views, f.Metadata, &header); err != nil {
		return err
	}
	tensors := slices.SortedFunc(slices.Values(f.Tensors), func(a, b Tensor) int { return cmp.Compare(a.Name, b.Name) })
	return atomicfile.Write(path, func(w io.Writer) error {
		if _, err := header.WriteTo(w); err != nil {
			return err
		}
		for i := range tensors {
			if err := tensors[i].write(w); err != nil {
				return err
			}
		}
		return nil
	})
}

// write writes the data.
func (t *Tensor) write(w io.Writer) error {
	if t.Stream == nil {
		return writeFloats(w, t.Data)
	}
	left := t.Len()
	err := t.Stream(func(x []float32) error {
		left -= len(x)
		return writeFloats(w, x)
	})
	if err == nil && left != 0 {
		err = fmt.Errorf("tensor %q of shape %v was given %d floats", t.Name, t.Shape, t.Len()-left)
	}
	return err
}

// writeFloats writes little-endian bytes.
func writeFloats(w io.Writer, x []float32) error {
	var chunk [1 << 14]byte
	for len(x) > 0 {
		n := min(len(x), len(chunk)/4)
		for i, v := range x[:n] {
			binary.LittleEndian.PutUint32(chunk[4*i:], math.Float32bits(v))
		}
		if _, err := w.Write(chunk[:4*n]); err != nil {
			return err
		}
		x = x[n:]
	}
	return nil
}

// view shows a Tensor to the safetensors library, without its data.
type view struct{ t Tensor }

func (v view) DType() safetensors.DType { return safetensors.F32 }

func (v view) Shape() []uint64 {
	shape := make([]uint64, len(v.t.Shape))
	for i, s := range v.t.Shape {
		shape[i] = uint64(s)
	}
	return shape
}

func (v view) DataLen() uint64 { return 4 * uint64(v.t.Len()) }
func (v view) Data() []byte    { return nil }
