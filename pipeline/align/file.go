package align

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/faceverify/fv/internal/table"
)

// Entry is the landmarks of a face in a photograph.
type Entry struct {
	Path      string // of the photograph: slash-separated, below their folder
	Crop      string // where the face is to be written, below the folder of the crops; "" if the file does not say
	Landmarks Landmarks
	Line      int // in the file, from 1
}

// numbers of five landmarks.
const numbers = 10

// Read reads the landmarks in the file at path. See [Parse].
func Read(path string) ([]Entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Parse(f, path)
}

// Parse reads landmarks in one of three forms, each with the path of a photograph and x and y of the five in their order; name is used in errors:
//
//   - a CSV table whose header names the columns path and x1, y1 ... x5, y5, as fv-train align writes it. Others are passed over, but for crop, where the
//     face is to be written. Rows without landmarks, or without a crop where there is that column, are left out.
//   - lines of a path and ten numbers with commas, with any header or without; the path may not have commas.
//   - as they are published for LFW and CASIA-WebFace: separated by tabs or blanks, perhaps with a label between the path and the numbers.
//
// A path that leads out of its folder is an error, and so is one that stands there twice, unless the crops differ.
func Parse(r io.Reader, name string) ([]Entry, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	first, _ := in.Peek(1 << 12)
	var entries []Entry
	var err error
	if isTable(first) {
		entries, err = parseTable(in, name)
	} else {
		entries, err = parseLines(in, name)
	}
	if err != nil {
		return nil, err
	}
	seen := map[string]int{}
	for _, e := range entries {
		key, what, want := e.Path, e.Path, "one face of each photograph"
		if e.Crop != "" {
			key, what, want = "crop "+e.Crop, "the crop "+e.Crop, "another name for each"
		}
		for _, p := range []string{e.Path, e.Crop} {
			if p != "" && !filepath.IsLocal(filepath.FromSlash(p)) {
				return nil, fmt.Errorf("%s:%d: %q leads out of its folder", name, e.Line, p)
			}
		}
		if first, ok := seen[key]; ok {
			return nil, fmt.Errorf("%s:%d: %s stands on line %d already; want %s", name, e.Line, what, first, want)
		}
		seen[key] = e.Line
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%s: no landmarks; want lines of a path and x and y of two eyes, nose and two corners of the mouth", name)
	}
	return entries, nil
}

const byteOrderMark = "\ufeff"

// wantColumns is what the header of a table should be.
const wantColumns = "the columns path and x1, y1 ... x5, y5"

// columnNames returns path, x1, y1 ... x5, y5.
func columnNames() []string {
	names := []string{"path"}
	for i := range numbers {
		names = append(names, fmt.Sprintf("%c%d", "xy"[i%2], 1+i/2))
	}
	return names
}

// isTable reports whether the beginning of a file is the header of a table.
func isTable(begin []byte) bool {
	header, err := table.Open(bytes.NewReader(begin), "", wantColumns)
	if err != nil {
		return false
	}
	_, err = header.Need(wantColumns, columnNames()...)
	return err == nil
}

// parseTable reads the rows of a table with a header.
func parseTable(r io.Reader, name string) ([]Entry, error) {
	in, err := table.Open(r, name, wantColumns)
	if err != nil {
		return nil, err
	}
	at, err := in.Need(wantColumns, columnNames()...)
	if err != nil {
		return nil, err
	}
	cropAt := in.Column("crop")
	var entries []Entry
	for row, err := range in.Records() {
		if err != nil {
			return nil, err
		}
		e := Entry{Line: in.Line(0)}
		var cells []string
		for _, c := range at[1:] {
			cells = append(cells, row[c])
		}
		if cropAt >= 0 {
			e.Crop = cleanPath(row[cropAt])
		}
		if cropAt >= 0 && e.Crop == "" || strings.TrimSpace(strings.Join(cells, "")) == "" {
			continue
		}
		if e.Path = cleanPath(row[at[0]]); e.Path == "" {
			return nil, in.Errorf(0, "the path is empty")
		}
		if err := e.Landmarks.set(cells); err != nil {
			return nil, in.Errorf(0, "%w", err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// cleanPath returns a path as it is compared; "" if there is none.
func cleanPath(cell string) string {
	cell = strings.TrimSpace(cell)
	if cell == "" {
		return ""
	}
	return path.Clean(filepath.ToSlash(cell))
}

// parseLines reads the other forms.
func parseLines(r io.Reader, name string) ([]Entry, error) {
	var entries []Entry
	scan := bufio.NewScanner(r)
	line := 1
	for ; scan.Scan(); line++ {
		text := strings.TrimSpace(strings.TrimPrefix(scan.Text(), byteOrderMark))
		if text == "" {
			continue
		}
		e, err := entry(text)
		if err != nil {
			if header(line, text) {
				continue
			}
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		e.Line = line
		entries = append(entries, e)
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", name, line, err)
	}
	return entries, nil
}

// header reports whether the first line names columns: none of its cells is a number.
func header(line int, text string) bool {
	cells := strings.Split(text, ",")
	if line != 1 || len(cells) != 1+numbers {
		return false
	}
	for _, c := range cells {
		if _, err := strconv.ParseFloat(strings.TrimSpace(c), 64); err == nil {
			return false
		}
	}
	return true
}

func entry(text string) (e Entry, err error) {
	var cells []string
	switch {
	case strings.Contains(text, ","):
		cells = strings.Split(text, ",")
	case strings.Contains(text, "\t"):
		cells = strings.Split(text, "\t")
	default:
		cells = strings.Fields(text)
	}
	n := len(cells) - numbers
	if n != 1 && n != 2 {
		return e, fmt.Errorf("%d fields; want a path and %d numbers, x and y of two eyes, nose and two corners of the mouth", len(cells), numbers)
	}
	if e.Path = cleanPath(cells[0]); e.Path == "" {
		return e, errors.New("the path is empty")
	}
	return e, e.Landmarks.set(cells[n:])
}

// set takes x and y of the five from text.
func (l *Landmarks) set(cells []string) error {
	for i, c := range cells {
		v, err := strconv.ParseFloat(strings.TrimSpace(c), 64)
		if err != nil || math.IsNaN(v) || math.Abs(v) > 1e6 {
			return fmt.Errorf("%.40q is no coordinate", c)
		}
		if p := &l[i/2]; i%2 == 0 {
			p.X = v
		} else {
			p.Y = v
		}
	}
	return nil
}
