package losses

import (
	"math"
	"testing"
)

func TestAdaFaceMemory(t *testing.T) {
	h := makeHead(t, "adaface", Options{}).(*AdaFace)
	norm := []float64{10, 14, 18, 300} // the last counts as 100
	mean, deviation := 35.5, math.Sqrt(5579.0/3)
	h.Begin(1)
	samples := h.Batch(make([]float64, 4), norm)
	if got := h.get("mean"); !near(got, 0.99*20+0.01*mean, 1e-6) {
		t.Errorf("mean %v", got)
	}
	if got := h.get("deviation"); !near(got, 0.99*100+0.01*deviation, 1e-6) {
		t.Errorf("deviation %v", got)
	}
	want := 0.333 * (14 - h.get("mean")) / (h.get("deviation") + 1e-3)
	if got := samples[1].(adaSample).z; !near(got, want, 1e-12) {
		t.Errorf("quality %v of length 14, want %v", got, want)
	}
	before := h.get("deviation")
	h.Batch([]float64{0}, []float64{5})
	if h.get("deviation") != before || !near(h.get("mean"), 0.99*(0.99*20+0.01*mean)+0.01*5, 1e-6) {
		t.Errorf("after a batch of one: mean %v, deviation %v", h.get("mean"), h.get("deviation"))
	}
	h.Begin(1)
	if h.get("mean") != 20 || h.State()["mean"][0] != 20 {
		t.Error("a step that is not committed moves the mean")
	}
}
