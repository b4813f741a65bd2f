package detect

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"os"
	"slices"
	"strings"

	"github.com/faceverify/fv/embed/onnx"
	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/nn"
)

// network is a detector of one file.
type network struct {
	*onnx.Model
	in nn.Shape
}

// openSingle reads the one file of a detector and tells its kind.
func openSingle(path string, o Options) (*network, Kind, string, error) {
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return nil, "", "", errors.Join(err, fmt.Errorf("%s is no file", path))
	}
	digest, err := digestOf(path)
	if err != nil {
		return nil, "", "", err
	}
	m, err := onnx.Read(path, onnx.Options{})
	if errors.Is(err, onnx.ErrAnySize) {
		m, err = onnx.Read(path, onnx.Options{Height: o.Size, Width: o.Size})
	}
	if err != nil {
		return nil, "", "", err
	}
	n := &network{m, m.Network.Input}
	if n.in.C != 3 {
		return nil, "", "", fmt.Errorf("%s: its input is of %d channels; want 3", path, n.in.C)
	}
	kind, err := recognise(m.Dims, n.in)
	if o.Kind != "" && kind != o.Kind {
		err = fits(o.Kind, m.Dims, n.in)
		kind = o.Kind
	}
	if err != nil {
		return nil, "", "", fmt.Errorf("%s: %w; it gives %s for images of %dx%d (height x width)", path, err, n.outputs(), n.in.H, n.in.W)
	}
	return n, kind, digest, nil
}

func digestOf(paths ...string) (string, error) {
	h := sha256.New()
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			return "", err
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// outputs names the outputs and their shapes.
func (n *network) outputs() string {
	var list []string
	for i, name := range n.Outputs {
		list = append(list, fmt.Sprintf("%s %v", name, n.Dims[i]))
	}
	return strings.Join(list, ", ")
}

// single runs a network of one file.
type single struct {
	*network
	plan    *nn.Inference
	input   []float32
	scaling scaling
	decode  func(t tables) []Face
}

func (n *network) finder(kind Kind, minScore float64, pool *kernel.Pool) (finder, error) {
	f := &single{network: n, input: make([]float32, n.in.Len())}
	f.scaling, f.decode = n.reader(kind, minScore)
	var err error
	f.plan, err = nn.NewInference(n.Network, n.Theta, n.Buffers, 1, nn.FP32, pool)
	return f, err
}

func (f *single) close() { f.plan.Close() }

func (f *single) find(img *image.RGBA) ([]Face, error) {
	black := f.scaling.black()
	for i := range f.input {
		f.input[i] = black[i%3]
	}
	f.scaling.write(f.input, f.in.W, img)
	f.plan.Forward(f.input, 1)
	var t tables
	for i, dims := range f.Dims {
		t = append(t, tableOf(f.plan, i, dims))
	}
	faces := f.decode(t)
	return suppress(faces, func(f *Face) float64 { return f.Score }, overlap, func(a, b *Face) float64 { return iou(a.Box, b.Box) }), nil
}

// table is an output seen as rows of numbers: those of a network's places, one below the other.
type table struct {
	rows, columns int
	data          []float32
	shape         nn.Shape
}

// tableOf returns output i of the last pass over one image, whose last side is the columns.
func tableOf(plan *nn.Inference, i int, dims []int) table {
	t := table{columns: dims[len(dims)-1]}
	t.data, t.shape = plan.Output(i, 1)
	t.rows = t.shape.Len() / t.columns
	return t
}

// at returns a number. The array's order is C, H, W of the plan's image; in memory channels come last.
func (t *table) at(row, column int) float64 {
	k, area := row*t.columns+column, t.shape.H*t.shape.W
	return float64(t.data[k%area*t.shape.C+k/area])
}

type tables []table

// of returns the tables of so many columns, those of many rows, and so of small strides, first.
func (t tables) of(columns int) tables {
	var list tables
	for _, x := range t {
		if x.columns == columns {
			list = append(list, x)
		}
	}
	slices.SortStableFunc(list, func(a, b table) int { return b.rows - a.rows })
	return list
}
