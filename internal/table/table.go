// Package table reads CSV files whose first line names the columns.
package table

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
)

// Table is a CSV file that is read a record at a time.
type Table struct {
	name   string
	in     *csv.Reader
	header []string
}

// Open reads the header of a file, whose name stands in errors; want says there what the header should be, such
// as "the columns name and identity". A byte order mark and blanks around the names are left out.
func Open(r io.Reader, name, want string) (*Table, error) {
	in := csv.NewReader(bufio.NewReaderSize(r, 1<<16))
	in.ReuseRecord = true
	header, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: no header; want %s: %w", name, want, err)
	}
	t := &Table{name: name, in: in}
	for i, h := range header {
		if i == 0 {
			h = strings.TrimPrefix(h, "\ufeff")
		}
		t.header = append(t.header, strings.Clone(strings.TrimSpace(h)))
	}
	return t, nil
}

// Header returns the names of the columns as they are written.
func (t *Table) Header() []string { return t.header }

// Column returns the place of the first column with one of the names, which are lower case and match any
// case; -1 if there is none.
func (t *Table) Column(names ...string) int { return Find(t.header, names...) }

// Find is Table.Column in a header from elsewhere, such as a Parquet file's.
func Find(header []string, names ...string) int {
	return slices.IndexFunc(header, func(h string) bool { return slices.Contains(names, strings.ToLower(h)) })
}

// Need is Column for columns that must be there, the place of each; want is as for Open.
func (t *Table) Need(want string, names ...string) ([]int, error) {
	at := make([]int, len(names))
	for i, name := range names {
		if at[i] = t.Column(name); at[i] < 0 {
			return nil, fmt.Errorf("%s:1: the header has no column %q; want %s", t.name, name, want)
		}
	}
	return at, nil
}

// HeaderError says that the header is not what is wanted.
func (t *Table) HeaderError(want string) error {
	return fmt.Errorf("%s:1: the header is %.60q; want %s", t.name, strings.Join(t.header, ","), want)
}

// Records goes through the records, each of which is valid until the next one and has as many fields as the
// header. An error names file and line, and is the last.
func (t *Table) Records() iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for {
			record, err := t.in.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("%s: %w", t.name, err))
				return
			}
			if !yield(record, nil) {
				return
			}
		}
	}
}

// Line returns the line of field i of the record, from 1.
func (t *Table) Line(i int) int {
	line, _ := t.in.FieldPos(i)
	return line
}

// Errorf returns an error about field i of the record, with file and line.
func (t *Table) Errorf(i int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", t.name, t.Line(i), fmt.Errorf(format, args...))
}
