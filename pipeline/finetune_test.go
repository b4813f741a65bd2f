package pipeline

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/embed/onnx"
	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/internal/nn"
	"github.com/faceverify/fv/pipeline/dataset"
	"github.com/faceverify/fv/pipeline/synth"
)

// exported trains a small network with batch norm for an epoch and returns it, and the ONNX file of it.
func exported(t *testing.T, data string) (*embed.Model, string) {
	t.Helper()
	c := tiny(t, data, "backbone=sfnet4-bn", "epochs=1")
	train(t, c, Events{})
	m, err := embed.Load(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.EncodeONNX(embed.ONNXExport{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return m, path
}

// tuning returns the settings of a run that starts from an ONNX file.
func tuning(t *testing.T, data, file string, changes ...string) Config {
	return tiny(t, data, append([]string{"backbone=" + Default().Backbone, "init=" + file, "epochs=1"}, changes...)...)
}

func trained(t *testing.T, c Config) *embed.Model {
	t.Helper()
	train(t, c, Events{})
	m, err := embed.Load(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What is frozen keeps its bits, and its norms their statistics; the rest learns.
func TestFreeze(t *testing.T) {
	data := drawFaces(t, 8)
	before, file := exported(t, data)
	below := 0
	for _, p := range before.Network.Params() {
		if p.Name == "layer2.prelu.weight" {
			below = p.Offset + p.Len
		}
	}
	stats := 0
	for _, p := range before.Network.Buffers() {
		if p.Name == "layer2.bn.running_var" {
			stats = p.Offset + p.Len
		}
	}
	for _, tt := range []struct {
		changes       []string
		theta, buffer int // how many of each stay
	}{
		{nil, 0, 0},
		{[]string{"freeze-until=layer2.prelu"}, below, stats},
		{[]string{"freeze-backbone=1epochs"}, len(before.Theta), len(before.Buffers)},
		{[]string{"norms=frozen", "lr-backbone=0.5x"}, 0, len(before.Buffers)},
		{[]string{"lr-backbone=0x"}, len(before.Theta), 0},
	} {
		m := trained(t, tuning(t, data, file, tt.changes...))
		if n := tt.theta; !slices.Equal(m.Theta[:n], before.Theta[:n]) || n < len(m.Theta) && slices.Equal(m.Theta[n:], before.Theta[n:]) {
			t.Errorf("%v: of %d weights not just the first %d stayed", tt.changes, len(m.Theta), n)
		}
		if n := tt.buffer; !slices.Equal(m.Buffers[:n], before.Buffers[:n]) || n < len(m.Buffers) && slices.Equal(m.Buffers[n:], before.Buffers[n:]) {
			t.Errorf("%v: of %d statistics not just the first %d stayed", tt.changes, len(m.Buffers), n)
		}
	}
}

// The classes' weights start at the direction of the sum of their images' unit embeddings.
func TestHeadFromMeans(t *testing.T) {
	data := drawFaces(t, 8)
	before, file := exported(t, data)
	e, err := before.Embedder(embed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, head := range []string{"amsoftmax", "subcenter-arcface"} {
		m := trained(t, tuning(t, data, file, "head="+head, "head-init=means", "max-steps=1", "lr=1e-20", "weight-decay=0"))
		w := m.HeadParams["weight"]
		dim := m.Dim()
		centers := len(w.Data) / dim / len(m.Classes)
		for class := range m.Classes {
			mean := make([]float64, dim)
			for i := range 4 {
				img, err := dataset.DecodeFile(filepath.Join(data, synth.Name(class), fmt.Sprintf("%04d.png", i)), dataset.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				v, err := e.EmbedBatch(t.Context(), imagesOf(img))
				if err != nil {
					t.Fatal(err)
				}
				addUnit(mean, v[0])
			}
			var want []float32
			for _, x := range mean {
				want = append(want, float32(x))
			}
			for k := range centers {
				cos := eval.Cosine(want, w.Data[(class*centers+k)*dim:][:dim])
				if k == 0 && math.Abs(cos-1) > 1e-6 || k > 0 && !(cos > 0.9 && cos < 0.9999) {
					t.Errorf("%s: center %d of class %d has cosine %v with the mean", head, k, class, cos)
				}
			}
		}
	}
}

// A run that starts from an ONNX file goes on from a checkpoint to the bit, also when the file is gone.
func TestResumeFineTuning(t *testing.T) {
	data := drawFaces(t, 8)
	_, file := exported(t, data)
	changes := []string{"epochs=2", "head-init=means", "freeze-backbone=3", "lr-backbone=0.3x"}
	whole := tuning(t, data, file, changes...)
	train(t, whole, Events{})
	parts := tuning(t, data, file, changes...)
	ctx, stop := context.WithCancel(t.Context())
	_, err := Train(ctx, parts, Events{Step: func(p Progress) {
		if p.Step == 6 {
			stop()
		}
	}})
	var interrupted *InterruptedError
	if !errors.As(err, &interrupted) {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := Resume(t.Context(), parts.Out, nil, Events{}); err != nil {
		t.Fatal(err)
	}
	sameRun(t, whole.Out, parts.Out)
}

func TestFineTuningMistakes(t *testing.T) {
	data := drawFaces(t, 8)
	m, file := exported(t, data)
	bare := filepath.Join(t.TempDir(), "bare.onnx")
	writeBare(t, bare, m)
	for _, tt := range []struct {
		c    Config
		want string
	}{
		{tuning(t, data, file, "backbone=sfnet4"), "--backbone: sfnet4: the network is that of"},
		{tuning(t, data, file, "freeze-until=layer9"), `--freeze-until: there is no layer "layer9" among the`},
		{tuning(t, data, file, "freeze-until=layer2"), "there are layer2.conv, layer2.bn, layer2.prelu"},
		{tuning(t, data, bare), "--mean and --std say so"},
		{tuning(t, data, bare, "mean=1,2", "std=1"), "mean has 2 numbers"},
		{tiny(t, data, "head-init=means"), "--head-init: it goes with --init"},
		{tiny(t, data, "freeze-backbone=2"), "--freeze-backbone: it goes with --init"},
		{tuning(t, data, filepath.Join(data, "absent.onnx")), "--init: "},
		{tuning(t, data, file, "norms=off"), `--norms: there is no "off"`},
	} {
		if _, err := Train(t.Context(), tt.c, Events{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want one with %q", err, tt.want)
		}
		if _, err := os.Stat(tt.c.Out); err == nil {
			t.Errorf("%s: a run folder was made", tt.want)
		}
	}
	c := tuning(t, data, bare, "mean=127.5", "std=128", "color=bgr", "max-steps=1")
	got := trained(t, c).Contract
	if want := (embed.Contract{Height: 32, Width: 32, Color: "bgr", Mean: [3]float32{127.5, 127.5, 127.5}, Std: [3]float32{128, 128, 128}, Fit: "crop", Align: "none", Flip: "none"}); got != want {
		t.Errorf("contract %+v, want %+v", got, want)
	}
}

// Layers that are for inference only are named before anything is written.
func TestInferenceOnly(t *testing.T) {
	data := drawFaces(t, 8)
	m := embed.NewModel(&nn.Network{Name: "other", Input: nn.Shape{C: 3, H: 32, W: 32}, Layers: []nn.Layer{
		{Name: "conv", Kind: nn.Convolution, Out: 4, Kernel: 3, More: nn.More{Dilation: 2}},
		{Name: "flatten", Kind: nn.Flatten}, {Name: "fc", Kind: nn.Linear, Out: 16},
	}}, embed.DefaultContract(32, 32), 1)
	path := filepath.Join(t.TempDir(), "other.safetensors")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	c := tuning(t, data, path)
	if _, err := Train(t.Context(), c, Events{}); err == nil || !strings.Contains(err.Error(), `layer "conv": a dilated convolution is for inference only`) {
		t.Errorf("error %v", err)
	}
}

func imagesOf(list ...image.Image) []image.Image { return list }

// writeBare writes a file without metadata.
func writeBare(t *testing.T, path string, m *embed.Model) {
	t.Helper()
	b, err := onnx.Encode(m.Network, m.Theta, m.Buffers, onnx.ExportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
