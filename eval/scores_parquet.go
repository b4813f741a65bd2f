package eval

import (
	"fmt"
	"math"
	"os"

	"github.com/parquet-go/parquet-go"

	"github.com/faceverify/fv/internal/parquetfile"
)

// readParquetScores reads the columns label and score, and a, b and fold where there are any. Labels
// are booleans, numbers or text, scores any kind of number. A value that is null is an error.
func readParquetScores(f *os.File) (scores []float64, pairs *Pairs, err error) {
	p, err := parquetfile.Open(f)
	if err != nil {
		return nil, nil, err
	}
	var present []string
	var at []int
	for i, column := range scoreColumns {
		if k := p.Single(column); k >= 0 {
			present, at = append(present, column), append(at, k)
		} else if i < 2 {
			return nil, nil, fmt.Errorf("%s: no column %q; want label, score, a, b and fold, of which the first two are needed", f.Name(), column)
		}
	}
	t := newScoreTable(f.Name())
	err = p.Rows(at, func(row int, values [][]parquet.Value) error {
		pair := Pair{Line: row}
		var score float64
		fold := 0
		for i, column := range present {
			v := values[i][0]
			bad := func(want string) error {
				return fmt.Errorf("%s: row %d: %s %q: want %s", f.Name(), row, column, parquetfile.Text(v), want)
			}
			switch column {
			case "label":
				var err error
				if pair.Same, err = sameOf(parquetfile.Text(v)); err != nil {
					return bad("1 (one person) or 0 (two people)")
				}
			case "score":
				x, ok := parquetfile.Number(v)
				if !ok || math.IsNaN(x) || math.IsInf(x, 0) {
					return bad("a finite number")
				}
				score = x
			case "fold":
				x, ok := parquetfile.Number(v)
				if fold = int(x); !ok || float64(fold) != x || !isFold(fold) {
					return bad("a number from 1")
				}
			case "a":
				pair.A = parquetfile.Text(v)
			case "b":
				pair.B = parquetfile.Text(v)
			}
		}
		t.add(score, pair, fold)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return t.done()
}
