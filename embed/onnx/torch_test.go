package onnx

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/nn"
)

// Files that PyTorch exported, in many forms and opsets, give what they give in onnxruntime: scripts/golden/onnx_torch.py writes
// both to the folder that FV_ONNX_TORCH names.
func TestTorch(t *testing.T) {
	dir := os.Getenv("FV_ONNX_TORCH")
	if dir == "" {
		t.Skip("FV_ONNX_TORCH names no folder that scripts/golden/onnx_torch.py wrote")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	pool := kernel.NewPool(1)
	defer pool.Close()
	for _, path := range files {
		base := strings.TrimSuffix(path, ".onnx")
		t.Run(filepath.Base(base), func(t *testing.T) {
			read := func(suffix string) []float32 {
				b, err := os.ReadFile(base + suffix)
				if err != nil {
					t.Fatal(err)
				}
				return floats(b)
			}
			m, err := Read(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			const n = 3 // the same image thrice, whatever batch the file is for
			inf, err := nn.NewInference(m.Network, m.Theta, m.Buffers, n, nn.FP32, pool)
			if err != nil {
				t.Fatal(err)
			}
			defer inf.Close()
			in, x := m.Network.Input, read(".x")
			images := make([]float32, n*in.Len())
			for i := range n {
				planesToPixels(images[i*in.Len():], x, in)
			}
			y := inf.Forward(images, n)
			for k := range m.Outputs {
				s := nn.Shape{C: m.Network.Dim(), H: 1, W: 1}
				if len(m.Network.Outputs) > 0 {
					y, s = inf.Output(k, n)
				}
				want := read(fmt.Sprintf(".y%d", k))
				got := make([]float32, s.Len())
				pixelsToPlanes(got, y[(n-1)*s.Len():], s)
				if len(got) != len(want) {
					t.Fatalf("output %s has %d numbers, want %d", m.Outputs[k], len(got), len(want))
				}
				largest, worst := 0.0, 0.0
				for i, w := range want {
					largest = max(largest, math.Abs(float64(w)))
					worst = max(worst, math.Abs(float64(got[i]-w)))
				}
				// Float32's rounding over sums of some thousand terms, layer after layer.
				if !(worst <= 1e-5*largest) {
					t.Errorf("output %s differs by %v of %v", m.Outputs[k], worst, largest)
				}
			}
			kinds := map[nn.Kind]int{}
			for _, l := range m.Network.Layers {
				kinds[l.Kind]++
			}
			t.Logf("%d layers: %v", len(m.Network.Layers), kinds)
		})
	}
}
