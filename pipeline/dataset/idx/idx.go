// Package idx reads idx files, the format that MNIST and its relatives come in: a magic number, the
// lengths of the dimensions, and the numbers. The files may be packed with gzip.
package idx

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// MaxBytes is the most numbers that a file may hold.
const MaxBytes = 1 << 30

// ubyte is the code of unsigned bytes, the only type that images and labels have.
const ubyte = 0x08

// Array is the content of a file of bytes, row-major.
type Array struct {
	Shape []int
	Data  []byte
}

// Is reports whether the file at path begins as an idx file does, packed or not.
func Is(path string) bool {
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	r, err := unpack(f)
	if err != nil {
		return false
	}
	var magic [4]byte
	_, err = io.ReadFull(r, magic[:])
	return err == nil && magic[0] == 0 && magic[1] == 0 && magic[2] >= 0x08 && magic[2] <= 0x0e && magic[3] > 0
}

// Read reads the file at path. What is no idx file of bytes, is cut short or holds more than its shape says is an
// error that names path.
func Read(path string) (*Array, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	a, err := Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// Decode is Read of a file's content.
func Decode(r io.Reader) (*Array, error) {
	r, err := unpack(r)
	if err != nil {
		return nil, err
	}
	var magic [4]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return nil, short(err, "before the end of its magic number")
	}
	switch {
	case magic[0] != 0 || magic[1] != 0 || magic[3] == 0:
		return nil, fmt.Errorf("not an idx file: it begins with % x, want 00 00, a type and a number of dimensions", magic)
	case magic[2] != ubyte:
		return nil, fmt.Errorf("an idx file of type %#02x; want %#02x, unsigned bytes", magic[2], ubyte)
	}
	a := &Array{}
	size := int64(1)
	for range magic[3] {
		var n uint32
		if err := binary.Read(r, binary.BigEndian, &n); err != nil {
			return nil, short(err, "before the end of its shape")
		}
		a.Shape = append(a.Shape, int(n))
		if size *= int64(n); size > MaxBytes {
			return nil, fmt.Errorf("an idx file of shape %v; at most %d bytes are read", a.Shape, MaxBytes)
		}
	}
	// Not in one piece: the shape is only what the file claims.
	var data bytes.Buffer
	if n, err := io.CopyN(&data, r, size); err != nil {
		return nil, short(err, fmt.Sprintf("after %d of the %d bytes of shape %v", n, size, a.Shape))
	}
	switch n, err := r.Read(magic[:1]); {
	case n > 0:
		return nil, fmt.Errorf("more than the %d bytes of shape %v", size, a.Shape)
	case err != nil && err != io.EOF: // gzip's checksum
		return nil, short(err, "at its end")
	}
	a.Data = data.Bytes()
	return a, nil
}

// unpack returns the content of r, which may be packed with gzip.
func unpack(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	if head, _ := b.Peek(2); !bytes.Equal(head, []byte{0x1f, 0x8b}) {
		return b, nil
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	return bufio.NewReader(z), nil
}

func short(err error, where string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("cut short %s", where)
	}
	return fmt.Errorf("damaged %s: %w", where, err)
}

// Images are grey images with labels.
type Images struct {
	Labels        []int // [N]
	Height, Width int
	pixels        []byte // [N,Height,Width]
}

// Len returns the number of images.
func (m *Images) Len() int { return len(m.Labels) }

// At returns image i, over the memory of the file.
func (m *Images) At(i int) *image.Gray {
	size := m.Height * m.Width
	return &image.Gray{Pix: m.pixels[i*size:][:size:size], Stride: m.Width, Rect: image.Rect(0, 0, m.Width, m.Height)}
}

// Open reads the images [N,H,W] at path and the labels [N] that lie beside it under the name that goes with its own:
// train-labels-idx1-ubyte for train-images-idx3-ubyte, either of them with or without .gz.
func Open(path string) (*Images, error) {
	pixels, err := Read(path)
	if err != nil {
		return nil, err
	}
	if len(pixels.Shape) != 3 || pixels.Shape[1] == 0 || pixels.Shape[2] == 0 {
		return nil, fmt.Errorf("%s: an idx file of shape %v; want images, [N,height,width]", path, pixels.Shape)
	}
	beside, err := labelsBeside(path)
	if err != nil {
		return nil, err
	}
	labels, err := Read(beside)
	if err != nil {
		return nil, err
	}
	if len(labels.Shape) != 1 || labels.Shape[0] != pixels.Shape[0] {
		return nil, fmt.Errorf("%s: labels of shape %v for the %d images in %s; want one for each", beside, labels.Shape, pixels.Shape[0], path)
	}
	m := &Images{Height: pixels.Shape[1], Width: pixels.Shape[2], pixels: pixels.Data}
	for _, l := range labels.Data {
		m.Labels = append(m.Labels, int(l))
	}
	return m, nil
}

// labelsBeside returns the path of the labels of a file of images.
func labelsBeside(path string) (string, error) {
	dir, name := filepath.Split(path)
	if !strings.Contains(name, "images") {
		return "", fmt.Errorf("%s: its labels are sought under the same name with labels for images; want a name such as train-images-idx3-ubyte", path)
	}
	name = strings.Replace(strings.Replace(name, "images", "labels", 1), "idx3", "idx1", 1)
	name = strings.TrimSuffix(name, ".gz")
	for _, end := range []string{"", ".gz"} {
		if _, err := os.Stat(dir + name + end); err == nil {
			return dir + name + end, nil
		}
	}
	return "", fmt.Errorf("%s: no labels beside it: neither %s nor %s.gz is there", path, name, name)
}
