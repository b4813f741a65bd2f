package eval

import (
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/faceverify/fv/internal/table"
)

// ReadScores reads the score file at path: Parquet if its name ends in .parquet, with the columns
// of [ParseScores], else CSV.
func ReadScores(path string) ([]float64, *Pairs, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if isParquet(path) {
		return readParquetScores(f)
	}
	return ParseScores(f, path)
}

func isParquet(path string) bool { return strings.EqualFold(filepath.Ext(path), ".parquet") }

// ParseScores reads a CSV file with a header that has the columns label (1 or 0) and score,
// and may have a, b and fold, in any order; other columns are ignored. Without folds
// the k-th tenth of each kind is made fold k. Errors name file and line; a score that is
// not finite is one.
func ParseScores(r io.Reader, name string) ([]float64, *Pairs, error) {
	in, err := table.Open(r, name, wantScores)
	if err != nil {
		return nil, nil, err
	}
	need, err := in.Need(wantScores, scoreColumns[:2]...)
	if err != nil {
		return nil, nil, err
	}
	label, score := need[0], need[1]
	foldAt, a, b := in.Column("fold"), in.Column("a"), in.Column("b")
	t := newScoreTable(name)
	for record, err := range in.Records() {
		if err != nil {
			return nil, nil, err
		}
		pair := Pair{Line: in.Line(0)}
		if pair.Same, err = sameOf(record[label]); err != nil {
			return nil, nil, in.Errorf(0, "%w", err)
		}
		x, err := strconv.ParseFloat(strings.TrimSpace(record[score]), 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, nil, in.Errorf(0, "score %q: want a finite number", record[score])
		}
		fold := 0
		if foldAt >= 0 {
			fold, err = strconv.Atoi(strings.TrimSpace(record[foldAt]))
			if err != nil || !isFold(fold) {
				return nil, nil, in.Errorf(0, "fold %q: want a number from 1", record[foldAt])
			}
		}
		if a >= 0 {
			pair.A = record[a]
		}
		if b >= 0 {
			pair.B = record[b]
		}
		t.add(x, pair, fold)
	}
	return t.done()
}

// wantScores is what the header of a score file should be.
const wantScores = `"label,score,a,b,fold", of which the first two are needed`

func isFold(n int) bool { return n >= 1 && n <= 10000 }

// scoreTable collects the lines of a score file.
type scoreTable struct {
	scores []float64
	pairs  *Pairs
	folds  bool
	names  interner
}

func newScoreTable(name string) *scoreTable {
	return &scoreTable{pairs: &Pairs{Name: name, Folds: 1}, names: interner{}}
}

// add takes a line; fold counts from 1, and is 0 where the file has none.
func (t *scoreTable) add(score float64, p Pair, fold int) {
	p.A, p.B = t.names.of(p.A), t.names.of(p.B)
	if fold > 0 {
		t.folds = true
		p.Fold = fold - 1
		t.pairs.Folds = max(t.pairs.Folds, fold)
	}
	t.scores = append(t.scores, score)
	t.pairs.Pairs = append(t.pairs.Pairs, p)
}

func (t *scoreTable) done() ([]float64, *Pairs, error) {
	if !t.folds {
		t.pairs.CutFolds(view1Folds)
	}
	return t.scores, t.pairs, nil
}

// interner keeps one copy of each string: lists of millions of pairs name few images.
type interner map[string]string

func (n interner) of(s string) string {
	if s == "" {
		return ""
	}
	one, ok := n[s]
	if !ok {
		one = strings.Clone(s)
		n[one] = one
	}
	return one
}
