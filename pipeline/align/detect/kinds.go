package detect

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/faceverify/fv/internal/nn"
	"github.com/faceverify/fv/pipeline/align"
)

// strides are how many pixels of the input lie between the places that a network looks at, at its three levels.
var strides = [3]int{8, 16, 32}

// grid returns the columns and rows of places at a stride. Sides that the stride does not divide have one more.
func grid(in nn.Shape, stride int) (columns, rows int) {
	return (in.W + stride - 1) / stride, (in.H + stride - 1) / stride
}

// layouts say, for each kind of one file, how many arrays of each number of columns there are.
var layouts = map[Kind]map[int]int{
	SCRFD:      {1: 3, 4: 3, 10: 3},
	YuNet:      {1: 6, 4: 3, 10: 3},
	RetinaFace: {2: 1, 4: 1, 10: 1},
}

// recognise tells the kind of a detector by the shapes of its outputs: their names and order differ from export to export.
func recognise(dims [][]int, in nn.Shape) (Kind, error) {
	columns := map[int]int{}
	for _, d := range dims {
		columns[d[len(d)-1]]++
	}
	for _, k := range Kinds {
		if maps.Equal(columns, layouts[k]) {
			return k, fits(k, dims, in)
		}
	}
	if columns[10] == 0 && columns[4] > 0 {
		return "", errors.New("the detector gives no landmarks (10 columns): by boxes alone faces cannot be aligned")
	}
	return "", errors.New("no detector of a kind that is known: scrfd gives 3 arrays each of 1, 4 and 10 columns, yunet 6 of 1, 3 of 4 and 3 of 10, retinaface one each of 2, 4 and 10")
}

// fits returns an error if the outputs are not those of a kind.
func fits(k Kind, dims [][]int, in nn.Shape) error {
	rows := map[int][]int{} // by columns
	for _, d := range dims {
		c, n := d[len(d)-1], 1
		for _, s := range d[:len(d)-1] {
			n *= s
		}
		rows[c] = append(rows[c], n)
	}
	want := places(in, k)
	for c, n := range layouts[k] {
		have := slices.Sorted(slices.Values(rows[c]))
		slices.Reverse(have)
		if len(have) != n {
			return fmt.Errorf("a detector of the kind %s gives %d arrays of %d columns", k, n, c)
		}
		// Each level has its places, as often as there are boxes at a place.
		each := n / len(want)
		for i, r := range have {
			if level := want[i/each]; r%level != 0 || r/level != have[0]/want[0] || k != SCRFD && r != level {
				return fmt.Errorf("a detector of the kind %s gives arrays of %v rows", k, want)
			}
		}
	}
	if k == SCRFD && (len(rows[1]) != len(rows[4]) || slices.Max(rows[1]) != slices.Max(rows[4]) || slices.Max(rows[1]) != slices.Max(rows[10])) {
		return fmt.Errorf("scores, boxes and landmarks are of different places")
	}
	return nil
}

// places returns how many rows a kind's arrays have.
func places(in nn.Shape, k Kind) []int {
	var n []int
	for _, s := range strides {
		columns, rows := grid(in, s)
		n = append(n, columns*rows)
	}
	if k == RetinaFace {
		return []int{2 * (n[0] + n[1] + n[2])}
	}
	return n
}

// reader returns what a kind's input looks like and how its outputs are read.
func (n *network) reader(k Kind, minScore float64) (scaling, func(tables) []Face) {
	switch k {
	case SCRFD:
		return scaling{mean: [3]float32{127.5, 127.5, 127.5}, std: 128}, func(t tables) []Face { return scrfd(t, n.in, minScore) }
	case YuNet:
		return scaling{bgr: true, std: 1}, func(t tables) []Face { return yunet(t, n.in, minScore) }
	}
	return scaling{bgr: true, mean: [3]float32{104, 117, 123}, std: 1}, func(t tables) []Face { return retinaface(t, n.in, minScore) }
}

