package tensorfile

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

// Reader reads tensors of a file in parts.
type Reader struct {
	Metadata map[string]string
	Tensors  []Tensor // without data, in the order of their bytes

	file  *os.File
	begin map[string]int64
}

// Open opens the file at path. What it holds is checked as Read does, and that all of it can be read.
func Open(path string) (r *Reader, err error) {
	err = open(path, func(file *os.File, size int64) error {
		if r, err = newReader(file, size); err != nil {
			file.Close()
		}
		return err
	})
	return r, err
}

func newReader(file *os.File, size int64) (*Reader, error) {
	in := bufio.NewReaderSize(file, 1<<16)
	f, at, err := decodeHeader(in, size)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, in, size-at); err != nil {
		return nil, fmt.Errorf("cannot read all of it: %w", err)
	}
	r := &Reader{Metadata: f.Metadata, Tensors: f.Tensors, file: file, begin: map[string]int64{}}
	for _, t := range r.Tensors {
		r.begin[t.Name] = at
		at += 4 * int64(t.Len())
	}
	return r, nil
}

// ReadAt fills dst with the numbers of a tensor from the at-th on. It panics if there is no tensor of that name.
func (r *Reader) ReadAt(dst []float32, tensor string, at int) error {
	begin, ok := r.begin[tensor]
	if !ok {
		panic("tensorfile: there is no tensor " + tensor)
	}
	if err := readFloats(io.NewSectionReader(r.file, begin+4*int64(at), 4*int64(len(dst))), dst); err != nil {
		return fmt.Errorf("%s: tensor %q: %w", r.file.Name(), tensor, err)
	}
	return nil
}

// Close closes the file.
func (r *Reader) Close() error { return r.file.Close() }
