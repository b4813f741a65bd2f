package embed

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/faceverify/fv/embed/onnx"
)

// ErrNoContract is what LoadONNX returns, wrapped, for a file that does not say how images become its input, if the
// options do not say it either.
var ErrNoContract = errors.New("the file does not say how images become its input")

// ErrAnySize is what LoadONNX returns, wrapped, for a file that takes images of any size, if the options name none.
var ErrAnySize = onnx.ErrAnySize

// ONNXOptions say what an ONNX file leaves open. What it says itself, in metadata that this program or Windows ML writes, they replace.
type ONNXOptions struct {
	Height, Width int       // of the input, where the file takes any size
	Mean, Std     []float32 // as in Contract: one number, or one for each channel; nil as the file says
	Color         string    // ColorRGB or ColorBGR; "" as the file says, or RGB
	Fit           string    // "" as the file says, or FitCrop
	Output        string    // name of the output that is the embedding, where there are several
}

// IsONNX reports whether a path's extension is that of ONNX files.
func IsONNX(path string) bool { return strings.EqualFold(filepath.Ext(path), ".onnx") }

// LoadONNX reads an ONNX file as a model. The file is not trusted; how images become its input must be in its metadata or in o,
// as nothing is guessed.
func LoadONNX(path string, o ONNXOptions) (*Model, error) {
	options := onnx.Options{Height: o.Height, Width: o.Width}
	if o.Output != "" {
		options.Outputs = []string{o.Output}
	}
	file, err := onnx.Read(path, options)
	if err != nil {
		return nil, err
	}
	m, err := fromONNX(file, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	m.Network.Name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	return m, nil
}

func fromONNX(file *onnx.Model, o ONNXOptions) (*Model, error) {
	if len(file.Outputs) > 1 {
		return nil, fmt.Errorf("it has the outputs %s: say which is the embedding", strings.Join(file.Outputs, ", "))
	}
	if len(file.Network.Outputs) > 0 {
		return nil, fmt.Errorf("its output %q is of shape %v; an embedding is [1,D]", file.Outputs[0], file.Dims[0])
	}
	in := file.Network.Input
	if in.C != 3 {
		return nil, fmt.Errorf("its input is of %d channels; want 3", in.C)
	}
	m := &Model{Network: file.Network, Theta: file.Theta, Buffers: file.Buffers, Meta: map[string]string{"onnx.producer": file.Producer}}
	if err := m.contractOf(file.Metadata, o); err != nil {
		return nil, err
	}
	if text, ok := file.Metadata[keyThreshold]; ok {
		if err := decodeJSON(text, &m.Threshold); err != nil {
			return nil, fmt.Errorf("metadata %s: %w", keyThreshold, err)
		}
	}
	if err := m.describe(); err != nil {
		return nil, err
	}
	return m, m.checkTensors()
}

// contractOf makes the contract of a file's metadata and the options.
func (m *Model) contractOf(metadata map[string]string, o ONNXOptions) error {
	in := m.Network.Input
	c := DefaultContract(in.H, in.W)
	c.Flip = FlipNone
	known := true
	if text, ok := metadata[keyContract]; ok {
		if err := decodeJSON(text, &c); err != nil {
			return fmt.Errorf("metadata %s: %w", keyContract, err)
		}
	} else if c.Mean, c.Std, c.Color, known = windowsML(metadata); !known {
		c.Color = ColorRGB
		if o.Mean == nil || o.Std == nil {
			return ErrNoContract
		}
	}
	m.Contract = c
	return m.Contract.Apply(o)
}

// Apply changes what the options say.
func (c *Contract) Apply(o ONNXOptions) error {
	for _, part := range []struct {
		name string
		from []float32
		to   *[3]float32
	}{{"mean", o.Mean, &c.Mean}, {"std", o.Std, &c.Std}} {
		switch len(part.from) {
		case 0:
		case 1:
			*part.to = [3]float32{part.from[0], part.from[0], part.from[0]}
		case 3:
			*part.to = [3]float32(part.from)
		default:
			return fmt.Errorf("%s has %d numbers; want 1, or 3 in the order of the channels", part.name, len(part.from))
		}
	}
	if o.Color != "" {
		c.Color = o.Color
	}
	if o.Fit != "" {
		c.Fit = o.Fit
	}
	return c.Validate()
}

// windowsML reads the metadata that ONNX's documentation lists for images, and Windows ML goes by.
func windowsML(metadata map[string]string) (mean, std [3]float32, color string, ok bool) {
	all := func(v float32) [3]float32 { return [3]float32{v, v, v} }
	switch metadata["Image.BitmapPixelFormat"] {
	case "Rgb8":
		color = ColorRGB
	case "Bgr8":
		color = ColorBGR
	default:
		return mean, std, "", false
	}
	switch metadata["Image.NominalPixelRange"] {
	case "NominalRange_0_255":
		return all(0), all(1), color, true
	case "Normalized_0_1":
		return all(0), all(255), color, true
	case "Normalized_1_1":
		return all(127.5), all(127.5), color, true
	}
	return mean, std, "", false
}

// decodeJSON reads one value, whose fields are all known.
func decodeJSON(text string, dst any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(dst); err != nil {
		return err
	}
	if d.More() {
		return fmt.Errorf("more follows after the JSON value")
	}
	return nil
}
