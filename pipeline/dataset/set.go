package dataset

import (
	"image"
	"path/filepath"
)

// Set is a list of images of known identities.
type Set struct {
	Root       string   // folder that the paths of the samples start from
	Identities []string // names of the classes 0, 1, 2 ..., sorted
	Samples    []Sample // sorted by class, then name
	Warnings   []string // what Open found odd

	// decode reads an image by its File where Root is a file that holds them all; else nil.
	decode func(path string) (image.Image, error)
}

// Sample is one image.
type Sample struct {
	Path     string // slash-separated, below the set's root
	Identity int    // class: index in Set.Identities
}

// File returns the file name of sample i.
func (s *Set) File(i int) string {
	return filepath.Join(s.Root, filepath.FromSlash(s.Samples[i].Path))
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
	sub := &Set{Root: s.Root, decode: s.decode}
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
