// Package parquetfile reads columns of Parquet files from others: each writer nests lists in its own way, and the
// library panics on some damaged files.
package parquetfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/faceverify/fv/internal/table"
)

// File is a Parquet file whose columns are read side by side.
type File struct {
	name   string
	source *os.File
	file   *parquet.File
	leaves []*parquet.Column
}

// Open opens the Parquet file f. An error names it.
func Open(f *os.File) (_ *File, err error) {
	defer Recover(f.Name(), &err)
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(f, st.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: not a whole Parquet file: %w", f.Name(), err)
	}
	p := &File{name: f.Name(), source: f, file: file}
	p.add(file.Root())
	return p, nil
}

// add takes the leaves of a column. The schema's own list of them has not whole paths where lists are nested.
func (f *File) add(c *parquet.Column) {
	if c.Leaf() {
		f.leaves = append(f.leaves, c)
	}
	for _, child := range c.Columns() {
		f.add(child)
	}
}

// Recover turns a panic of the library into an error that names the file. It is to be deferred.
func Recover(name string, err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%s: not a whole Parquet file: %v", name, r)
	}
}

// Columns returns the names of all columns; what is nested in another has its name after a dot.
func (f *File) Columns() []string {
	names := make([]string, len(f.leaves))
	for i, leaf := range f.leaves {
		names[i] = strings.TrimSpace(strings.TrimPrefix(strings.Join(leaf.Path(), "."), "\ufeff"))
	}
	return names
}

// Single returns the place of the first column with one value in each row and one of the names, which are lower case
// and match any case; -1 if there is none.
func (f *File) Single(names ...string) int {
	columns := f.Columns()
	for i, leaf := range f.leaves {
		if len(leaf.Path()) > 1 || leaf.MaxRepetitionLevel() > 0 {
			columns[i] = ""
		}
	}
	return table.Find(columns, names...)
}

// List returns the place of the column of a name that has a list of numbers in each row, however it is nested: as
// NAME alone, or as NAME.list.element and its like. It is -1 if there is none.
func (f *File) List(name string) int {
	return slices.IndexFunc(f.leaves, func(leaf *parquet.Column) bool {
		return strings.EqualFold(leaf.Path()[0], name) && leaf.MaxRepetitionLevel() == 1 && isNumber(leaf.Type().Kind())
	})
}

// Rows calls each with the values of some columns in every row, which are valid until the next one; rows count from 1. A list that is
// empty or null is one null.
func (f *File) Rows(columns []int, each func(row int, values [][]parquet.Value) error) (err error) {
	defer Recover(f.name, &err)
	if n, size := f.file.NumRows(), f.file.Size(); n > rowsPerByte*size+someMore {
		return fmt.Errorf("%s: it announces %d rows, in %d bytes", f.name, n, size)
	}
	row := 0
	for g, group := range f.file.RowGroups() {
		for _, column := range columns {
			if err := f.checkPages(g, column); err != nil {
				return fmt.Errorf("%s: column %s: %w", f.name, f.Columns()[column], err)
			}
		}
		if err := f.rowsOf(group, columns, &row, each); err != nil {
			return err
		}
	}
	return nil
}

// rowsOf is Rows of one group; row is the number of those before.
func (f *File) rowsOf(group parquet.RowGroup, columns []int, row *int, each func(int, [][]parquet.Value) error) (err error) {
	cursors := make([]cursor, len(columns))
	for i, column := range columns {
		cursors[i] = cursor{pages: group.ColumnChunks()[f.leaves[column].Index()].Pages(), list: f.leaves[column].MaxRepetitionLevel() > 0}
		defer cursors[i].close()
	}
	values := make([][]parquet.Value, len(columns))
	for range group.NumRows() {
		*row++
		for i := range cursors {
			if values[i], err = cursors[i].next(); errors.Is(err, io.EOF) {
				return fmt.Errorf("%s: column %s ends before row %d, and the file announces %d", f.name, f.Columns()[columns[i]], *row, f.file.NumRows())
			} else if err != nil {
				return fmt.Errorf("%s: row %d: column %s: %w", f.name, *row, f.Columns()[columns[i]], err)
			}
		}
		if err := each(*row, values); err != nil {
			return err
		}
	}
	return nil
}
