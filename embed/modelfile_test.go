package embed

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faceverify/fv/embed/tensorfile"
)

func save(t testing.TB, m *Model) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), ModelFile)
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// A model comes back as it was, from the file and from its folder, with and without what is
// optional.
func TestModelRoundTrip(t *testing.T) {
	bare := tiny()
	bare.Head, bare.Classes, bare.HeadParams, bare.Threshold, bare.Meta = HeadInfo{}, nil, nil, nil, nil
	for _, want := range []*Model{tiny(), bare} {
		path := save(t, want)
		for _, p := range []string{path, filepath.Dir(path)} {
			got, err := Load(p)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		}
		first, _ := os.ReadFile(path)
		if err := want.Save(path); err != nil {
			t.Fatal(err)
		}
		if second, _ := os.ReadFile(path); !bytes.Equal(first, second) {
			t.Error("equal models gave different bytes")
		}
	}
}

// The names and shapes of tensors are part of the file format: other programs read them.
func TestModelTensors(t *testing.T) {
	file, err := tensorfile.Read(save(t, tiny()))
	if err != nil {
		t.Fatal(err)
	}
	shapes := map[string][]int{}
	for _, x := range file.Tensors {
		shapes[x.Name] = x.Shape
	}
	want := map[string][]int{
		"conv.weight": {4, 3, 3, 3}, "conv.bias": {4},
		"bn.weight": {4}, "bn.bias": {4}, "bn.running_mean": {4}, "bn.running_var": {4},
		"prelu.weight": {4}, "fc.weight": {5, 48}, "fc.bias": {5},
		"head.weight": {2, 5}, "head.iteration": nil,
	}
	if d := cmp.Diff(want, shapes); d != "" {
		t.Error(d)
	}
	if v := file.Metadata["fv.embedding"]; v != "5" {
		t.Errorf("fv.embedding is %q", v)
	}
}

// Whatever is wrong in a file is an error that names the file and the thing.
func TestHostileModels(t *testing.T) {
	meta := func(key, old, new string) func(*tensorfile.File) {
		return func(f *tensorfile.File) {
			if !strings.Contains(f.Metadata[key], old) {
				panic(key + " is " + f.Metadata[key])
			}
			f.Metadata[key] = strings.Replace(f.Metadata[key], old, new, 1)
		}
	}
	without := func(key string) func(*tensorfile.File) {
		return func(f *tensorfile.File) { delete(f.Metadata, key) }
	}
	value := func(name string, v float32) func(*tensorfile.File) {
		return func(f *tensorfile.File) { f.Tensor(name).Data[1] = v }
	}
	for _, tt := range []struct {
		name  string
		spoil func(*tensorfile.File)
		want  string
	}{
		{"foreign", func(f *tensorfile.File) { f.Metadata = nil }, "no fv.version: the file has tensors but is no model"},
		{"version", meta("fv.version", "1", "2"), `fv.version is "2", want "1"`},
		{"no contract", without("fv.contract"), "no fv.contract"},
		{"bad JSON", meta("fv.network", "{", ""), "fv.network: "},
		{"two values", meta("fv.classes", "]", "] []"), "fv.classes: more follows"},
		{"unknown key", meta("fv.contract", `"height"`, `"hight"`), `fv.contract: json: unknown field "hight"`},
		{"no network", func(f *tensorfile.File) { f.Metadata["fv.network"] = "null" }, "no network"},
		{"contract", meta("fv.contract", `"crop"`, `"cut"`), `fit is "cut"; want crop, stretch, pad`},
		{"null contract", func(f *tensorfile.File) { f.Metadata["fv.contract"] = "null" }, "height is 0"},
		{"size", meta("fv.contract", `"height":8`, `"height":9`), "the network reads images of 3x8x6, the preprocessing contract makes 3x9x6"},
		{"layer", meta("fv.network", `"kind":"linear"`, `"kind":"quadratic"`), `layer 5 (quadratic "fc")`},
		{"flattened", meta("fv.network", `"kind":"linear"`, `"kind":"prelu"`), `"flatten" is a flattened image, which only a linear layer can read`},
		{"huge layer", meta("fv.network", `"out":5`, `"out":16777216`), `fv.embedding is "5", the network gives 16777216`},
		{"huge tensor", func(f *tensorfile.File) {
			meta("fv.network", `"out":5`, `"out":16777216`)(f)
			f.Metadata["fv.embedding"] = "16777216"
		}, `tensor "fc.weight" has shape [5 48], the network wants [16777216 48]`},
		{"embedding", meta("fv.embedding", "5", "6"), `fv.embedding is "6", the network gives 5`},
		{"threshold", meta("fv.threshold", "0.25", "1.25"), "threshold: cosine is 1.25; want -1 to 1"},
		{"counts", meta("fv.threshold", `"impostor":300`, `"impostor":2`), "threshold: 3 of 2 impostor"},
		{"classes", meta("fv.classes", `"Ada",`, ""), `tensor "head.weight" has shape [2 5]; 1 classes and embeddings of 5 want [1 5]`},
		{"missing tensor", func(f *tensorfile.File) { f.Tensor("bn.running_var").Name = "head.x" }, `tensor "bn.running_var" of shape [4] is missing`},
		{"extra tensor", func(f *tensorfile.File) {
			f.Tensors = append(f.Tensors, tensorfile.Tensor{Name: "conv2.weight", Shape: []int{1}, Data: []float32{1}})
		}, `tensor "conv2.weight" belongs to no layer`},
		{"shape", func(f *tensorfile.File) { f.Tensor("fc.weight").Shape = []int{48, 5} }, `tensor "fc.weight" has shape [48 5], the network wants [5 48]`},
		{"NaN", value("fc.weight", nan()), `tensor "fc.weight": value 1 is NaN`},
		{"infinite", value("head.weight", float32(math.Inf(1))), `tensor "head.weight": value 1 is +Inf`},
		{"variance", value("bn.running_var", -1), `tensor "bn.running_var" holds variances, and one is -1`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := save(t, tiny())
			file, err := tensorfile.Read(path)
			if err != nil {
				t.Fatal(err)
			}
			tt.spoil(file)
			if err := tensorfile.Write(path, file); err != nil {
				t.Fatal(err)
			}
			_, err = Load(path)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), path) {
				t.Errorf("error is %v, want %s: ... %q", err, path, tt.want)
			}
		})
	}
}

