package eval

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/faceverify/fv/internal/parquetfile"
	"github.com/faceverify/fv/internal/table"
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
	in, err := table.Open(f, file, "name or identity, and attributes")
	if err != nil {
		return nil, err
	}
	value := in.Column(strings.ToLower(column))
	if value < 0 {
		return nil, fmt.Errorf("%s:1: no column %q; it has %s", file, column, strings.Join(in.Header(), ", "))
	}
	name, identity := in.Column("name"), in.Column("identity")
	if name < 0 && identity < 0 {
		return nil, in.HeaderError("a column name (images) or identity (people)")
	}
	a := &Attributes{Column: in.Header()[value], names: map[string]string{}, people: map[string]string{}}
	values := interner{}
	for record, err := range in.Records() {
		if err != nil {
			return nil, err
		}
		v := values.of(strings.TrimSpace(record[value]))
		put := func(to map[string]string, key string) error {
			if old, ok := to[key]; ok && old != v {
				return in.Errorf(value, "%s is %s, and %s on an earlier line", key, v, old)
			}
			to[strings.Clone(key)] = v
			return nil
		}
		switch {
		case name >= 0 && record[name] != "":
			err = put(a.names, withoutExtension(imagePath(record[name])))
		case identity >= 0:
			err = put(a.people, record[identity])
		}
		if err != nil {
			return nil, err
		}
	}
	return a, nil
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
		p, err := parquetfile.Open(f)
		if err != nil {
			return nil, err
		}
		at := p.Single(strings.ToLower(column))
		if at < 0 {
			return nil, fmt.Errorf("%s: no column %q; it has %s", file, column, strings.Join(p.Columns(), ", "))
		}
		err = p.Rows([]int{at}, func(_ int, v [][]parquet.Value) error {
			out = append(out, values.of(parquetfile.Text(v[0][0])))
			return nil
		})
		return out, err
	}
	in, err := table.Open(f, file, wantScores)
	if err != nil {
		return nil, err
	}
	i := in.Column(strings.ToLower(column))
	if i < 0 {
		return nil, fmt.Errorf("%s:1: no column %q; it has %s", file, column, strings.Join(in.Header(), ", "))
	}
	for record, err := range in.Records() {
		if err != nil {
			return nil, err
		}
		out = append(out, values.of(strings.TrimSpace(record[i])))
	}
	return out, nil
}
