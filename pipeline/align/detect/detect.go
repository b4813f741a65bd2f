package detect

import (
	"cmp"
	"fmt"
	"image"
	"math"
	"os"
	"slices"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/pipeline/align"
)

// Box is a rectangle of a photograph.
type Box struct{ Left, Top, Right, Bottom float64 }

// Width returns the box's width.
func (b Box) Width() float64 { return b.Right - b.Left }

// Height returns the box's height.
func (b Box) Height() float64 { return b.Bottom - b.Top }

// Face is what a detector found.
type Face struct {
	Box       Box
	Landmarks align.Landmarks
	Score     float64 // 0 to 1; what is a good one depends on the detector
}

// Kind names how a detector's outputs are read.
type Kind string

// The kinds of detectors.
const (
	SCRFD      Kind = "scrfd"      // InsightFace's: scores, distances to the sides and landmarks at strides 8, 16, 32
	YuNet      Kind = "yunet"      // OpenCV's: class and objectness, box and landmarks at strides 8, 16, 32
	RetinaFace Kind = "retinaface" // offsets from priors, as biubug6's PyTorch version gives them
	MTCNN      Kind = "mtcnn"      // three networks in a folder: pnet.onnx, rnet.onnx, onet.onnx
)

// Kinds are all kinds.
var Kinds = []Kind{SCRFD, YuNet, RetinaFace, MTCNN}

// MinScore returns the score from which a face counts unless Options say otherwise: what the kind's authors show faces from, but for
// YuNet, of which OpenCV shows those from 0.9.
func (k Kind) MinScore() float64 {
	switch k {
	case SCRFD:
		return 0.5
	case MTCNN:
		return 0.7
	}
	return 0.6
}

// Options say what a detector's file leaves open.
type Options struct {
	Kind     Kind    // "" means as the outputs tell
	Size     int     // sides of the square that photographs are fitted into, where the file takes any; 0 means 640
	MinScore float64 // faces of a lower score are left out; 0 means Kind.MinScore
}

// DefaultSize is the side of the square that photographs are fitted into.
const DefaultSize = 640

// overlap is the intersection over union from which of two faces the one with the lower score is left out.
const overlap = 0.4

// Model is a detector as its files have it. It may be used by several goroutines.
type Model struct {
	kind     Kind
	minScore float64
	size     int
	single   *network // of all kinds but MTCNN
	cascade  *cascade
	digest   string
}

// Open reads a detector: an ONNX file, or the folder with MTCNN's three. The files are not trusted. An error says what was found instead.
func Open(path string, o Options) (*Model, error) {
	if o.Size == 0 {
		o.Size = DefaultSize
	}
	if o.Size < 64 || o.Size > 4096 || o.Size%32 != 0 {
		return nil, fmt.Errorf("a detector's input of %d pixels; want a multiple of 32 from 64 to 4096", o.Size)
	}
	if o.Kind != "" && !slices.Contains(Kinds, o.Kind) {
		return nil, fmt.Errorf("no kind of detector is named %q; there are %v", o.Kind, Kinds)
	}
	if !(o.MinScore >= 0 && o.MinScore <= 1) {
		return nil, fmt.Errorf("a least score of %v; want 0 to 1", o.MinScore)
	}
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	m := &Model{size: o.Size, minScore: o.MinScore}
	if st.IsDir() {
		if o.Kind != "" && o.Kind != MTCNN {
			return nil, fmt.Errorf("%s is a folder; a detector of the kind %s is one file", path, o.Kind)
		}
		m.kind = MTCNN
		m.cascade, m.digest, err = openCascade(path)
	} else {
		if o.Kind == MTCNN {
			return nil, fmt.Errorf("%s is a file; MTCNN is a folder with %s, %s and %s", path, stages[0], stages[1], stages[2])
		}
		m.single, m.kind, m.digest, err = openSingle(path, o)
	}
	if err != nil {
		return nil, err
	}
	if m.minScore == 0 {
		m.minScore = m.kind.MinScore()
	}
	return m, nil
}

// Kind returns the detector's kind.
func (m *Model) Kind() Kind { return m.kind }

// MinScore returns the score from which a face counts.
func (m *Model) MinScore() float64 { return m.minScore }

// Size returns the sides of what photographs are fitted into.
func (m *Model) Size() image.Point {
	if m.single != nil {
		return image.Pt(m.single.in.W, m.single.in.H)
	}
	return image.Pt(m.size, m.size)
}

// Digest returns the SHA-256 of the files, in hexadecimal digits.
func (m *Model) Digest() string { return m.digest }

// finder finds faces in a picture no larger than the model's size, in its coordinates.
type finder interface {
	find(img *image.RGBA) ([]Face, error)
	close()
}

// Detector is a Model with its memory. One goroutine at a time may use it.
type Detector struct {
	model *Model
	pool  *kernel.Pool
	finder
}

// Detector returns a detector that works on so many threads; 0 means all processors. Close frees its memory. Faces do not depend on
// the number of threads.
func (m *Model) Detector(threads int) (*Detector, error) {
	d := &Detector{model: m, pool: kernel.NewPool(threads)}
	var err error
	if m.cascade != nil {
		d.finder, err = m.cascade.finder(m.minScore, d.pool)
	} else {
		d.finder, err = m.single.finder(m.kind, m.minScore, d.pool)
	}
	if err != nil {
		d.pool.Close()
		return nil, err
	}
	return d, nil
}

// Close frees memory and threads. The detector may not be used afterwards.
func (d *Detector) Close() {
	d.close()
	d.pool.Close()
}

// Detect returns the faces of a photograph, those of high scores first. It panics if the photograph has no pixels.
func (d *Detector) Detect(img image.Image) ([]Face, error) {
	f := fit(img, d.model.Size())
	found, err := d.find(f.img)
	if err != nil {
		return nil, err
	}
	faces := make([]Face, 0, len(found))
	for _, x := range found {
		x.Box = Box{f.x(x.Box.Left), f.y(x.Box.Top), f.x(x.Box.Right), f.y(x.Box.Bottom)}
		for i, p := range x.Landmarks {
			x.Landmarks[i] = align.Point{X: f.x(p.X), Y: f.y(p.Y)}
		}
		if x.sound() {
			faces = append(faces, x)
		}
	}
	slices.SortStableFunc(faces, func(a, b Face) int { return cmp.Compare(b.Score, a.Score) })
	return faces, nil
}

// sound reports whether all numbers are finite and the box is one: those of a damaged network may not be.
func (f Face) sound() bool {
	sum := f.Score + f.Box.Left + f.Box.Top + f.Box.Right + f.Box.Bottom
	for _, p := range f.Landmarks {
		sum += math.Abs(p.X) + math.Abs(p.Y)
	}
	return !math.IsNaN(sum) && math.Abs(sum) < 1e6 && f.Box.Width() > 0 && f.Box.Height() > 0
}
