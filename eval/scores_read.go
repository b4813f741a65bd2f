package eval

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	in, at, err := openTable(r, name)
	if err != nil {
		return nil, nil, err
	}
	for _, column := range scoreColumns[:2] {
		if _, ok := at[column]; !ok {
			return nil, nil, fmt.Errorf("%s:1: the header has no column %q; want \"label,score,a,b,fold\", of which the first two are needed", name, column)
		}
	}
	t := newScoreTable(name)
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		line, _ := in.FieldPos(0)
		bad := func(column, want string) error {
			return fmt.Errorf("%s:%d: %s %q: want %s", name, line, column, record[at[column]], want)
		}
		pair := Pair{Line: line}
		if pair.Same, err = sameOf(record[at["label"]]); err != nil {
			return nil, nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		score, err := strconv.ParseFloat(strings.TrimSpace(record[at["score"]]), 64)
		if err != nil || math.IsNaN(score) || math.IsInf(score, 0) {
			return nil, nil, bad("score", "a finite number")
		}
		fold := 0
		if i, ok := at["fold"]; ok {
			fold, err = strconv.Atoi(strings.TrimSpace(record[i]))
			if err != nil || !isFold(fold) {
				return nil, nil, bad("fold", "a number from 1")
			}
		}
		if i, ok := at["a"]; ok {
			pair.A = record[i]
		}
		if i, ok := at["b"]; ok {
			pair.B = record[i]
		}
		t.add(score, pair, fold)
	}
	return t.done()
}

// openTable reads the header of a CSV file, and says at which place each column is.
func openTable(r io.Reader, name string) (*csv.Reader, map[string]int, error) {
	in := csv.NewReader(r)
	in.ReuseRecord = true
	header, err := in.Read()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: no header; want \"label,score,a,b,fold\", of which the first two are needed: %w", name, err)
	}
	at := map[string]int{}
	for i, h := range header {
		at[strings.ToLower(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")))] = i
	}
	return in, at, nil
}

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
