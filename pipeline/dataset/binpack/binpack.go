// Package binpack reads InsightFace's validation packs (lfw.bin, cfp_fp.bin, agedb_30.bin ...): a
// Python pickle of a list of 2N encoded images and a list of N flags. Pair i is images 2i and 2i+1; the
// flag says whether they show one person.
//
// Nothing in the file is executed: see pickle.go.
package binpack

import (
	"errors"
	"fmt"
	"image"
	"os"
	"strconv"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/pipeline/dataset"
)

// Pack is N pairs of encoded images (JPEG, usually).
type Pack struct {
	Name   string
	Images [][]byte // 2N
	Same   []bool   // N
}

// Read reads the pack at path.
func Read(path string) (*Pack, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(data, path)
}

// Parse reads a pack; name is used in errors. The images are parts of data, not copies. An opcode or
// a function that lists of images and flags do not need is an error.
func Parse(data []byte, name string) (*Pack, error) {
	m := machine{data: data, memo: map[uint64]any{}}
	x, err := m.run()
	if err != nil {
		return nil, fmt.Errorf("%s: not a pack of validation pairs: %w", name, err)
	}
	p, err := packOf(x)
	if err != nil {
		return nil, fmt.Errorf("%s: not a pack of validation pairs: %w", name, err)
	}
	p.Name = name
	return p, nil
}

var errForm = errors.New("want a pair of lists: encoded images, and a flag for every two of them")

func packOf(x any) (*Pack, error) {
	pair, ok := items(x)
	if !ok || len(pair) != 2 {
		return nil, errForm
	}
	images, ok1 := items(pair[0])
	flags, ok2 := items(pair[1])
	if !ok1 || !ok2 {
		return nil, errForm
	}
	if len(flags) == 0 || len(images) != 2*len(flags) {
		return nil, fmt.Errorf("%d images and %d flags: %w", len(images), len(flags), errForm)
	}
	p := &Pack{}
	for i, x := range images {
		b, ok := bytesOf(x)
		if !ok || len(b) == 0 {
			return nil, fmt.Errorf("image %d of %d is neither bytes nor an array of uint8", i+1, len(images))
		}
		p.Images = append(p.Images, b)
	}
	for i, x := range flags {
		same, ok := flagOf(x)
		if !ok {
			return nil, fmt.Errorf("flag %d of %d is neither true nor false", i+1, len(flags))
		}
		p.Same = append(p.Same, same)
	}
	return p, nil
}

// items returns the elements of a list or tuple.
func items(x any) ([]any, bool) {
	switch x := x.(type) {
	case *list:
		return x.items, true
	case tuple:
		return x, true
	}
	return nil, false
}

// bytesOf returns bytes, or those of an array of uint8.
func bytesOf(x any) ([]byte, bool) {
	o, ok := x.(*object)
	if !ok {
		b, ok := x.([]byte)
		return b, ok
	}
	switch o.of {
	case fromBuffer: // (bytes, dtype, shape, order)
		if len(o.args) == 4 && isDtype(o.args[1], "u1") {
			b, ok := o.args[0].([]byte)
			return b, ok
		}
	case reconstruct: // state: (version, shape, dtype, by columns, bytes)
		if s, ok := o.state.(tuple); ok && len(s) == 5 && isDtype(s[2], "u1") {
			b, ok := s[4].([]byte)
			return b, ok
		}
	}
	return nil, false
}

// isDtype reports whether x is numpy's type of the given name; Python 2 wrote names as bytes.
func isDtype(x any, name string) bool {
	o, ok := x.(*object)
	if !ok || o.of != dtype || len(o.args) == 0 {
		return false
	}
	if b, ok := o.args[0].([]byte); ok {
		return string(b) == name
	}
	return o.args[0] == name
}

// flagOf returns a flag, or a number or numpy scalar that is 0 or 1.
func flagOf(x any) (same, ok bool) {
	switch x := x.(type) {
	case bool:
		return x, true
	case int64:
		return x == 1, x == 0 || x == 1
	case *object: // scalar(dtype, bytes)
		if x.of == scalar && len(x.args) == 2 && isDtype(x.args[0], "b1") {
			if b, ok := x.args[1].([]byte); ok && len(b) == 1 && b[0] <= 1 {
				return b[0] == 1, true
			}
		}
	}
	return false, false
}

// folds is how many InsightFace's script cuts the pairs in.
const folds = 10

// Pairs returns the pairs, with images named by their number from 0. Folds are runs of pairs, as
// InsightFace's script cuts them (scikit-learn's KFold without shuffling): the first N mod 10 of
// them have one pair more. Nothing says who the images show.
func (p *Pack) Pairs() *eval.Pairs {
	n := len(p.Same)
	out := &eval.Pairs{Name: p.Name, Folds: min(folds, n)}
	size, more := n/out.Folds, n%out.Folds
	for i, same := range p.Same {
		fold := 0
		if large := more * (size + 1); i < large {
			fold = i / (size + 1)
		} else {
			fold = more + (i-large)/size
		}
		out.Pairs = append(out.Pairs, eval.Pair{A: strconv.Itoa(2 * i), B: strconv.Itoa(2*i + 1), Same: same, Fold: fold})
	}
	return out
}

// Load decodes the image that Pairs names.
func (p *Pack) Load(name string) (image.Image, error) {
	i, err := strconv.Atoi(name)
	if err != nil || i < 0 || i >= len(p.Images) {
		return nil, fmt.Errorf("%s has no image %q", p.Name, name)
	}
	img, err := dataset.Decode(p.Images[i], dataset.Limits{})
	if err != nil {
		return nil, fmt.Errorf("%s: image %d: %w", p.Name, i, err)
	}
	return img, nil
}
