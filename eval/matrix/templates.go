package matrix

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/faceverify/fv/eval"
)

// Templates says which images make up each template, as IJB's files do: one line an image,
//
//	name template media [weight]
//
// separated by blanks, tabs or commas. Images of one medium (a video) are alike, and so count as one.
type Templates struct {
	Path string
	of   map[string][]member // by template
	ids  []string            // in order of appearance
}

type member struct {
	name, media string
	weight      float64
}

// ReadTemplates reads such a file; a first line whose second field is "template" is a header.
func ReadTemplates(file string) (*Templates, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseTemplates(f, file)
}

func parseTemplates(r io.Reader, file string) (*Templates, error) {
	t := &Templates{Path: file, of: map[string][]member{}}
	scan := bufio.NewScanner(r)
	for line := 1; scan.Scan(); line++ {
		fields := strings.FieldsFunc(strings.TrimPrefix(scan.Text(), "\ufeff"), func(r rune) bool { return strings.ContainsRune(" \t\r,;", r) })
		if len(fields) == 0 || line == 1 && len(fields) > 1 && strings.EqualFold(fields[1], "template") {
			continue
		}
		if len(fields) != 3 && len(fields) != 4 {
			return nil, fmt.Errorf("%s:%d: %d fields; want \"name template media\", and perhaps a weight", file, line, len(fields))
		}
		m := member{name: path.Clean(strings.ReplaceAll(fields[0], `\`, "/")), media: fields[2], weight: 1}
		if len(fields) == 4 {
			w, err := strconv.ParseFloat(fields[3], 64)
			if err != nil || !(w >= 0) || math.IsInf(w, 0) {
				return nil, fmt.Errorf("%s:%d: weight %q: want a number that is not negative", file, line, fields[3])
			}
			m.weight = w
		}
		id := fields[1]
		if t.of[id] == nil {
			t.ids = append(t.ids, id)
		}
		t.of[id] = append(t.of[id], m)
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(t.ids) == 0 {
		return nil, fmt.Errorf("%s: no templates; want lines \"name template media\", and perhaps a weight", file)
	}
	return t, nil
}

// ErrNoEmbedding is the error of an image that a matrix has no row of.
var ErrNoEmbedding = errors.New("no embedding of this name, with any extension")

// Missing is the error of a set of images, of which a matrix has no rows, among total.
func Missing(names map[string]bool, total int) *eval.ImagesError {
	e := &eval.ImagesError{Total: total, Names: slices.Sorted(maps.Keys(names))}
	for range e.Names {
		e.Errs = append(e.Errs, ErrNoEmbedding)
	}
	return e
}

// Pool makes a matrix of one row a template, named by it:
//
//	x(template) = Σ over media of the mean over the medium's images of weight * embedding
//
// then of unit length. Embeddings are taken as they are in m: written with --raw, their norms count. An
// identity that all of a template's images share is the template's. Images that m lacks are all in one
// *eval.ImagesError, unless skip is set; then they, and templates that have none left, are left out, and
// missing says how many images.
func (t *Templates) Pool(m *Matrix, skip bool) (out *Matrix, missing int, err error) {
	row, err := m.Lookup()
	if err != nil {
		return nil, 0, err
	}
	out = &Matrix{Path: t.Path, Dim: m.Dim}
	asked, absent := map[string]bool{}, map[string]bool{}
	for _, id := range t.ids {
		members := slices.Clone(t.of[id])
		slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.media, b.media) })
		sum, mean := make([]float64, m.Dim), make([]float64, m.Dim)
		identity, found := "", 0
		for start := 0; start < len(members); {
			end, n := start, 0
			clear(mean)
			for ; end < len(members) && members[end].media == members[start].media; end++ {
				name := members[end].name
				asked[name] = true
				i, ok := row(name)
				if !ok {
					absent[name] = true
					continue
				}
				if found == 0 {
					identity = m.Identities[i]
				} else if identity != m.Identities[i] {
					identity = ""
				}
				found, n = found+1, n+1
				for j, x := range m.Row(i) {
					mean[j] += members[end].weight * float64(x)
				}
			}
			for j := range mean {
				if n > 0 {
					sum[j] += mean[j] / float64(n)
				}
			}
			start = end
		}
		if found == 0 {
			continue
		}
		var norm float64
		for _, x := range sum {
			norm += x * x
		}
		if norm = math.Sqrt(norm); !(norm > 0) {
			return nil, 0, fmt.Errorf("%s: the embeddings of template %s cancel out, or all have the weight 0", t.Path, id)
		}
		for _, x := range sum {
			out.Data = append(out.Data, float32(x/norm))
		}
		out.Names, out.Identities = append(out.Names, id), append(out.Identities, identity)
	}
	if len(absent) > 0 && (!skip || out.Len() == 0) {
		return nil, 0, fmt.Errorf("%s in %s: %w", t.Path, m.Path, Missing(absent, len(asked)))
	}
	return out, len(absent), nil
}
