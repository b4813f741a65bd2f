package matrix

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/internal/parquetfile"
)

// Parts are the embeddings of a long piece of work as far as it has come: a folder FILE.parts beside the
// file that it will be, with a Parquet file for some images after the other. Each is whole or not there, so
// a stop at any moment loses what came after the last one, and no more.
type Parts struct {
	Dir   string
	Names []string // of the images that are done, in their order
	files int
}

// PartRow is what became of one image: a vector, or a problem with reading it.
type PartRow struct {
	Name     string    `parquet:"name"`
	Identity string    `parquet:"identity,dict"`
	Vector   []float32 `parquet:"vector"`
	Norm     float64   `parquet:"norm"`
	Problem  string    `parquet:"problem"`
}

// OtherPartsError is the error of parts that other work left: another model, say.
type OtherPartsError struct{ Dir, Left, Wanted string }

func (e *OtherPartsError) Error() string {
	return fmt.Sprintf("%s holds the parts of other work: %s, not %s", e.Dir, e.Left, e.Wanted)
}

// about is the file that says what the parts are of.
const about = "about.txt"

// OpenParts makes the folder of parts of the file at path, or opens the one that is there. what says what
// is embedded, with which model and how, in one line; it must be that of the parts that are there.
func OpenParts(path, what string) (*Parts, error) {
	p := &Parts{Dir: path + ".parts"}
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return nil, err
	}
	left, err := os.ReadFile(filepath.Join(p.Dir, about))
	switch {
	case !exists(p.file(0)):
		return p, atomicfile.WriteBytes(filepath.Join(p.Dir, about), []byte(what))
	case err != nil:
		return nil, err
	case strings.TrimSpace(string(left)) != what:
		return nil, &OtherPartsError{p.Dir, strings.TrimSpace(string(left)), what}
	}
	for exists(p.file(p.files)) {
		p.files++
	}
	for row, err := range p.Rows() {
		if err != nil {
			return nil, err
		}
		p.Names = append(p.Names, row.Name)
	}
	return p, nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return !errors.Is(err, fs.ErrNotExist)
}

func (p *Parts) file(i int) string { return filepath.Join(p.Dir, fmt.Sprintf("%07d.parquet", i+1)) }

// Add writes one more part.
func (p *Parts) Add(rows []PartRow) error {
	err := atomicfile.Write(p.file(p.files), func(w io.Writer) error {
		return parquet.Write(w, rows)
	})
	if err != nil {
		return err
	}
	p.files++
	for _, r := range rows {
		p.Names = append(p.Names, r.Name)
	}
	return nil
}

// Rows goes through all rows, of which it holds those of one part.
func (p *Parts) Rows() iter.Seq2[PartRow, error] {
	return func(yield func(PartRow, error) bool) {
		for i := range p.files {
			rows, err := readPart(p.file(i))
			if err != nil {
				yield(PartRow{}, fmt.Errorf("%s: %w", p.file(i), err))
				return
			}
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

func readPart(file string) (rows []PartRow, err error) {
	defer parquetfile.Recover(file, &err)
	return parquet.ReadFile[PartRow](file)
}

// Remove removes the folder.
func (p *Parts) Remove() error { return os.RemoveAll(p.Dir) }