func TestLoadMistakes(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.txt")
	if err := os.WriteFile(text, []byte("this is no model"), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir:                          dir + " holds no model.safetensors",
		text:                         "not a safetensors file",
		filepath.Join(dir, "absent"): "no such file",
	} {
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
}

// A model that is opened has all that one that is loaded has, its head's weights still in the file, and is refused for the same mistakes.
func TestOpenModel(t *testing.T) {
	path := save(t, tiny())
	want, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := OpenModel(path)
	if err != nil {
		t.Fatal(err)
	}
	w, whole := got.HeadParams["weight"], want.HeadParams["weight"].Data
	if w.Data != nil || len(whole) < 4 {
		t.Fatalf("%d weights of the head are read, of %d", len(w.Data), len(whole))
	}
	part := make([]float32, len(whole)-2)
	if err := w.ReadAt(part, 1); err != nil || !slices.Equal(part, whole[1:len(whole)-1]) {
		t.Errorf("weights %v, error %v; want %v", part, err, whole[1:len(whole)-1])
	}
	got.HeadParams["weight"] = want.HeadParams["weight"]
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	file, err := tensorfile.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	file.Tensor("head.weight").Data[1] = nan()
	if err := tensorfile.Write(path, file); err != nil {
		t.Fatal(err)
	}
	if err := w.ReadAt(part, 0); err == nil || !strings.Contains(err.Error(), `"head.weight": value 1 is NaN`) {
		t.Errorf("error %v of a weight that is NaN", err)
	}
	for _, bad := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		if _, err := OpenModel(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("error %v of %s", err, bad)
		}
	}
}

// Save writes nothing that Load would refuse.
func TestSaveMistakes(t *testing.T) {
	for want, spoil := range map[string]func(*Model){
		"no network":                    func(m *Model) { m.Network = nil },
		"std[0] is 0":                   func(m *Model) { m.Contract.Std[0] = 0 },
		`"fc.bias": value 4 is NaN`:     func(m *Model) { m.Theta[len(m.Theta)-1] = nan() },
		`"head.weight" has shape`:       func(m *Model) { m.Classes = nil },
		`"head.s" of shape [2] has 1 f`: func(m *Model) { m.HeadParams["s"] = Tensor{Shape: []int{2}, Data: []float32{1}} },
		`"head.s": value 1 is NaN`: func(m *Model) {
			m.HeadParams["s"] = Tensor{Shape: []int{2}, Stream: func(w func([]float32) error) error { return w([]float32{1, nan()}) }}
		},
		"setting scale is NaN":              func(m *Model) { m.Head.Settings["scale"] = math.NaN() },
		`has a tensor "head.weight" of its`: func(m *Model) { m.Network.Layers[4].Name = "head" },
	} {
		m := tiny()
		spoil(m)
		path := filepath.Join(t.TempDir(), "m.safetensors")
		if err := m.Save(path); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("error is %v, want %q", err, want)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: a file was written", want)
		}
	}
}

// No file makes the reader panic, and what it takes for a model is one that can be saved.
func FuzzModel(f *testing.F) {
	b, err := os.ReadFile(save(f, tiny()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(bytes.Replace(b, []byte(`\"stride\":2`), []byte(`\"stride\":3`), 1))
	f.Add(slices.Clone(b[:len(b)/2]))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := tensorfile.Decode(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		m, err := decodeModel(file)
		if err != nil {
			return
		}
		if err := m.Save(filepath.Join(t.TempDir(), "m")); err != nil {
			t.Fatal(err)
		}
	})
}
