package embed

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/faceverify/fv/embed/tensorfile"
	"github.com/faceverify/fv/internal/nn"
)

// ModelFile is the name of the model in a run folder.
const ModelFile = "model.safetensors"

// Keys of a model file's metadata. All values but the version and the embedding's length are JSON.
const (
	keyVersion   = "fv.version"
	keyNetwork   = "fv.network"
	keyEmbedding = "fv.embedding" // its length, for readers that do not work out shapes
	keyContract  = "fv.contract"
	keyHead      = "fv.head"
	keyClasses   = "fv.classes"
	keyThreshold = "fv.threshold" // null if there is none
	keyMeta      = "fv.meta"
)

// version is what keyVersion holds; a file of another version has another layout.
const version = "1"

// headPrefix is before the names of the head's tensors.
const headPrefix = "head."

// Save writes the model to a safetensors file, whole or not at all: the network's
// parameters and buffers by name, in PyTorch's shapes and order; the head's, if any, as
// head.NAME; everything else in the metadata. A model that Load would refuse is an error.
func (m *Model) Save(path string) error {
	if err := m.describe(); err != nil {
		return fmt.Errorf("%s: cannot save this model: %w", path, err)
	}
	file := &tensorfile.File{Metadata: map[string]string{
		keyVersion:   version,
		keyEmbedding: strconv.Itoa(m.Dim()),
	}}
	for key, value := range map[string]any{
		keyNetwork: m.Network, keyContract: m.Contract, keyHead: m.Head,
		keyClasses: m.Classes, keyThreshold: m.Threshold, keyMeta: m.Meta,
	} {
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", path, key, err)
		}
		file.Metadata[key] = string(text)
	}
	for _, part := range []struct {
		params []nn.Param
		values []float32
	}{{m.Network.Params(), m.Theta}, {m.Network.Buffers(), m.Buffers}} {
		if nn.Len(part.params) != len(part.values) {
			panic(fmt.Sprintf("embed: Save of a network of %d values with %d", nn.Len(part.params), len(part.values)))
		}
		for _, p := range part.params {
			file.Tensors = append(file.Tensors, tensorfile.Tensor{Name: p.Name, Shape: p.Shape, Data: part.values[p.Offset:][:p.Len]})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.HeadParams)) {
		if file.Tensor(headPrefix+name) != nil {
			return fmt.Errorf("%s: cannot save this model: its network has a tensor %q of its own", path, headPrefix+name)
		}
		t := m.HeadParams[name]
		file.Tensors = append(file.Tensors, tensorfile.Tensor{Name: headPrefix + name, Shape: t.Shape, Data: t.Data, Stream: t.finite(path, headPrefix+name)})
	}
	if err := m.checkTensors(); err != nil {
		return fmt.Errorf("%s: cannot save this model: %w", path, err)
	}
	return tensorfile.Write(path, file)
}

// Load reads a model file, the model of a run folder, or an ONNX file that says how images become its input
// (LoadONNX reads others). The file is not trusted: whatever does not fit together is an error that names the
// file and what is wrong in it.
func Load(path string) (*Model, error) {
	if IsONNX(path) {
		return LoadONNX(path, ONNXOptions{})
	}
	path, err := ofRunFolder(path)
	if err != nil {
		return nil, err
	}
	file, err := tensorfile.Read(path)
	if err != nil {
		return nil, err
	}
	m, err := decodeModel(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// ofRunFolder returns the model file at path, which may be that of a run folder.
func ofRunFolder(path string) (string, error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return path, nil
	}
	file := filepath.Join(path, ModelFile)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s holds no %s: it is no run folder, or its training has not got as far as a model", path, ModelFile)
	}
	return file, nil
}

