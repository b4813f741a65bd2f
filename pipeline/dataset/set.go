package dataset

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"path/filepath"
	"strings"
)

// Set is a list of images of known identities.
type Set struct {
	Root       string   // folder that the paths of the samples start from
	Identities []string // names of the classes 0, 1, 2 ..., sorted
	Samples    []Sample // sorted by class, then name
	Warnings   []string // what Open found odd

	// decode reads an image by its File where Root is a file that holds them all; else nil.
	decode func(path string) (image.Image, error)
	// content returns an image as it is stored in such a file; nil if it is not encoded there.
	content func(path string) ([]byte, error)
}

// Sample is one image.
type Sample struct {
	Path     string // slash-separated, below the set's root
	Identity int    // class: index in Set.Identities
}

// File returns the file name of sample i.
func (s *Set) File(i int) string { return s.FileOf(s.Samples[i].Path) }

// FileOf returns the file name of a sample's path. Lists may hold absolute paths.
func (s *Set) FileOf(path string) string {
	path = filepath.FromSlash(path)
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.Root, path)
}

// inside reports whether the set's images are in one file, of which path is one.
func (s *Set) inside(path string) bool {
	return s.decode != nil && strings.HasPrefix(path, s.Root+string(filepath.Separator))
}

// Decode reads the image in a file of the set, or in any other file, as DecodeFile does. It is
// safe for concurrent use.
func (s *Set) Decode(path string) (image.Image, error) {
	if s.inside(path) {
		return s.decode(path)
	}
	return DecodeFile(path, Limits{})
}

// Content returns what an image's file holds. Where the set's images are in one file that does not encode each, it is a PNG file.
func (s *Set) Content(path string) ([]byte, error) {
	switch {
	case !s.inside(path):
		return readFile(path, Limits{})
	case s.content != nil:
		return s.content(path)
	}
	img, err := s.decode(path)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b.Bytes(), nil
}

// PathBytes returns the memory that the samples' paths take.
func (s *Set) PathBytes() int64 {
	n := int64(0)
	for _, x := range s.Samples {
		n += int64(len(x.Path))
	}
	return n
}

// Counts returns the number of images of each identity.
func (s *Set) Counts() []int {
	counts := make([]int, len(s.Identities))
	for _, x := range s.Samples {
		counts[x.Identity]++
	}
	return counts
}

// subset returns the identities for which keep holds, as a set of its own.
func (s *Set) subset(keep []bool) *Set {
	sub := &Set{Root: s.Root, decode: s.decode, content: s.content}
	class := make([]int, len(s.Identities))
	for i, name := range s.Identities {
		if keep[i] {
			class[i] = len(sub.Identities)
			sub.Identities = append(sub.Identities, name)
		}
	}
	for _, x := range s.Samples {
		if keep[x.Identity] {
			sub.Samples = append(sub.Samples, Sample{x.Path, class[x.Identity]})
		}
	}
	return sub
}

// images returns the samples of each identity.
func (s *Set) images() [][]Sample {
	of := make([][]Sample, len(s.Identities))
	for _, x := range s.Samples {
		of[x.Identity] = append(of[x.Identity], x)
	}
	return of
}
