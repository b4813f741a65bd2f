package align

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Entry is the landmarks of a photograph.
type Entry struct {
	Path      string // slash-separated, below the folder of the photographs
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

// Parse reads landmarks in one of two forms, each with the path of a photograph and x and y of the five in their order; name is used in errors:
//
//   - a table with commas, with a header or without; the path may not have commas.
//   - as they are published for LFW and CASIA-WebFace: separated by tabs or blanks, perhaps with a label between the path and the numbers.
//
// A path that leads out of the folder, or stands there twice, is an error.
func Parse(r io.Reader, name string) ([]Entry, error) {
	var entries []Entry
	seen := map[string]int{}
	scan := bufio.NewScanner(r)
	for line := 1; scan.Scan(); line++ {
		text := strings.TrimSpace(strings.TrimPrefix(scan.Text(), "\ufeff"))
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
		if e.Line = line; !filepath.IsLocal(filepath.FromSlash(e.Path)) {
			return nil, fmt.Errorf("%s:%d: %q leads out of the folder of photographs", name, line, e.Path)
		}
		if first, ok := seen[e.Path]; ok {
			return nil, fmt.Errorf("%s:%d: %s stands on line %d already; want one face of each photograph", name, line, e.Path, first)
		}
		seen[e.Path] = line
		entries = append(entries, e)
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%s: no landmarks; want lines of a path and x and y of two eyes, nose and two corners of the mouth", name)
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
	for i, c := range cells[n:] {
		v, err := strconv.ParseFloat(strings.TrimSpace(c), 64)
		if err != nil || math.IsNaN(v) || math.Abs(v) > 1e6 {
			return e, fmt.Errorf("%.40q is no coordinate", c)
		}
		if p := &e.Landmarks[i/2]; i%2 == 0 {
			p.X = v
		} else {
			p.Y = v
		}
	}
	e.Path = path.Clean(filepath.ToSlash(strings.TrimSpace(cells[0])))
	return e, nil
}
