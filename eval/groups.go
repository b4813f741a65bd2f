package eval

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// Breakdown is a verification measured on groups of its pairs. All groups stand at the same threshold,
// as the users of one system do: at thresholds of their own, groups would look more alike than they are.
type Breakdown struct {
	Column string       `json:"column"` // of the attributes
	At     []GroupRates `json:"at"`
}

// GroupRates are the groups' rates at one threshold, which all pairs together gave.
type GroupRates struct {
	For       string    `json:"for"` // what the threshold was chosen for
	Threshold Threshold `json:"threshold"`
	Groups    []Group   `json:"groups"` // sorted by name
}

// Group is the pairs whose two images have the same value of the attribute, or, as "A × B", the same two
// values. FMR and FNMR are null where the group has no impostor or no genuine pair.
type Group struct {
	Name     string `json:"name"`
	Genuine  int    `json:"genuine"`
	Impostor int    `json:"impostor"`
	Accuracy Rate   `json:"accuracy"`
	FMR      *Rate  `json:"fmr"`
	FNMR     *Rate  `json:"fnmr"`
}

// UnknownGroup is the value of an image that has none.
const UnknownGroup = "unknown"

// GroupBy measures the groups of the result's pairs: of(i) is the group of pair i. The thresholds are
// that of the EER and those of the operating points that are resolved. It panics if the
// result has no scores.
func (r *Result) GroupBy(column string, of func(i int) string) *Breakdown {
	if r.Scores == nil {
		panic("eval: groups of a result without scores")
	}
	names := make([]string, len(r.Scores))
	for i := range names {
		names[i] = cmp.Or(of(i), UnknownGroup)
	}
	b := &Breakdown{Column: column}
	at := func(what string, threshold Threshold) {
		type count struct{ pairs, accepted [2]int }
		counts := map[string]*count{}
		for i, name := range names {
			c := counts[name]
			if c == nil {
				c = &count{}
				counts[name] = c
			}
			k := kind(r.Pairs.Pairs[i].Same)
			c.pairs[k]++
			if r.Scores[i] >= threshold.Score {
				c.accepted[k]++
			}
		}
		rates := GroupRates{For: what, Threshold: threshold}
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			c := counts[name]
			g := Group{Name: name, Genuine: c.pairs[1], Impostor: c.pairs[0]}
			g.Accuracy = NewRate(c.accepted[1]+c.pairs[0]-c.accepted[0], c.pairs[0]+c.pairs[1])
			if c.pairs[0] > 0 {
				fmr := NewRate(c.accepted[0], c.pairs[0])
				g.FMR = &fmr
			}
			if c.pairs[1] > 0 {
				fnmr := NewRate(c.pairs[1]-c.accepted[1], c.pairs[1])
				g.FNMR = &fnmr
			}
			rates.Groups = append(rates.Groups, g)
		}
		b.At = append(b.At, rates)
	}
	at("EER", r.EER.Threshold)
	for _, p := range r.OperatingPoints {
		if p.Resolved {
			at(fmt.Sprintf("FAR ≤ %g", p.Target), p.Threshold)
		}
	}
	return b
}

// Attributes says what is known of images or of people: a value of one column for each.
type Attributes struct {
	Column string
	names  map[string]string // of images, without extension
	people map[string]string
}

// ReadAttributes reads one column of a CSV file that has a column name (images, as pairs name them), or
// identity (people), or both; a name's value goes before that of its identity.
func ReadAttributes(file, column string) (*Attributes, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := csv.NewReader(f)
	in.ReuseRecord = true
	header, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: no header; want name or identity, and attributes: %w", file, err)
	}
	at := map[string]int{}
	var columns []string
	for i, h := range header {
		columns = append(columns, strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")))
		at[strings.ToLower(columns[i])] = i
	}
	value, ok := at[strings.ToLower(column)]
	if !ok {
		return nil, fmt.Errorf("%s:1: no column %q; it has %s", file, column, strings.Join(columns, ", "))
	}
	name, byName := at["name"]
	identity, byIdentity := at["identity"]
	if !byName && !byIdentity {
		return nil, fmt.Errorf("%s:1: the header is %.60q; want a column name (images) or identity (people)", file, strings.Join(columns, ","))
	}
	a := &Attributes{Column: columns[value], names: map[string]string{}, people: map[string]string{}}
	values := interner{}
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return a, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		v := values.of(strings.TrimSpace(record[value]))
		put := func(to map[string]string, key string) error {
			if old, ok := to[key]; ok && old != v {
				line, _ := in.FieldPos(value)
				return fmt.Errorf("%s:%d: %s is %s, and %s on an earlier line", file, line, key, v, old)
			}
			to[strings.Clone(key)] = v
			return nil
		}
		switch {
		case byName && record[name] != "":
			err = put(a.names, withoutExtension(imagePath(record[name])))
		case byIdentity:
			err = put(a.people, record[identity])
		}
		if err != nil {
			return nil, err
		}
	}
}

func withoutExtension(name string) string { return strings.TrimSuffix(name, path.Ext(name)) }

// Group is the group of a pair: the value of its images, "A × B" in alphabetical order where they differ, ""
// where nothing is known of either.
func (a *Attributes) Group(pairs *Pairs, p Pair) string {
	x, y := a.of(pairs, p.A), a.of(pairs, p.B)
	if x == y {
		return x
	}
	x, y = cmp.Or(x, UnknownGroup), cmp.Or(y, UnknownGroup)
	return min(x, y) + " × " + max(x, y)
}

func (a *Attributes) of(pairs *Pairs, image string) string {
	if v, ok := a.names[withoutExtension(image)]; ok {
		return v
	}
	return a.people[pairs.identity(image)]
}

// ReadScoreColumn reads one more column of a score file, a value a line, as the group of each pair.
func ReadScoreColumn(file, column string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []string
	values := interner{}
	if isParquet(file) {
		p, err := openParquet(f)
		if err != nil {
			return nil, err
		}
		if !p.has(column) {
			return nil, fmt.Errorf("%s: no column %q; it has %s", file, column, strings.Join(p.columns(), ", "))
		}
		err = p.rows([]string{column}, func(_ int, v []parquet.Value) error {
			out = append(out, values.of(valueText(v[0])))
			return nil
		})
		return out, err
	}
	in, at, err := openTable(f, file)
	if err != nil {
		return nil, err
	}
	i, ok := at[strings.ToLower(column)]
	if !ok {
		return nil, fmt.Errorf("%s:1: no column %q; it has %s", file, column, strings.Join(slices.Sorted(maps.Keys(at)), ", "))
	}
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, values.of(strings.TrimSpace(record[i])))
	}
}
