package eval

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/faceverify/fv/internal/parquetfile"
)

// readParquetScores reads the columns label and score, and a, b and fold where there are any. Labels
// are booleans, numbers or text, scores any kind of number. A value that is null is an error.
func readParquetScores(f *os.File) (scores []float64, pairs *Pairs, err error) {
	p, err := openParquet(f)
	if err != nil {
		return nil, nil, err
	}
	var present []string
	for i, column := range scoreColumns {
		if p.has(column) {
			present = append(present, column)
		} else if i < 2 {
			return nil, nil, fmt.Errorf("%s: no column %q; want label, score, a, b and fold, of which the first two are needed", p.name, column)
		}
	}
	t := newScoreTable(p.name)
	err = p.rows(present, func(row int, v []parquet.Value) error {
		pair := Pair{Line: row}
		var score float64
		fold := 0
		for i, column := range present {
			bad := func(want string) error {
				return fmt.Errorf("%s: row %d: %s %q: want %s", p.name, row, column, valueText(v[i]), want)
			}
			switch column {
			case "label":
				var err error
				if pair.Same, err = sameOf(valueText(v[i])); err != nil {
					return bad("1 (one person) or 0 (two people)")
				}
			case "score":
				x, ok := number(v[i])
				if !ok || math.IsNaN(x) || math.IsInf(x, 0) {
					return bad("a finite number")
				}
				score = x
			case "fold":
				x, ok := number(v[i])
				if fold = int(x); !ok || float64(fold) != x || !isFold(fold) {
					return bad("a number from 1")
				}
			case "a":
				pair.A = valueText(v[i])
			case "b":
				pair.B = valueText(v[i])
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

// parquetFile is a Parquet file whose columns are read side by side.
type parquetFile struct {
	name string
	file *parquet.File
}

func openParquet(f *os.File) (*parquetFile, error) {
	file, err := parquetfile.Open(f)
	if err != nil {
		return nil, err
	}
	return &parquetFile{f.Name(), file}, nil
}

// has reports whether there is a column of single values of this name.
func (p *parquetFile) has(column string) bool {
	leaf, ok := p.file.Schema().Lookup(column)
	return ok && leaf.Node.Leaf() && !leaf.Node.Repeated()
}

// columns returns the names of all columns.
func (p *parquetFile) columns() []string {
	var names []string
	for _, path := range p.file.Schema().Columns() {
		names = append(names, strings.Join(path, "."))
	}
	return names
}

// rows calls each with the values of the columns of every row; rows count from 1.
func (p *parquetFile) rows(columns []string, each func(row int, values []parquet.Value) error) (err error) {
	defer parquetfile.Recover(p.name, &err)
	row := 0
	for _, group := range p.file.RowGroups() {
		values := make([][]parquet.Value, len(columns))
		for i, column := range columns {
			leaf, _ := p.file.Schema().Lookup(column)
			if values[i], err = chunkValues(group.ColumnChunks()[leaf.ColumnIndex]); err != nil {
				return fmt.Errorf("%s: column %s: %w", p.name, column, err)
			}
			if n := int(group.NumRows()); len(values[i]) != n {
				return fmt.Errorf("%s: column %s has %d values in a group of %d rows", p.name, column, len(values[i]), n)
			}
		}
		one := make([]parquet.Value, len(columns))
		for k := range int(group.NumRows()) {
			for i := range columns {
				one[i] = values[i][k]
			}
			row++
			if err := each(row, one); err != nil {
				return err
			}
		}
	}
	return nil
}

func chunkValues(chunk parquet.ColumnChunk) (values []parquet.Value, err error) {
	pages := chunk.Pages()
	defer func() { err = errors.Join(err, pages.Close()) }()
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return values, nil
		} else if err != nil {
			return nil, err
		}
		n := len(values)
		// In pieces: how many values a page has is what the file says.
		for reader := page.Values(); err == nil; {
			values = slices.Grow(values, 4096)
			var read int
			read, err = reader.ReadValues(values[len(values):min(cap(values), len(values)+4096)])
			values = values[:len(values)+read]
			if read == 0 && err == nil {
				err = io.ErrNoProgress
			}
		}
		if !errors.Is(err, io.EOF) {
			return nil, err
		}
		for i := n; i < len(values); i++ {
			values[i] = values[i].Clone() // the page's memory is used again
		}
		parquet.Release(page)
	}
}

// valueText is a value as a CSV file would have it; a number that is whole has no point.
func valueText(v parquet.Value) string {
	switch {
	case v.IsNull():
		return ""
	case v.Kind() == parquet.ByteArray || v.Kind() == parquet.FixedLenByteArray:
		return string(v.ByteArray())
	case v.Kind() == parquet.Boolean:
		return fmt.Sprint(v.Boolean())
	}
	if x, ok := number(v); ok {
		return fmt.Sprint(x)
	}
	return v.String()
}

func number(v parquet.Value) (float64, bool) {
	if v.IsNull() {
		return 0, false
	}
	switch v.Kind() {
	case parquet.Int32:
		return float64(v.Int32()), true
	case parquet.Int64:
		return float64(v.Int64()), true
	case parquet.Float:
		return float64(v.Float()), true
	case parquet.Double:
		return v.Double(), true
	}
	return 0, false
}