// scrfd reads the outputs of SCRFD: at each place the distances to the left, top, right and bottom side and the way to each landmark, in
// strides.
func scrfd(t tables, in nn.Shape, minScore float64) (faces []Face) {
	scores, boxes, points := t.of(1), t.of(4), t.of(10)
	for level, stride := range strides {
		columns, rows := grid(in, stride)
		anchors := scores[level].rows / (columns * rows)
		s := float64(stride)
		for i := range scores[level].rows {
			score := scores[level].at(i, 0)
			if !(score >= minScore) {
				continue
			}
			place := i / anchors
			x, y := s*float64(place%columns), s*float64(place/columns)
			b := &boxes[level]
			f := Face{Score: score, Box: Box{x - s*b.at(i, 0), y - s*b.at(i, 1), x + s*b.at(i, 2), y + s*b.at(i, 3)}}
			for k := range f.Landmarks {
				f.Landmarks[k] = align.Point{X: x + s*points[level].at(i, 2*k), Y: y + s*points[level].at(i, 2*k+1)}
			}
			faces = append(faces, f)
		}
	}
	return faces
}

// yunet reads the outputs of YuNet as OpenCV's FaceDetectorYN does. Its score is the geometric mean of the class's and the object's.
func yunet(t tables, in nn.Shape, minScore float64) (faces []Face) {
	scores, boxes, points := t.of(1), t.of(4), t.of(10)
	unit := func(v float64) float64 { return math.Min(math.Max(v, 0), 1) }
	for level, stride := range strides {
		columns, rows := grid(in, stride)
		s := float64(stride)
		for i := range columns * rows {
			score := math.Sqrt(unit(scores[2*level].at(i, 0)) * unit(scores[2*level+1].at(i, 0)))
			if !(score >= minScore) {
				continue
			}
			x, y := float64(i%columns), float64(i/columns)
			b := &boxes[level]
			cx, cy, w, h := s*(x+b.at(i, 0)), s*(y+b.at(i, 1)), s*math.Exp(b.at(i, 2)), s*math.Exp(b.at(i, 3))
			f := Face{Score: score, Box: Box{cx - w/2, cy - h/2, cx + w/2, cy + h/2}}
			for k := range f.Landmarks {
				f.Landmarks[k] = align.Point{X: s * (x + points[level].at(i, 2*k)), Y: s * (y + points[level].at(i, 2*k+1))}
			}
			faces = append(faces, f)
		}
	}
	return faces
}

// priorSides are the sides of RetinaFace's priors at each level, in pixels.
var priorSides = [3][2]float64{{16, 32}, {64, 128}, {256, 512}}

// retinaface reads the outputs of RetinaFace: offsets from a prior in tenths of its side, logarithms of its growth in fifths.
func retinaface(t tables, in nn.Shape, minScore float64) (faces []Face) {
	scores, boxes, points := &t.of(2)[0], &t.of(4)[0], &t.of(10)[0]
	logits := !probabilities(scores)
	i := 0
	for level, stride := range strides {
		columns, rows := grid(in, stride)
		for place := range columns * rows {
			x, y := (float64(place%columns)+0.5)*float64(stride), (float64(place/columns)+0.5)*float64(stride)
			for _, side := range priorSides[level] {
				score := scores.at(i, 1)
				if logits {
					score = 1 / (1 + math.Exp(scores.at(i, 0)-score))
				}
				if score >= minScore {
					cx, cy := x+0.1*side*boxes.at(i, 0), y+0.1*side*boxes.at(i, 1)
					w, h := side*math.Exp(0.2*boxes.at(i, 2)), side*math.Exp(0.2*boxes.at(i, 3))
					f := Face{Score: score, Box: Box{cx - w/2, cy - h/2, cx + w/2, cy + h/2}}
					for k := range f.Landmarks {
						f.Landmarks[k] = align.Point{X: x + 0.1*side*points.at(i, 2*k), Y: y + 0.1*side*points.at(i, 2*k+1)}
					}
					faces = append(faces, f)
				}
				i++
			}
		}
	}
	return faces
}

// probabilities reports whether all rows sum to 1: an export in training mode lacks the softmax.
func probabilities(t *table) bool {
	for i := range t.rows {
		if !(math.Abs(t.at(i, 0)+t.at(i, 1)-1) < 1e-3) {
			return false
		}
	}
	return true
}
