package eval

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// listForms says what a list of pairs looks like.
const listForms = `lines "a b label" (two images, 1 for one person or 0 for two), separated by commas, tabs or blanks, with or without a header that names a, b, label and perhaps fold`

// pairList reads lists of pairs: columns a, b, label and perhaps fold.
type pairList struct {
	name  string
	comma rune // 0: blanks and tabs
	at    map[string]int
}

func (l *pairList) errorf(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: "+format, append([]any{l.name, line}, args...)...)
}

// sniffList looks at the first line that is not blank: nil if that begins neither a list nor, where
// lines is true, one of lines two of which are a pair.
func sniffList(start []byte, name string) (l *pairList, lines bool) {
	for line := range strings.Lines(string(start)) {
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if line == "" {
			continue
		}
		l = &pairList{name: name}
		fields := strings.Fields(line)
		for _, comma := range ",;\t" {
			if strings.Count(line, string(comma)) >= 2 {
				l.comma = comma
				fields = strings.Split(line, string(comma))
				break
			}
		}
		at := map[string]int{}
		for i, f := range fields {
			at[strings.ToLower(strings.Trim(f, " \""))] = i
		}
		_, hasA := at["a"]
		_, hasB := at["b"]
		_, hasLabel := at["label"]
		if hasA && hasB && hasLabel {
			l.at = at
			return l, false
		}
		if n := len(fields); n == 3 || n == 4 {
			// One or two numbers are LFW's header; three are two templates and a label.
			if _, err := sameOf(fields[2]); err == nil && isNumber(fields[0]) == isNumber(fields[1]) {
				return l, false
			}
		}
		if sniffLines(fields) {
			return l, true
		}
		return nil, false
	}
	return nil, false
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

// sameOf reads a label.
func sameOf(label string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(label)) {
	case "1", "true":
		return true, nil
	case "0", "false":
		return false, nil
	}
	return false, fmt.Errorf("label %q: want 1 (one person) or 0 (two people)", label)
}

// parse reads the list; without folds the k-th tenth of each kind is fold k.
func (l *pairList) parse(r io.Reader) (*Pairs, error) {
	pairs := &Pairs{Name: l.name, Folds: 1}
	next := l.records(r)
	if l.at != nil {
		if _, _, err := next(); err != nil {
			return nil, err
		}
	} else {
		l.at = map[string]int{"a": 0, "b": 1, "label": 2}
	}
	a, b, label := l.at["a"], l.at["b"], l.at["label"]
	foldColumn, hasFolds := l.at["fold"]
	names := interner{}
	need := slices.Max([]int{a, b, label, foldColumn}) + 1
	for {
		f, line, err := next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		bad := func(format string, args ...any) error { return l.errorf(line, format, args...) }
		if len(f) < need {
			return nil, bad("%d fields; want %s", len(f), listForms)
		}
		p := Pair{A: names.of(imagePath(f[a])), B: names.of(imagePath(f[b])), Line: line}
		if p.Same, err = sameOf(f[label]); err != nil {
			return nil, bad("%w", err)
		}
		if p.A == "" || p.B == "" {
			return nil, bad("an image has no name")
		}
		if p.A == p.B {
			return nil, bad("pairs %s with itself", p.A)
		}
		if hasFolds {
			fold, err := strconv.Atoi(strings.TrimSpace(f[foldColumn]))
			if err != nil || !isFold(fold) {
				return nil, bad("fold %q: want a number from 1", f[foldColumn])
			}
			p.Fold = fold - 1
			pairs.Folds = max(pairs.Folds, fold)
		}
		pairs.Pairs = append(pairs.Pairs, p)
	}
	if len(pairs.Pairs) == 0 {
		return nil, fmt.Errorf("%s: no pairs; want %s", l.name, listForms)
	}
	if !hasFolds {
		pairs.CutFolds(view1Folds)
	}
	return pairs, nil
}

// imagePath is the slash-separated path of an image as a list names it.
func imagePath(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	return path.Clean(strings.ReplaceAll(s, `\`, "/"))
}

// records returns a function that returns the fields of the next line that is not blank, and its number.
func (l *pairList) records(r io.Reader) func() ([]string, int, error) {
	if l.comma != 0 {
		in := csv.NewReader(r)
		in.Comma, in.FieldsPerRecord, in.TrimLeadingSpace, in.ReuseRecord = l.comma, -1, true, true
		return func() ([]string, int, error) {
			f, err := in.Read()
			if err != nil && !errors.Is(err, io.EOF) {
				err = fmt.Errorf("%s: %w", l.name, err)
			}
			if err != nil {
				return nil, 0, err
			}
			line, _ := in.FieldPos(0)
			for _, s := range f {
				if !utf8.ValidString(s) {
					return nil, 0, fmt.Errorf("%s:%d: not UTF-8 text", l.name, line)
				}
			}
			return f, line, nil
		}
	}
	p := pairsParser{name: l.name, scan: bufio.NewScanner(r)}
	p.scan.Buffer(make([]byte, 0, 64<<10), 1<<20)
	return func() ([]string, int, error) {
		f, err := p.next()
		if err == nil && f == nil {
			err = io.EOF
		}
		return f, p.line, err
	}
}
