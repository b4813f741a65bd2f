package pipeline

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// quarantine is the list of images that could not be read. Any goroutine may add to it.
type quarantine struct {
	path string // "": no file is written

	mu    sync.Mutex
	lines []string // "path: what is wrong"
	known map[string]bool
	told  int // lines that news has returned
}

// add takes an image that could not be read. Each is taken once.
func (q *quarantine) add(path string, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	name := onOneLine(path)
	if q.known[name] {
		return
	}
	if q.known == nil {
		q.known = map[string]bool{}
	}
	q.known[name] = true
	what := strings.ReplaceAll(err.Error(), path, name)
	what = strings.TrimPrefix(what, name+": ")
	q.lines = append(q.lines, name+": "+strings.ReplaceAll(what, "\n", " "))
}

// onOneLine returns a path as it is, or quoted if it has line breaks or other characters that a list or a terminal would not show.
func onOneLine(path string) string {
	if utf8.ValidString(path) && !strings.ContainsFunc(path, unicode.IsControl) {
		return path
	}
	return strconv.Quote(path)
}

// news returns the lines that are new since it was called last, after writing the file if
// there are any: sorted, as the order in which images are found depends on the threads.
func (q *quarantine) news() ([]string, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.told == len(q.lines) {
		return nil, nil
	}
	news := slices.Sorted(slices.Values(q.lines[q.told:]))
	q.told = len(q.lines)
	if q.path == "" {
		return nil, nil
	}
	return news, writeList(q.path, slices.Sorted(slices.Values(q.lines)))
}

func (q *quarantine) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.lines)
}

// read takes the lines of a run that is resumed from its file, if there is one.
func (q *quarantine) read() error {
	if q.path == "" {
		return nil
	}
	text, err := os.ReadFile(q.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.known = map[string]bool{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		q.lines = append(q.lines, line)
		// What is before any ": " may be the path: it, or the reason, may hold others.
		for at := range line {
			if strings.HasPrefix(line[at:], ": ") {
				q.known[line[:at]] = true
			}
		}
	}
	q.told = len(q.lines)
	return err
}
