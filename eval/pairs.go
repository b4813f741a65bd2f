package eval

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Pair is two images and whether they show one person.
type Pair struct {
	A, B string // slash-separated paths below the image root
	Same bool
	Fold int // 0 ... Pairs.Folds-1
	Line int // in the pairs file; 0 when there is none
}

// Pairs is a list of pairs cut in folds.
type Pairs struct {
	Name  string // the file's path, used in errors
	Pairs []Pair
	Folds int // at least 1
	// Identities says who each image shows; nil means the folder that it lies in.
	Identities map[string]string
}

// view1Folds is how many folds the pairs of a file without folds are cut in.
const view1Folds = 10

// ReadPairs reads the pairs file at path (see [ParsePairs]), or CFP's protocol if path is its folder
// Split/FF or Split/FP.
func ReadPairs(path string) (*Pairs, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return readCFP(path)
	}
	return ParsePairs(f, path)
}

// ParsePairs reads a pairs file in one of four formats; name is used in errors.
//
//   - View 2: a header "F N", then F times N genuine and N impostor lines. Every
//     2N lines are a fold.
//   - View 1: a header "N", then N genuine and N impostor lines. The file has no
//     folds: the k-th tenth of the genuine and the k-th tenth of the impostor pairs
//     are made fold k (fewer folds when N < 10).
//   - A list: lines "a b label" of two images' paths and 1 for one person or 0 for two,
//     separated by commas, semicolons, tabs or blanks; with a header the columns a, b, label and
//     fold (from 1; optional) may stand in any order. Folds are made as for View 1.
//   - CALFW's and CPLFW's: two lines "image label" are a pair, and 0 says two people. Folds are made as
//     for View 1; the name before _%04d says who an image shows.
//
// In the first two a genuine line is "name i j", an impostor line "name1 i name2 j", separated by
// tabs or blanks; image i of a person is name/name_%04d.jpg. Blank lines,
// blanks at line ends, Windows line ends and a byte order mark are ignored.
func ParsePairs(r io.Reader, name string) (*Pairs, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	start, _ := in.Peek(64 << 10) // what is wrong with the file is found when it is read
	switch l, lines := sniffList(start, name); {
	case lines:
		return pairLines{l}.parse(in)
	case l != nil:
		return l.parse(in)
	}
	p := pairsParser{name: name, scan: bufio.NewScanner(in)}
	p.scan.Buffer(make([]byte, 0, 64<<10), 1<<20)
	pairs, err := p.parse()
	if err != nil {
		return nil, err
	}
	pairs.Name = name
	return pairs, nil
}

type pairsParser struct {
	name string
	line int
	scan *bufio.Scanner
}

func (p *pairsParser) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", p.name, p.line, fmt.Errorf(format, args...))
}

// next returns the fields of the next line that is not blank, nil at the end.
func (p *pairsParser) next() ([]string, error) {
	for p.scan.Scan() {
		p.line++
		text := p.scan.Text()
		if p.line == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		if !utf8.ValidString(text) {
			return nil, p.errorf("not UTF-8 text; is this a pairs file?")
		}
		if f := strings.Fields(text); len(f) > 0 {
			return f, nil
		}
	}
	if err := p.scan.Err(); errors.Is(err, bufio.ErrTooLong) {
		p.line++
		return nil, p.errorf("line longer than 1 MiB; is this a pairs file?")
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	return nil, nil
}

func (p *pairsParser) parse() (*Pairs, error) {
	header, err := p.next()
	if err != nil {
		return nil, err
	}
	if header == nil {
		return nil, fmt.Errorf("%s: empty; a pairs file starts with \"10 300\" (folds, pairs of each kind a fold) or with one number (View 1)", p.name)
	}
	numbers := make([]int, len(header))
	for i, h := range header {
		n, err := strconv.Atoi(h)
		if err != nil || n < 1 || n > 1<<30 || len(header) > 2 {
			return nil, p.errorf("header %q: want \"10 300\" (folds, pairs of each kind a fold) or one number (View 1)", strings.Join(header, " "))
		}
		numbers[i] = n
	}
	folds, perFold := 1, numbers[0]
	if len(numbers) == 2 {
		folds, perFold = numbers[0], numbers[1]
	}
	out := &Pairs{Folds: folds}
	for fold := range folds {
		for _, same := range []bool{true, false} {
			for i := range perFold {
				pair, err := p.pair(same, fold, i, perFold)
				if err != nil {
					return nil, err
				}
				out.Pairs = append(out.Pairs, pair)
			}
		}
	}
	if extra, err := p.next(); err != nil {
		return nil, err
	} else if extra != nil {
		return nil, p.errorf("more lines than the header %q announces", strings.Join(header, " "))
	}
	if len(numbers) == 1 {
		out.CutFolds(view1Folds)
	}
	return out, nil
}

// pair reads the i-th of n lines of one kind.
func (p *pairsParser) pair(same bool, fold, i, n int) (Pair, error) {
	kind, form, fields := "genuine", "name i j", 3
	if !same {
		kind, form, fields = "impostor", "name1 i name2 j", 4
	}
	f, err := p.next()
	if err != nil {
		return Pair{}, err
	}
	if f == nil {
		return Pair{}, fmt.Errorf("%s: ends after line %d, in fold %d, where the header announces %d more %s pairs", p.name, p.line, fold+1, n-i, kind)
	}
	if len(f) != fields {
		return Pair{}, p.errorf("%d fields; line %d of %d %s pairs of fold %d has %d: %q", len(f), i+1, n, kind, fold+1, fields, form)
	}
	nameA, nameB := f[0], f[0]
	numberA, numberB := f[1], f[fields-1]
	if !same {
		nameB = f[2]
	}
	pair := Pair{Same: same, Fold: fold, Line: p.line}
	if pair.A, err = p.image(nameA, numberA); err != nil {
		return Pair{}, err
	}
	if pair.B, err = p.image(nameB, numberB); err != nil {
		return Pair{}, err
	}
	switch {
	case pair.A == pair.B:
		return Pair{}, p.errorf("pairs %s with itself", pair.A)
	case !same && nameA == nameB:
		return Pair{}, p.errorf("an impostor pair names %s twice; it should name two people", nameA)
	}
	return pair, nil
}

func (p *pairsParser) image(name, number string) (string, error) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 {
		return "", p.errorf("image number %q of %s: want a whole number", number, name)
	}
	if strings.ContainsAny(name, `/\`) || name == "." || name == ".." {
		return "", p.errorf("name %q: want the name of a folder, without path separators", name)
	}
	return fmt.Sprintf("%s/%s_%04d.jpg", name, name, n), nil
}

// Images returns the distinct images of the pairs in order of appearance.
func (p *Pairs) Images() []string {
	names := make([]string, 0, 2*len(p.Pairs))
	for _, pair := range p.Pairs {
		names = append(names, pair.A, pair.B)
	}
	return unique(names)
}

// Same returns, for every pair, whether it is genuine.
func (p *Pairs) Same() []bool {
	same := make([]bool, len(p.Pairs))
	for i, pair := range p.Pairs {
		same[i] = pair.Same
	}
	return same
}

// FoldOf returns the fold of every pair.
func (p *Pairs) FoldOf() []int {
	folds := make([]int, len(p.Pairs))
	for i, pair := range p.Pairs {
		folds[i] = pair.Fold
	}
	return folds
}
