package losses

import (
	"math"
	"testing"
)

func TestCurricularFace(t *testing.T) {
	h := makeHead(t, "curricularface", Options{}).(*CurricularFace)
	if err := h.SetState(map[string][]float32{"t": {0.5}}); err != nil {
		t.Fatal(err)
	}
	h.Begin(1)
	s := h.Batch([]float64{0.8, 0.2}, nil)
	if got := h.get("t"); !near(got, 0.99*0.5+0.01*0.5, 1e-7) {
		t.Errorf("t = %v", got)
	}
	hard := math.Cos(math.Acos(0.8) + 0.5)
	for _, c := range []struct{ cos, want float64 }{
		{hard - 0.01, 64 * (hard - 0.01)},
		{hard + 0.01, 64 * (hard + 0.01) * (0.5 + hard + 0.01)},
	} {
		if z, _, _ := s[0].Other(c.cos, 1); !near(z, c.want, 1e-9) {
			t.Errorf("logit %v at cos = %v, want %v", z, c.cos, c.want)
		}
	}
}
