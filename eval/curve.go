package eval

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Curve is a ROC known only by points, such as other systems publish.
type Curve struct {
	Name    string
	FAR     []float64 // ascending
	TAR     []float64 // not descending
	Skipped int       // points left out because a value was NaN
}

// ReadCurve reads the points in the file at path; the curve is named after the file.
// See [ParseCurve].
func ReadCurve(path string) (*Curve, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c, err := ParseCurve(f, path)
	if err != nil {
		return nil, err
	}
	base := filepath.Base(path)
	c.Name = strings.TrimSuffix(base, filepath.Ext(base))
	return c, nil
}

// ParseCurve reads lines "TPR FPR", separated by blanks, tabs, commas or semicolons, from
// either end of the curve. Points with a NaN are skipped and counted; blank lines and
// lines that start with # are ignored. It is an error if a value is outside [0, 1],
// or the points lie on no ROC: the true positive rate never falls as the false
// positive rate rises.
func ParseCurve(r io.Reader, name string) (*Curve, error) {
	type point struct{ tpr, fpr float64 }
	var points []point
	c := &Curve{Name: name}
	scan := bufio.NewScanner(r)
	for line := 1; scan.Scan(); line++ {
		text := strings.TrimSpace(strings.TrimPrefix(scan.Text(), "\ufeff"))
		if text == "" || text[0] == '#' {
			continue
		}
		fields := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r,;", r) })
		if len(fields) != 2 {
			return nil, fmt.Errorf("%s:%d: %d fields; want two numbers, the true and the false positive rate", name, line, len(fields))
		}
		var v [2]float64
		for i, f := range fields {
			x, err := strconv.ParseFloat(f, 64)
			if err != nil || x < 0 || x > 1 {
				return nil, fmt.Errorf("%s:%d: %q: want a rate from 0 to 1", name, line, f)
			}
			v[i] = x
		}
		if math.IsNaN(v[0]) || math.IsNaN(v[1]) {
			c.Skipped++
			continue
		}
		points = append(points, point{v[0], v[1]})
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(points) < 2 {
		return nil, fmt.Errorf("%s: %d points; a curve has two or more", name, len(points))
	}
	slices.SortFunc(points, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.fpr, b.fpr), cmp.Compare(a.tpr, b.tpr))
	})
	for i, p := range points {
		// Published points are rounded, so a step down by a rounding is let through.
		if i > 0 && p.tpr < points[i-1].tpr-1e-3 {
			return nil, fmt.Errorf("%s: the true positive rate falls from %v to %v as the false positive rate rises to %v; are the columns swapped? want \"TPR FPR\" a line", name, points[i-1].tpr, p.tpr, p.fpr)
		}
		c.FAR, c.TAR = append(c.FAR, p.fpr), append(c.TAR, p.tpr)
	}
	return c, nil
}

// AUC returns the area under the points by the trapezoidal rule, with (0,0) and (1,1)
// added where the points do not reach them.
func (c *Curve) AUC() float64 {
	var area, x, y float64
	for i, far := range c.FAR {
		area += (far - x) * (c.TAR[i] + y) / 2
		x, y = far, c.TAR[i]
	}
	return area + (1-x)*(1+y)/2
}

// EER returns (FMR+FNMR)/2 at the point where |FMR-FNMR| is smallest.
func (c *Curve) EER() float64 {
	smallest, eer := math.Inf(1), 0.0
	for i, far := range c.FAR {
		fnmr := 1 - c.TAR[i]
		if d := math.Abs(far - fnmr); d < smallest {
			smallest, eer = d, (far+fnmr)/2
		}
	}
	return eer
}

// Curve returns the corners of the exact curve: points on a straight line between their
// neighbours are left out.
func (r *ROC) Curve(name string) *Curve {
	c := &Curve{Name: name}
	for i, p := range r.Points {
		if i > 0 && i+1 < len(r.Points) {
			a, b := r.Points[i-1], r.Points[i+1]
			if product(p.FalseAccepts-a.FalseAccepts, b.TrueAccepts-p.TrueAccepts) == product(b.FalseAccepts-p.FalseAccepts, p.TrueAccepts-a.TrueAccepts) {
				continue
			}
		}
		c.FAR, c.TAR = append(c.FAR, r.FAR(p)), append(c.TAR, r.TAR(p))
	}
	return c
}
