package photos

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/faceverify/fv/pipeline/align"
	"github.com/faceverify/fv/pipeline/align/detect"
)

// Outcome is what became of a face or, where there is none, of a photograph.
type Outcome string

// The outcomes.
const (
	Aligned    Outcome = "aligned"
	Profile    Outcome = "profile"    // landmarks are those of a face from the side
	Small      Outcome = "small"      // left out: fewer pixels than wanted
	None       Outcome = "none"       // no face, or landmarks that are none
	Unreadable Outcome = "unreadable" // no image
)

// Row is a face, or a photograph without one.
type Row struct {
	Path      string // of the photograph, below its folder
	Crop      string // below the folder of the crops; "" if none was written
	Outcome   Outcome
	Faces     int     // in the photograph, all told
	Score     float64 // by the detector; 0 of landmarks from a file
	Side      float64 // pixels of the photograph that the crop's height spans; 0 without a face
	Box       detect.Box
	Landmarks align.Landmarks
	Problem   string // why there is no crop, where the outcome does not say it

	Others []detect.Box // faces of the photograph that were not chosen, to whole pixels
}

// hasFace reports whether there are landmarks.
func (r *Row) hasFace() bool { return r.Landmarks != align.Landmarks{} }

// columns of the table.
var columns = []string{"path", "crop", "outcome", "faces", "score", "side", "left", "top", "right", "bottom", "x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4", "x5", "y5", "others", "problem"}

// numbers returns the row's numbers in the order of the columns from score on.
func (r *Row) numbers() []*float64 {
	list := []*float64{&r.Score, &r.Side, &r.Box.Left, &r.Box.Top, &r.Box.Right, &r.Box.Bottom}
	for i := range r.Landmarks {
		list = append(list, &r.Landmarks[i].X, &r.Landmarks[i].Y)
	}
	return list
}

// WriteRows writes the table as CSV. What is not known is empty. Numbers are written so that they are read back to the bit.
func WriteRows(w io.Writer, rows []Row) error {
	table := csv.NewWriter(w)
	if err := table.Write(columns); err != nil {
		return err
	}
	for _, r := range rows {
		cells := []string{r.Path, r.Crop, string(r.Outcome), strconv.Itoa(r.Faces)}
		for i, v := range r.numbers() {
			known := r.hasFace()
			switch {
			case i == 0:
				known = r.Score > 0
			case i >= 2 && i < 6:
				known = r.Box != detect.Box{}
			}
			text := ""
			if known {
				text = strconv.FormatFloat(*v, 'f', -1, 64)
			}
			cells = append(cells, text)
		}
		if err := table.Write(append(cells, boxesText(r.Others), r.Problem)); err != nil {
			return err
		}
	}
	table.Flush()
	return table.Error()
}

// readRows reads the table of an earlier run; none is no rows.
func readRows(path string) ([]Row, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	table := csv.NewReader(f)
	table.FieldsPerRecord = len(columns)
	var rows []Row
	for line := 1; ; line++ {
		cells, err := table.Read()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if line == 1 {
			continue
		}
		r := Row{Path: cells[0], Crop: cells[1], Outcome: Outcome(cells[2]), Problem: cells[len(cells)-1]}
		bad := !readBoxes(&r.Others, cells[len(cells)-2])
		if r.Faces, err = strconv.Atoi(cells[3]); err != nil {
			bad = true
		}
		for i, v := range r.numbers() {
			if text := cells[4+i]; text != "" {
				*v, err = strconv.ParseFloat(text, 64)
				bad = bad || err != nil
			}
		}
		if bad {
			return nil, fmt.Errorf("%s: row %d has a cell that is no number", path, line)
		}
		rows = append(rows, r)
	}
}

// boxesText writes boxes into one cell: left top right bottom, with semicolons between them.
func boxesText(boxes []detect.Box) string {
	var list []string
	for _, b := range boxes {
		list = append(list, fmt.Sprintf("%.0f %.0f %.0f %.0f", b.Left, b.Top, b.Right, b.Bottom))
	}
	return strings.Join(list, "; ")
}

// readBoxes undoes boxesText, and reports whether it could.
func readBoxes(dst *[]detect.Box, text string) bool {
	if text == "" {
		return true
	}
	for part := range strings.SplitSeq(text, ";") {
		var b detect.Box
		if n, err := fmt.Sscan(part, &b.Left, &b.Top, &b.Right, &b.Bottom); n != 4 || err != nil {
			return false
		}
		*dst = append(*dst, b)
	}
	return true
}
