package embed

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"math"

	"github.com/faceverify/fv/embed/onnx"
	"github.com/faceverify/fv/internal/atomicfile"
)

// ONNXExport says how a model is written as an ONNX file.
type ONNXExport struct {
	Opset     int    // 0 means 17
	FoldNorms bool   // batch norms become part of the convolutions and linear layers before them
	Normalize bool   // the embedding is divided by its length
	Half      bool   // weights are kept in half precision
	Version   string // of the program

	// Tolerance is the most that a number of a unit-length embedding may differ by between the model and
	// the file; 0 means 1e-5, or 1e-2 with Half.
	Tolerance float64
}

// Tolerances of ExportONNX.
const (
	exportTolerance     = 1e-5
	exportToleranceHalf = 1e-2
)

// Export is what ExportONNX found.
type Export struct {
	Bytes      int     `json:"bytes"`
	Images     int     `json:"images"`     // that were embedded by both
	Difference float64 `json:"difference"` // largest, of a number of a unit-length embedding
	Tolerance  float64 `json:"tolerance"`
}

// EncodeONNX returns the model as an ONNX file. Its metadata hold the preprocessing contract and the threshold.
func (m *Model) EncodeONNX(o ONNXExport) ([]byte, error) {
	if err := m.describe(); err != nil {
		return nil, err
	}
	metadata := map[string]string{keyVersion: version}
	for key, value := range map[string]any{keyContract: m.Contract, keyThreshold: m.Threshold} {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		metadata[key] = string(text)
	}
	m.Contract.toWindowsML(metadata)
	return onnx.Encode(m.Network, m.Theta, m.Buffers, onnx.ExportOptions{
		Opset: o.Opset, FoldNorms: o.FoldNorms, Normalize: o.Normalize, Half: o.Half,
		Producer: "fv", Version: o.Version, Metadata: metadata,
	})
}

// toWindowsML adds what windowsML reads, where that can say what the contract says.
func (c Contract) toWindowsML(metadata map[string]string) {
	for _, nominal := range []string{"NominalRange_0_255", "Normalized_0_1", "Normalized_1_1"} {
		for _, format := range []string{"Rgb8", "Bgr8"} {
			try := map[string]string{"Image.BitmapPixelFormat": format, "Image.NominalPixelRange": nominal}
			if mean, std, color, ok := windowsML(try); ok && mean == c.Mean && std == c.Std && color == c.Color {
				for k, v := range try {
					metadata[k] = v
				}
			}
		}
	}
}

// ExportONNX writes the model to an ONNX file, whole or not at all. It reads the file's bytes back first, embeds the images with
// both models, and writes nothing if the embeddings differ by more than the tolerance.
func (m *Model) ExportONNX(ctx context.Context, path string, o ONNXExport, images []image.Image) (*Export, error) {
	if len(images) == 0 {
		return nil, fmt.Errorf("%s: no images to try the export on", path)
	}
	data, err := m.EncodeONNX(o)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot write this model: %w", path, err)
	}
	r := &Export{Bytes: len(data), Images: len(images), Tolerance: o.Tolerance}
	if r.Tolerance == 0 {
		r.Tolerance = exportTolerance
		if o.Half {
			r.Tolerance = exportToleranceHalf
		}
	}
	file, err := onnx.Decode(data, "", onnx.Options{})
	if err != nil {
		return nil, fmt.Errorf("%s: the file that would be written cannot be read: %w", path, err)
	}
	back, err := fromONNX(file, ONNXOptions{})
	if err != nil {
		return nil, fmt.Errorf("%s: the file that would be written cannot be used: %w", path, err)
	}
	if r.Difference, err = difference(ctx, m, back, images); err != nil {
		return nil, err
	}
	if !(r.Difference <= r.Tolerance) {
		return r, fmt.Errorf("%s is not written: on %d images its embeddings differ from the model's by up to %.2g, more than %.2g", path, len(images), r.Difference, r.Tolerance)
	}
	return r, atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// difference returns the largest difference of a number of the unit-length embeddings of two models.
func difference(ctx context.Context, a, b *Model, images []image.Image) (float64, error) {
	var vectors [2][][]float32
	for i, m := range []*Model{a, b} {
		e, err := m.Embedder(Options{})
		if err != nil {
			return 0, err
		}
		vectors[i], err = e.EmbedBatch(ctx, images)
		e.Close()
		if err != nil {
			return 0, err
		}
	}
	largest := 0.0
	for i, v := range vectors[0] {
		w := vectors[1][i]
		if len(v) != len(w) {
			return math.Inf(1), nil
		}
		p, q := length(v), length(w)
		for k := range v {
			d := math.Abs(float64(v[k])/p - float64(w[k])/q)
			if math.IsNaN(d) {
				return math.Inf(1), nil
			}
			largest = max(largest, d)
		}
	}
	return largest, nil
}

func length(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}
