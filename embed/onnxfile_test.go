package embed

import (
	"context"
	"errors"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faceverify/fv/embed/onnx"
	"github.com/faceverify/fv/internal/nn"
)

// A backbone of each family comes back from ONNX with the same layers and the same bits. (scripts/golden/onnx_export.sh does them all, at
// full size, with onnxruntime.)
func TestONNXRoundTrip(t *testing.T) {
	for _, name := range []string{"sfnet4", "sfnet10-bn", "mobilefacenet", "iresnet18"} {
		for _, fold := range []bool{false, true} {
			m := NewModel(mustBackbone(t, name, BackboneOptions{Embedding: 8, Height: 32, Width: 16}), DefaultContract(32, 16), 3)
			for i := range m.Buffers {
				m.Buffers[i] += float32(i%7) / 16
			}
			data, err := m.EncodeONNX(ONNXExport{FoldNorms: fold})
			if err != nil {
				t.Fatal(err)
			}
			file, err := onnx.Decode(data, "", onnx.Options{})
			if err != nil {
				t.Fatal(err)
			}
			back, err := fromONNX(file, ONNXOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(m.Contract, back.Contract); d != "" {
				t.Error(d)
			}
			if fold {
				d, err := difference(context.Background(), m, back, []image.Image{noise(1, 32, 16)})
				if err != nil || d > 1e-5 {
					t.Errorf("%s with folded norms differs by %v, %v", name, d, err)
				}
				norms := 0
				for _, l := range back.Network.Layers {
					if l.Kind == nn.BatchNorm {
						norms++
					}
				}
				if before := strings.HasPrefix(name, "iresnet"); norms > 0 != before {
					t.Errorf("%s has %d norms after folding", name, norms)
				}
				continue
			}
			if d := cmp.Diff(m.Network.Summary().Rows, back.Network.Summary().Rows); d != "" {
				t.Errorf("%s: %s", name, d)
			}
			if !slices.Equal(m.Theta, back.Theta) || !slices.Equal(m.Buffers, back.Buffers) {
				t.Errorf("%s came back with other weights", name)
			}
		}
	}
}

// The exported file is tried before it is written, in every form.
func TestExportONNX(t *testing.T) {
	m := tiny()
	images := []image.Image{noise(1, 8, 6), noise(2, 8, 6), noise(3, 8, 6)}
	for _, o := range []ONNXExport{{}, {Opset: 11}, {Opset: 21, Normalize: true}, {FoldNorms: true}, {Half: true, Normalize: true, FoldNorms: true}} {
		path := filepath.Join(t.TempDir(), "m.onnx")
		r, err := m.ExportONNX(context.Background(), path, o, images)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Size() != int64(r.Bytes) || r.Images != 3 || r.Difference > r.Tolerance {
			t.Errorf("%+v: %+v, %v", o, r, err)
		}
		back, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if back.Threshold == nil || *back.Threshold != *m.Threshold || back.Contract != m.Contract {
			t.Errorf("%+v came back with %+v and %+v", o, back.Threshold, back.Contract)
		}
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	if _, err := m.ExportONNX(context.Background(), path, ONNXExport{FoldNorms: true, Tolerance: 1e-12}, images); err == nil || !strings.Contains(err.Error(), "is not written") {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("an export that differs was written")
	}
	if _, err := m.ExportONNX(context.Background(), path, ONNXExport{Opset: 5}, images); err == nil || !strings.Contains(err.Error(), "opset 5; this program writes 11 to 21") {
		t.Errorf("error is %v", err)
	}
}

// A file that does not say how images become its input needs to be told.
func TestONNXContract(t *testing.T) {
	m := tiny()
	bare, err := onnx.Encode(m.Network, m.Theta, m.Buffers, onnx.ExportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	windows, err := onnx.Encode(m.Network, m.Theta, m.Buffers, onnx.ExportOptions{Metadata: map[string]string{"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "Normalized_0_1"}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	load := func(data []byte, o ONNXOptions) (*Model, error) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return LoadONNX(path, o)
	}
	for _, o := range []ONNXOptions{{}, {Mean: []float32{1}}, {Std: []float32{1}}} {
		if _, err := load(bare, o); !errors.Is(err, ErrNoContract) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%+v: error %v", o, err)
		}
	}
	got, err := load(bare, ONNXOptions{Mean: []float32{1, 2, 3}, Std: []float32{4}, Color: ColorBGR})
	want := Contract{Height: 8, Width: 6, Color: ColorBGR, Mean: [3]float32{1, 2, 3}, Std: [3]float32{4, 4, 4}, Fit: FitCrop, Align: "none", Flip: FlipNone}
	if err != nil || got.Contract != want {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = load(windows, ONNXOptions{})
	want.Mean, want.Std = [3]float32{}, [3]float32{255, 255, 255}
	if err != nil || got.Contract != want {
		t.Errorf("%+v, %v", got, err)
	}
	for o, text := range map[*ONNXOptions]string{
		{Mean: []float32{1, 2}, Std: []float32{1}}:                   "mean has 2 numbers; want 1, or 3",
		{Mean: []float32{1}, Std: []float32{0}}:                      "std[0] is 0; want a positive number",
		{Mean: []float32{1}, Std: []float32{1}, Height: 9, Width: 6}: `input "images" is 8x6 (height x width), not 9x6`,
		{Mean: []float32{1}, Std: []float32{1}, Output: "logits"}:    `there is no output "logits"; there are embedding`,
	} {
		if _, err := load(bare, *o); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error %v, want %q", err, text)
		}
	}
}
