package photos

import (
	"cmp"
	"fmt"
	"image"
	"slices"

	"github.com/faceverify/fv/pipeline/align/detect"
)

// Choice says which of a photograph's faces are cut out.
type Choice string

// The choices.
const (
	Main    Choice = "main"    // large and central: the area less twice the square of the distance from the middle, as InsightFace chooses
	Largest Choice = "largest" // the largest box
	Centre  Choice = "centre"  // the box whose middle is nearest to the photograph's
	All     Choice = "all"     // each
)

// Choices are all choices.
var Choices = []Choice{Main, Largest, Centre, All}

func (c Choice) check() error {
	if !slices.Contains(Choices, c) {
		return fmt.Errorf("there is no choice %q of faces; there are %v", c, Choices)
	}
	return nil
}

// rank returns a number that is larger for a face to be preferred.
func (c Choice) rank(f *detect.Face, frame image.Point) float64 {
	dx, dy := (f.Box.Left+f.Box.Right-float64(frame.X))/2, (f.Box.Top+f.Box.Bottom-float64(frame.Y))/2
	distance, area := dx*dx+dy*dy, f.Box.Width()*f.Box.Height()
	switch c {
	case Largest:
		return area
	case Centre:
		return -distance
	}
	return area - 2*distance
}

// choose returns the faces to be cut out, and those that are not.
func (c Choice) choose(faces []detect.Face, frame image.Point) (chosen, others []detect.Face) {
	faces = slices.Clone(faces)
	slices.SortStableFunc(faces, func(a, b detect.Face) int { return cmp.Compare(c.rank(&b, frame), c.rank(&a, frame)) })
	if c == All || len(faces) == 0 {
		return faces, nil
	}
	return faces[:1], faces[1:]
}
