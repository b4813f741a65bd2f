package dataset

import (
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/faceverify/fv/pipeline/dataset/idx"
)

// openIDX makes a set of the grey images of an idx file: their labels are the identities, and an image's path is its label
// and its number in the file, such as 7/00012.
func openIDX(path string, o Options) (*Set, error) {
	path = filepath.Clean(path) // as Set.File has it
	m, err := idx.Open(path)
	if err != nil {
		return nil, err
	}
	if m.Len() == 0 {
		return nil, fmt.Errorf("%s: no images", path)
	}
	w := &walk{root: path, set: &Set{Root: path, decode: func(name string) (image.Image, error) {
		i, err := strconv.Atoi(filepath.Base(name))
		if err != nil || i < 0 || i >= m.Len() {
			return nil, fmt.Errorf("%s: no image of %s", name, path)
		}
		return m.At(i), nil
	}}}
	digits := len(strconv.Itoa(slices.Max(m.Labels)))
	images := map[string][]string{}
	for i, label := range m.Labels {
		name := fmt.Sprintf("%0*d", digits, label)
		images[name] = append(images[name], fmt.Sprintf("%05d", i))
	}
	var names []string
	for name := range images {
		names = append(names, name)
	}
	slices.Sort(names)
	if o.People != "" {
		people, err := ReadPeople(o.People)
		if err != nil {
			return nil, err
		}
		if names, err = w.named(names, people, o.People); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		w.add(name, images[name], o)
	}
	w.warn()
	return w.set, w.check(o)
}

// Decode reads the image in a file of the set, or in any other file, as DecodeFile does. It is
// safe for concurrent use.
func (s *Set) Decode(path string) (image.Image, error) {
	if s.decode != nil && strings.HasPrefix(path, s.Root+string(filepath.Separator)) {
		return s.decode(path)
	}
	return DecodeFile(path, Limits{})
}
