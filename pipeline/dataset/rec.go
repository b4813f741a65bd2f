package dataset

import (
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/faceverify/fv/pipeline/dataset/recpack"
)

// openRec makes a set of the images of an InsightFace pack, which are read where they are: their labels are the identities, and an image's
// path is its label and the number of its record, such as 0042/1707.
func openRec(path string, o Options) (*Set, error) {
	path = filepath.Clean(path) // as Set.File has it
	pack, err := recpack.Open(path)
	if err != nil {
		return nil, err
	}
	set := &Set{Root: path}
	set.content = func(name string) ([]byte, error) {
		index, err := strconv.Atoi(filepath.Base(name))
		i, ok := pack.Find(index)
		if err != nil || !ok {
			return nil, fmt.Errorf("%s: no image of %s", name, path)
		}
		x, err := pack.Read(i)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return x.Data, nil
	}
	set.decode = func(name string) (image.Image, error) {
		data, err := set.content(name)
		if err != nil {
			return nil, err
		}
		img, err := Decode(data, Limits{})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return img, nil
	}
	// By label, in the pack's order.
	order := make([]int32, pack.Len())
	most := 0
	for i := range order {
		order[i] = int32(i)
		most = max(most, pack.Label(i))
	}
	slices.SortStableFunc(order, func(a, b int32) int { return pack.Label(int(a)) - pack.Label(int(b)) })
	digits := len(strconv.Itoa(most)) // so that names sort as numbers do
	var names []string
	of := map[string][]int32{}
	for start := 0; start < len(order); {
		label, end := pack.Label(int(order[start])), start
		for end < len(order) && pack.Label(int(order[end])) == label {
			end++
		}
		name := fmt.Sprintf("%0*d", digits, label)
		names, of[name] = append(names, name), order[start:end]
		start = end
	}
	w := &walk{root: path, set: set}
	return w.fill(names, o, func(name string) []string {
		paths := make([]string, len(of[name]))
		for k, i := range of[name] {
			paths[k] = name + "/" + strconv.Itoa(pack.Index(int(i)))
		}
		return paths
	})
}
