package dataset

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/faceverify/fv/internal/parquetfile"
	"github.com/faceverify/fv/internal/table"
)

// list is a file that names images and says who they show.
type list struct {
	file string
	*index
}

// wantColumns is what a table should have.
const wantColumns = "the columns path and identity"

func openList(file string, o Options) (*Set, error) {
	root := o.Images
	if root == "" {
		root = filepath.Dir(file)
	} else if st, err := os.Stat(root); err != nil {
		return nil, err
	} else if !st.IsDir() {
		return nil, fmt.Errorf("%s is a file; want the folder that the paths in %s start from", root, file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", file)
	}
	l := &list{file: file, index: newIndex()}
	switch strings.ToLower(filepath.Ext(file)) {
	case ".lst":
		err = l.readLST(f)
	case ".csv":
		err = l.readCSV(f)
	default:
		err = l.readParquet(f)
	}
	if err != nil {
		return nil, err
	}
	if len(l.paths) == 0 {
		return nil, fmt.Errorf("%s: no images; it names none", file)
	}
	w := &walk{root: root, set: &Set{Root: root}}
	if err := l.look(w.set); err != nil {
		return nil, err
	}
	images := l.grouped()
	for _, of := range images {
		slices.Sort(of)
	}
	number := l.number
	l.index = nil // for the collector
	return w.fill(slices.Sorted(maps.Keys(number)), o, func(name string) []string { return images[number[name]] })
}

// look returns an error if the images seem to be elsewhere: a few that vanished are reported when they are used.
func (l *list) look(s *Set) error {
	const looked = 16 // spread over the list
	n := len(l.paths)
	for i := range min(looked, n) {
		if _, err := os.Stat(s.FileOf(l.paths[i*n/min(looked, n)])); err == nil {
			return nil
		}
	}
	first, line := s.FileOf(l.paths[0]), l.line[0]
	if pack := strings.TrimSuffix(l.file, filepath.Ext(l.file)) + ".rec"; pack != l.file {
		if _, err := os.Stat(pack); err == nil {
			return fmt.Errorf("%s:%d: there is no %s; the images are in the pack beside the list: give %s", l.file, line, first, pack)
		}
	}
	return fmt.Errorf("%s:%d: there is no %s; say with --images which folder the paths start from", l.file, line, first)
}

func (l *list) errorf(row int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", l.file, row, fmt.Errorf(format, args...))
}

// add takes an image.
func (l *list) add(row int, name, identity string) error {
	identity = strings.TrimSpace(identity)
	switch {
	case name == "":
		return l.errorf(row, "no path")
	case identity == "":
		return l.errorf(row, "%s has no identity", name)
	case strings.ContainsRune(name, 0):
		return l.errorf(row, "%q is no path", name)
	}
	name = path.Clean(filepath.ToSlash(name))
	if first, twice := l.index.add(name, identity, row); twice {
		return l.errorf(row, "%s stands on line %d already", name, first)
	}
	return nil
}

// readLST reads lines with tabs in one of two forms: MXNet's "number, label ..., path", of which the first label is the identity,
// and InsightFace's "0 or 1, path, label ...".
func (l *list) readLST(r io.Reader) error {
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 1<<20)
	row := 0
	for scan.Scan() {
		row++
		text := strings.TrimSuffix(scan.Text(), "\r")
		if strings.TrimSpace(text) == "" {
			continue
		}
		fields := strings.Split(text, "\t")
		if len(fields) < 3 {
			return l.errorf(row, "%d fields between tabs; want a number, a label and a path, or 0 or 1, a path and a label", len(fields))
		}
		name, label := fields[len(fields)-1], fields[1]
		if _, err := strconv.ParseFloat(label, 64); err != nil {
			name, label = fields[1], fields[2]
		}
		identity, err := strconv.ParseFloat(strings.TrimSpace(label), 64)
		if err != nil || identity < 0 || identity != float64(int64(identity)) {
			return l.errorf(row, "the label is %.40q; want a whole number from 0 on", label)
		}
		if err := l.add(row, name, fmt.Sprintf("%07d", int64(identity))); err != nil { // so that names sort as numbers do
			return err
		}
	}
	if err := scan.Err(); err != nil {
		return l.errorf(row+1, "%w", err)
	}
	return nil
}

// What columns may be called.
var (
	pathColumn     = []string{"path", "name", "file", "image"}
	identityColumn = []string{"identity", "label", "person"}
)

func (l *list) readCSV(r io.Reader) error {
	in, err := table.Open(r, l.file, wantColumns)
	if err != nil {
		return err
	}
	at, who := in.Column(pathColumn...), in.Column(identityColumn...)
	if at < 0 || who < 0 {
		return in.HeaderError(wantColumns)
	}
	for record, err := range in.Records() {
		if err != nil {
			return err
		}
		if err := l.add(in.Line(at), record[at], record[who]); err != nil {
			return err
		}
	}
	return nil
}

// readParquet reads the columns path and identity, which hold text or whole numbers. A row is counted from 1 in errors.
func (l *list) readParquet(f *os.File) error {
	p, err := parquetfile.Open(f)
	if err != nil {
		return err
	}
	at, who := p.Single(pathColumn...), p.Single(identityColumn...)
	if at < 0 || who < 0 {
		return fmt.Errorf("%s: the columns are %.60q; want %s", l.file, strings.Join(p.Columns(), ","), wantColumns)
	}
	return p.Rows([]int{at, who}, func(row int, v [][]parquet.Value) error {
		return l.add(row, parquetfile.Text(v[0][0]), identityText(v[1][0]))
	})
}

// identityText returns a value as text; whole numbers such that they sort.
func identityText(v parquet.Value) string {
	if !v.IsNull() {
		switch v.Kind() {
		case parquet.Int32:
			return fmt.Sprintf("%07d", v.Int32())
		case parquet.Int64: // more of them than a float64 tells apart
			return fmt.Sprintf("%07d", v.Int64())
		}
	}
	if x, ok := parquetfile.Number(v); ok && x == float64(int64(x)) {
		return fmt.Sprintf("%07d", int64(x))
	}
	return parquetfile.Text(v)
}
