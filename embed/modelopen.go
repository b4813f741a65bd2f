package embed

import (
	"fmt"

	"github.com/faceverify/fv/embed/tensorfile"
)

// OpenModel is Load, but for the weights of the head's classes, which may be more than there is memory for: they stay in the file, and
// HeadParams has a Stream in the place of their Data.
func OpenModel(path string) (*Model, error) {
	if IsONNX(path) {
		return LoadONNX(path, ONNXOptions{})
	}
	path, err := ofRunFolder(path)
	if err != nil {
		return nil, err
	}
	r, err := tensorfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	file := &tensorfile.File{Metadata: r.Metadata, Tensors: r.Tensors}
	for i := range file.Tensors {
		t := &file.Tensors[i]
		if t.Name == headPrefix+"weight" {
			t.Stream = streamOf(path, t.Name, t.Len())
			continue
		}
		t.Data = make([]float32, t.Len())
		if err := r.ReadAt(t.Data, t.Name, 0); err != nil {
			return nil, err
		}
	}
	m, err := decodeModel(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// streamOf returns the Stream of a tensor of n numbers that lies in a file.
func streamOf(path, name string, n int) func(func([]float32) error) error {
	return func(write func([]float32) error) error {
		r, err := tensorfile.Open(path)
		if err != nil {
			return err
		}
		defer r.Close()
		piece := make([]float32, min(n, 1<<20))
		for at := 0; at < n; at += len(piece) {
			piece = piece[:min(len(piece), n-at)]
			if err := r.ReadAt(piece, name, at); err != nil {
				return err
			}
			if err := finite(name, at, piece); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if err := write(piece); err != nil {
				return err
			}
		}
		return nil
	}
}

// ReadAt fills dst with the tensor's numbers from the at-th on.
func (t *Tensor) ReadAt(dst []float32, at int) error {
	if t.Stream == nil {
		copy(dst, t.Data[at:])
		return nil
	}
	from := 0 // of the stretch under way
	return t.Stream(func(x []float32) error {
		if a, b := max(at, from), min(at+len(dst), from+len(x)); a < b {
			copy(dst[a-at:b-at], x[a-from:])
		}
		from += len(x)
		return nil
	})
}
