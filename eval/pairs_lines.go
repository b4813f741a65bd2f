package eval

import (
	"errors"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pairLines reads the lists of CALFW and CPLFW: two lines "image label" are a pair; a label of 0 says
// two people, any other one person.
type pairLines struct{ list *pairList }

// sniffLines is whether the fields of the first line, an image and a label, begin such a list.
func sniffLines(fields []string) bool {
	return len(fields) == 2 && slices.Contains(ImageExtensions, strings.ToLower(path.Ext(fields[0]))) && isNumber(fields[1])
}

// numberedStem is the end of a file name that counts a person's images.
var numberedStem = regexp.MustCompile(`_\d+$`)

func (l pairLines) parse(r io.Reader) (*Pairs, error) {
	pairs := &Pairs{Name: l.list.name, Identities: map[string]string{}}
	next := l.list.records(r)
	names := interner{}
	var first string
	var label int
	for n := 0; ; n++ {
		f, line, err := next()
		if errors.Is(err, io.EOF) {
			if n%2 == 1 {
				return nil, l.list.errorf(line, "%s has no partner: the file ends; want two lines \"image label\" for each pair", first)
			}
			break
		} else if err != nil {
			return nil, err
		}
		if len(f) != 2 || !isNumber(f[1]) {
			return nil, l.list.errorf(line, "%q: want two lines \"image label\" for each pair; 0 says two people, another number one person", strings.Join(f, " "))
		}
		image := names.of(imagePath(f[0]))
		number, _ := strconv.Atoi(f[1])
		stem := strings.TrimSuffix(path.Base(image), path.Ext(image))
		pairs.Identities[image] = numberedStem.ReplaceAllString(stem, "")
		if n%2 == 0 {
			first, label = image, number
			continue
		}
		switch {
		case number != label:
			return nil, l.list.errorf(line, "label %d, but the line before, of the same pair, has %d", number, label)
		case image == first:
			return nil, l.list.errorf(line, "pairs %s with itself", image)
		}
		pairs.Pairs = append(pairs.Pairs, Pair{A: first, B: image, Same: label != 0, Line: line - 1})
	}
	pairs.CutFolds(view1Folds)
	return pairs, nil
}
