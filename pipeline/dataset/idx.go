package dataset

import (
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"strconv"

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
		images[name] = append(images[name], fmt.Sprintf("%s/%05d", name, i))
	}
	var names []string
	for name := range images {
		names = append(names, name)
	}
	slices.Sort(names)
	return w.fill(names, o, func(name string) []string { return images[name] })
}
