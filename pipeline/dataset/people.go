package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Person is an entry of a people file.
type Person struct {
	Name string
	Line int // in the file, from 1
}

// ReadPeople reads the people file at path. See [ParsePeople].
func ReadPeople(path string) ([]Person, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return nil, fmt.Errorf("%s is a folder; want a file with the name of an identity on each line", path)
	}
	return ParsePeople(f, path)
}

// ParsePeople reads the names of identities in one of two forms; file is used in errors:
//
//   - LFW's: lines "name count", separated by tabs or blanks. They may follow a header
//     with their number (peopleDevTrain.txt), or come in folds, each with such a header,
//     after a line with the number of folds (people.txt). Headers must be right; the counts
//     are not compared with anything. Without a header (lfw-names.txt) the first line
//     must have a tab.
//   - a name a line, which may have blanks inside.
//
// Blank lines, blanks at line ends, Windows line ends and a byte order mark are ignored. Names
// that come again are left out. A file without names is an error.
func ParsePeople(r io.Reader, file string) ([]Person, error) {
	p := &peopleParser{file: file}
	if err := p.read(r); err != nil {
		return nil, err
	}
	if len(p.lines) == 0 {
		return nil, fmt.Errorf("%s: empty; want the name of an identity on each line", file)
	}
	var people []Person
	var err error
	switch {
	case p.headed():
		people, err = p.sections()
	case p.lines[0].tabbed():
		people, err = p.counted(p.lines)
	default:
		for _, l := range p.lines {
			people = append(people, Person{l.text, l.number})
		}
	}
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool, len(people))
	return slices.DeleteFunc(people, func(x Person) bool {
		again := seen[x.Name]
		seen[x.Name] = true
		return again
	}), nil
}

type peopleParser struct {
	file  string
	lines []peopleLine // those that are not blank
}

type peopleLine struct {
	text   string // without blanks at its ends
	number int
}

// integer returns the line's number if there is nothing else on it.
func (l peopleLine) integer() (int, bool) {
	n, err := strconv.Atoi(l.text)
	return n, err == nil
}

// tabbed reports a line "name<tab>count".
func (l peopleLine) tabbed() bool {
	i := strings.LastIndexByte(l.text, '\t')
	if i < 0 {
		return false
	}
	_, err := strconv.Atoi(l.text[i+1:])
	return err == nil
}

func (p *peopleParser) errorf(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", p.file, line, fmt.Errorf(format, args...))
}

func (p *peopleParser) read(r io.Reader) error {
	scan := bufio.NewScanner(r)
	n := 0
	for scan.Scan() {
		n++
		text := scan.Text()
		if n == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return p.errorf(n, "not UTF-8 text; want the name of an identity on each line")
		}
		if text = strings.TrimSpace(text); text != "" {
			p.lines = append(p.lines, peopleLine{text, n})
		}
	}
	if err := scan.Err(); errors.Is(err, bufio.ErrTooLong) {
		return p.errorf(n+1, "longer than 64 KiB; want the name of an identity on each line")
	} else if err != nil {
		return fmt.Errorf("%s: %w", p.file, err)
	}
	return nil
}

// headed reports whether the file begins with LFW's header: one or two numbers alone on
// their lines, then a name with a count. A list of names that are numbers has no such line.
func (p *peopleParser) headed() bool {
	for i, l := range p.lines {
		if _, ok := l.integer(); ok && i < 2 {
			continue
		}
		_, err := p.person(l)
		return i > 0 && err == nil
	}
	return false
}

// sections reads "N" and N people, or "F" and F times that.
func (p *peopleParser) sections() ([]Person, error) {
	rest, folds, first := p.lines, 1, p.lines[0]
	if _, ok := rest[1].integer(); ok {
		if folds, _ = first.integer(); folds < 1 {
			return nil, p.errorf(first.number, "header %q: want the number of folds", first.text)
		}
		rest = rest[1:]
	}
	var people []Person
	for fold := range folds {
		if len(rest) == 0 {
			return nil, p.errorf(first.number, "the header announces %d folds; the file has %d", folds, fold)
		}
		header := rest[0]
		n, ok := header.integer()
		if !ok || n < 1 {
			return nil, p.errorf(header.number, "%q where the number of people of fold %d is wanted", header.text, fold+1)
		}
		rest = rest[1:]
		if n > len(rest) {
			return nil, p.errorf(header.number, "the header announces %d people; only %d lines follow", n, len(rest))
		}
		some, err := p.counted(rest[:n])
		if err != nil {
			return nil, err
		}
		people = append(people, some...)
		rest = rest[n:]
	}
	if len(rest) > 0 {
		return nil, p.errorf(rest[0].number, "%q follows the last of the people that the headers announce", rest[0].text)
	}
	return people, nil
}

func (p *peopleParser) counted(lines []peopleLine) ([]Person, error) {
	people := make([]Person, 0, len(lines))
	for _, l := range lines {
		x, err := p.person(l)
		if err != nil {
			return nil, err
		}
		people = append(people, x)
	}
	return people, nil
}

// person reads "name count".
func (p *peopleParser) person(l peopleLine) (Person, error) {
	i := strings.LastIndexAny(l.text, " \t")
	if i < 0 {
		return Person{}, p.errorf(l.number, "%q has no count; want a name and its number of images", l.text)
	}
	if n, err := strconv.Atoi(l.text[i+1:]); err != nil || n < 0 {
		return Person{}, p.errorf(l.number, "%q: the count %q is no whole number", l.text, l.text[i+1:])
	}
	return Person{strings.TrimSpace(l.text[:i]), l.number}, nil
}

// named returns the folders that people name. Names without a folder draw a warning, as face
// detectors lose some of a data set's people; they are an error if they are more than half: then
// the file belongs to other images.
func (w *walk) named(folders []string, people []Person, file string) ([]string, error) {
	has := make(map[string]bool, len(folders))
	for _, f := range folders {
		has[f] = true
	}
	var kept []string
	var missing []Person
	for _, x := range people {
		if has[x.Name] {
			kept = append(kept, x.Name)
		} else {
			missing = append(missing, x)
		}
	}
	slices.Sort(kept)
	if len(missing) == 0 {
		return kept, nil
	}
	first := missing[0]
	const form = "%s:%d: %s has no folder %q; the same holds of %d of the file's %d names"
	args := []any{file, first.Line, w.root, first.Name, len(missing), len(people)}
	if 2*len(missing) > len(people) {
		return nil, fmt.Errorf(form+". Want a people file of these images: LFW's, or the name of a sub-folder on each line", args...)
	}
	w.warnf(form, args...)
	return kept, nil
}
