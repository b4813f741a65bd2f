package onnx

import (
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/nn"
)

// nodeTest is one of ONNX's backend node tests, as scripts/golden/onnx_nodes.py writes them.
type nodeTest struct {
	Name      string   `json:"name"`
	Operators []string `json:"operators"`
	Constant  bool     `json:"constant"` // there is nothing but constants
	RTol      float64  `json:"rtol"`
	ATol      float64  `json:"atol"`

	Model  []byte   `json:"model"`
	In     []byte   `json:"in"`
	Out    [][]byte `json:"out"`
	Shapes [][]int  `json:"shapes"`

	in      []float32
	outputs [][]float32
}

// Operators lists what is supported, for the script that collects the tests: FV_ONNX_OPERATORS names the file to write.
func TestListOperators(t *testing.T) {
	path := os.Getenv("FV_ONNX_OPERATORS")
	if path == "" {
		t.Skip("FV_ONNX_OPERATORS names no file to write")
	}
	names := map[string]bool{"Constant": true, "Shape": true}
	for op := range converters {
		names[op] = true
	}
	for op := range folders {
		names[op] = true
	}
	text := strings.Join(slices.Sorted(maps.Keys(names)), "\n") + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ONNX's backend node tests: the small ones, or all that FV_ONNX_NODES names. Those that are refused must be refused for
// one of the reasons that are listed.
func TestNodes(t *testing.T) {
	path := os.Getenv("FV_ONNX_NODES")
	if path == "" {
		path = "testdata/nodes.json.gz"
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		ONNX  string      `json:"onnx"`
		Tests []*nodeTest `json:"tests"`
	}
	if err := json.NewDecoder(z).Decode(&list); err != nil {
		t.Fatal(err)
	}
	pool := kernel.NewPool(1)
	defer pool.Close()
	type tally struct{ layers, constants, refused int }
	table := map[string]*tally{}
	for _, test := range list.Tests {
		test.in = floats(test.In)
		for _, b := range test.Out {
			test.outputs = append(test.outputs, floats(b))
		}
		key := strings.Join(test.Operators, "+")
		if len(test.Operators) > 1 {
			key = "expanded functions"
		}
		if table[key] == nil {
			table[key] = &tally{}
		}
		row := table[key]
		how, err := test.run(pool)
		switch {
		case err == nil && how == "constant":
			row.constants++
		case err == nil:
			row.layers++
		default:
			row.refused++
			var differs *differsError
			if errors.As(err, &differs) || !refusable(err) {
				t.Errorf("%s: %v", test.Name, err)
			} else if testing.Verbose() {
				t.Logf("%s does not apply: %v", test.Name, err)
			}
		}
	}
	sum := tally{}
	for _, key := range slices.Sorted(maps.Keys(table)) {
		row := table[key]
		sum.layers, sum.constants, sum.refused = sum.layers+row.layers, sum.constants+row.constants, sum.refused+row.refused
		t.Logf("| %s | %d | %d | %d |", key, row.layers, row.constants, row.refused)
	}
	t.Logf("onnx %s: %d pass as layers, %d as constants, %d do not apply", list.ONNX, sum.layers, sum.constants, sum.refused)
	if sum.layers < 100 {
		t.Errorf("only %d tests ran", sum.layers)
	}
}

// refusals are parts of errors that say that a test is of something that is not supported.
var refusals = []string{
	"not supported", "supported of constants only", "is no image", "want images [1,C,H,W]", "is not one of [O,I,H,W]", "it does not multiply two matrices",
	"does not depend on the input", "its indices are no list", "opset 1;", "an input of several images", "only height and width can be padded",
	"the graph has 0 inputs",
}

func refusable(err error) bool {
	return slices.ContainsFunc(refusals, func(s string) bool { return strings.Contains(err.Error(), s) })
}

func floats(b []byte) []float32 {
	x := make([]float32, len(b)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x
}

// differsError says that a test gave other numbers.
type differsError struct{ text string }

func (e *differsError) Error() string { return e.text }

// run runs a test as it is or, if that is not possible, image by image.
func (test *nodeTest) run(pool *kernel.Pool) (how string, err error) {
	if test.Constant {
		return "constant", test.fold()
	}
	err = test.layers(pool, true)
	if err == nil {
		return "layers", nil
	}
	n := 0
	if len(test.Shapes[0]) > 1 {
		n = test.Shapes[0][0]
	}
	for _, s := range test.Shapes[1:] {
		if len(s) < 2 || s[0] != n {
			n = 0
		}
	}
	var differs *differsError
	if n > 1 && !errors.As(err, &differs) {
		if second := test.layers(pool, false); second == nil || errors.As(second, &differs) {
			return "layers", second
		}
	}
	return "", err
}

// fold computes the graph of constants.
func (test *nodeTest) fold() error {
	f, err := decode(test.Model, "")
	if err != nil {
		return err
	}
	im := newImporter(f, len(test.Model))
	for name, a := range f.arrays {
		im.values[name] = &value{dims: a.dims, c: a}
	}
	im.needed = map[string]bool{}
	for i := range f.ops {
		if err := im.convert(&f.ops[i]); err != nil {
			return err
		}
	}
	for k, out := range f.outputs {
		v := im.values[out.name]
		if v == nil || v.c == nil {
			return fmt.Errorf("output %q is not supported of constants", out.name)
		}
		if err := test.compare(k, v.c.float(), v.dims); err != nil {
			return err
		}
	}
	return nil
}

// layers runs the graph as a network.
func (test *nodeTest) layers(pool *kernel.Pool, exact bool) error {
	o := Options{Exact: exact}
	m, err := Decode(test.Model, "", o)
	if err != nil {
		return err
	}
	n := 1
	if !exact {
		n = test.Shapes[0][0]
	}
	inf, err := nn.NewInference(m.Network, m.Theta, m.Buffers, n, nn.FP32, pool)
	if err != nil {
		return err
	}
	defer inf.Close()
	in := m.Network.Input
	if len(test.in) != n*in.Len() {
		return fmt.Errorf("an input of several images")
	}
	images := make([]float32, n*in.Len())
	for i := range n {
		planesToPixels(images[i*in.Len():], test.in[i*in.Len():], in)
	}
	y := inf.Forward(images, n)
	for k := range m.Outputs {
		s := nn.Shape{C: m.Network.Dim(), H: 1, W: 1}
		if len(m.Network.Outputs) > 0 {
			y, s = inf.Output(k, n)
		}
		got := make([]float32, n*s.Len())
		for i := range n {
			pixelsToPlanes(got[i*s.Len():], y[i*s.Len():], s)
		}
		dims := m.Dims[k]
		if !exact {
			dims = append([]int{n}, dims[1:]...)
		}
		which := slices.IndexFunc(test.names(), func(name string) bool { return name == m.Outputs[k] })
		if err := test.compare(which, got, dims); err != nil {
			return err
		}
	}
	return nil
}

// names returns the names of the graph's outputs.
func (test *nodeTest) names() []string {
	m, err := parseModel(test.Model)
	if err != nil {
		return nil
	}
	var names []string
	for _, v := range m.graph.outputs {
		names = append(names, v.name)
	}
	return names
}

func planesToPixels(dst, src []float32, s nn.Shape) {
	for c := range s.C {
		for p := range s.H * s.W {
			dst[p*s.C+c] = src[c*s.H*s.W+p]
		}
	}
}

func pixelsToPlanes(dst, src []float32, s nn.Shape) {
	for c := range s.C {
		for p := range s.H * s.W {
			dst[c*s.H*s.W+p] = src[p*s.C+c]
		}
	}
}

func (test *nodeTest) compare(k int, got []float32, dims []int) error {
	want := test.outputs[k]
	if !slices.Equal(dims, test.Shapes[k+1]) && len(dims)+len(test.Shapes[k+1]) > 0 {
		return &differsError{fmt.Sprintf("output %d is of shape %v, want %v", k, dims, test.Shapes[k+1])}
	}
	for i, v := range got {
		w := float64(want[i])
		g := float64(v)
		same := g == w || math.IsNaN(g) && math.IsNaN(w) || math.Abs(w) > 3.4e38 && math.Abs(g) > 3.4e38 && g*w > 0
		if !same && !(math.Abs(g-w) <= test.ATol+test.RTol*math.Abs(w)) {
			return &differsError{fmt.Sprintf("output %d: number %d is %v, want %v", k, i, v, w)}
		}
	}
	return nil
}
