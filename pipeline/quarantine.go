package pipeline

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// quarantine is the list of images that could not be read. Any goroutine may add to it.
type quarantine struct {
	path string

	mu    sync.Mutex
	lines []string // "path: what is wrong"
	known map[string]bool
	told  int // lines that news has returned
}

// add takes an image that could not be read. Each is taken once.
func (q *quarantine) add(path string, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.known[path] {
		return
	}
	if q.known == nil {
		q.known = map[string]bool{}
	}
	q.known[path] = true
	what := strings.TrimPrefix(err.Error(), path+": ")
	q.lines = append(q.lines, path+": "+strings.ReplaceAll(what, "\n", " "))
}

// news returns the lines that are new since it was called last, after writing the file if
// there are any.
func (q *quarantine) news() ([]string, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.told == len(q.lines) {
		return nil, nil
	}
	news := q.lines[q.told:]
	q.told = len(q.lines)
	return news, writeList(q.path, q.lines)
}

func (q *quarantine) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.lines)
}

// read takes the lines of a run that is resumed from its file, if there is one.
func (q *quarantine) read() error {
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