func decodeModel(file *tensorfile.File) (*Model, error) {
	switch v, ok := file.Metadata[keyVersion]; {
	case !ok:
		return nil, fmt.Errorf("the metadata has no %s: the file has tensors but is no model of this program", keyVersion)
	case v != version:
		return nil, fmt.Errorf("%s is %q, want %q: another version of this program wrote the file", keyVersion, v, version)
	}
	m := &Model{}
	for _, field := range []struct {
		key string
		dst any
	}{
		{keyNetwork, &m.Network}, {keyContract, &m.Contract}, {keyHead, &m.Head},
		{keyClasses, &m.Classes}, {keyThreshold, &m.Threshold}, {keyMeta, &m.Meta},
	} {
		text, ok := file.Metadata[field.key]
		if !ok {
			return nil, fmt.Errorf("the metadata has no %s", field.key)
		}
		if err := decodeJSON(text, field.dst); err != nil {
			return nil, fmt.Errorf("%s: %w", field.key, err)
		}
	}
	if err := m.describe(); err != nil {
		return nil, err
	}
	if dim := strconv.Itoa(m.Dim()); file.Metadata[keyEmbedding] != dim {
		return nil, fmt.Errorf("%s is %q, the network gives %s", keyEmbedding, file.Metadata[keyEmbedding], dim)
	}
	if err := m.fill(file.Tensors); err != nil {
		return nil, err
	}
	return m, m.checkTensors()
}

// fill takes the tensors over. Nothing is allocated for a tensor that the file has not.
func (m *Model) fill(tensors []tensorfile.Tensor) error {
	byName := make(map[string]tensorfile.Tensor, len(tensors))
	for _, t := range tensors {
		byName[t.Name] = t
	}
	take := func(params []nn.Param) ([]float32, error) {
		var values []float32
		for _, p := range params {
			t, ok := byName[p.Name]
			if !ok {
				return nil, fmt.Errorf("tensor %q of shape %v is missing", p.Name, p.Shape)
			}
			if !slices.Equal(t.Shape, p.Shape) {
				return nil, fmt.Errorf("tensor %q has shape %v, the network wants %v", p.Name, t.Shape, p.Shape)
			}
			data := make([]float32, t.Len())
			if err := (&Tensor{Data: t.Data, Stream: t.Stream}).ReadAt(data, 0); err != nil {
				return nil, err
			}
			values = append(values, data...)
			delete(byName, p.Name)
		}
		return values, nil
	}
	var err error
	if m.Theta, err = take(m.Network.Params()); err != nil {
		return err
	}
	if m.Buffers, err = take(m.Network.Buffers()); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		short, ok := strings.CutPrefix(name, headPrefix)
		if !ok {
			return fmt.Errorf("tensor %q belongs to no layer of the network", name)
		}
		if m.HeadParams == nil {
			m.HeadParams = map[string]Tensor{}
		}
		m.HeadParams[short] = Tensor{Shape: byName[name].Shape, Data: byName[name].Data, Stream: byName[name].Stream}
	}
	return nil
}

// checkTensors returns an error that names the first tensor with a value that cannot be.
func (m *Model) checkTensors() error {
	if err := m.checkHead(); err != nil {
		return err
	}
	for _, p := range m.Network.Params() {
		if err := finite(p.Name, 0, m.Theta[p.Offset:][:p.Len]); err != nil {
			return err
		}
	}
	for _, p := range m.Network.Buffers() {
		values := m.Buffers[p.Offset:][:p.Len]
		if err := finite(p.Name, 0, values); err != nil {
			return err
		}
		if strings.HasSuffix(p.Name, ".running_var") && slices.Min(values) < 0 {
			return fmt.Errorf("tensor %q holds variances, and one is %v", p.Name, slices.Min(values))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.HeadParams)) {
		if err := finite(headPrefix+name, 0, m.HeadParams[name].Data); err != nil {
			return err
		}
	}
	return nil
}

// finite returns the tensor's Stream for the file at path, if it has one, which then ends with an error at a value that cannot be.
func (t *Tensor) finite(path, name string) func(func([]float32) error) error {
	if t.Stream == nil {
		return nil
	}
	return func(write func([]float32) error) error {
		at := 0
		return t.Stream(func(x []float32) error {
			if err := finite(name, at, x); err != nil {
				return fmt.Errorf("%s: cannot save this model: %w", path, err)
			}
			at += len(x)
			return write(x)
		})
	}
}

// finite returns an error that names the first of the values, which are those of a tensor from first on, that is not a number or infinite.
func finite(name string, first int, values []float32) error {
	for i, v := range values {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("tensor %q: value %d is %v", name, first+i, v)
		}
	}
	return nil
}
