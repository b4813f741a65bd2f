package eval

import (
	"encoding/json"
	"math"
	"testing"
)

func TestClopperPearson(t *testing.T) {
	for _, c := range []struct {
		k, n      int
		low, high float64
		tolerance float64
	}{
		{9856, 10000, 0.98307, 0.98784, 5e-6}, // shown to five digits
		{0, 10, 0, 1 - math.Pow(0.025, 0.1), 1e-12},
		{10, 10, math.Pow(0.025, 0.1), 1, 1e-12},
		{1, 1, 0.025, 1, 1e-12},
		{0, 3000, 0, 1 - math.Pow(0.025, 1.0/3000), 1e-12},
	} {
		low, high := ClopperPearson(c.k, c.n, 0.95)
		if math.Abs(low-c.low) > c.tolerance || math.Abs(high-c.high) > c.tolerance {
			t.Errorf("%d of %d: [%.7f, %.7f], want [%.7f, %.7f]", c.k, c.n, low, high, c.low, c.high)
		}
	}
}

// The bounds are where the binomial tails have probability 2.5 %.
func TestClopperPearsonTails(t *testing.T) {
	tail := func(p float64, from, to, n int) float64 {
		var sum float64
		for k := from; k <= to; k++ {
			a, _ := math.Lgamma(float64(n + 1))
			b, _ := math.Lgamma(float64(k + 1))
			c, _ := math.Lgamma(float64(n - k + 1))
			sum += math.Exp(a - b - c + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
		}
		return sum
	}
	for _, c := range [][2]int{{1, 7}, {3, 7}, {50, 300}, {299, 300}, {2, 3000}} {
		k, n := c[0], c[1]
		low, high := ClopperPearson(k, n, 0.95)
		if up, down := tail(low, k, n, n), tail(high, 0, k, n); math.Abs(up-0.025) > 1e-9 || math.Abs(down-0.025) > 1e-9 {
			t.Errorf("%d of %d: tails %v and %v, want 0.025", k, n, up, down)
		}
	}
}

func TestThresholdUnits(t *testing.T) {
	th := NewThreshold(0.5)
	if math.Abs(th.Degrees-60) > 1e-12 || math.Abs(th.Angle-math.Pi/3) > 1e-15 || th.SquaredL2 != 1 {
		t.Errorf("cosine 0.5: %+v", th)
	}
	if th := NewThreshold(1 + 1e-9); th.Angle != 0 {
		t.Errorf("cosine a rounding above 1: %+v", th)
	}
	for _, score := range []float64{math.Inf(1), 17} {
		text, err := json.Marshal(NewThreshold(score))
		if err != nil {
			t.Fatal(err)
		}
		want := `{"score":17,"angle":null,"degrees":null,"squared_l2":null}`
		if math.IsInf(score, 1) {
			want = `{"score":null,"angle":null,"degrees":null,"squared_l2":null}`
		}
		if string(text) != want {
			t.Errorf("%v: %s, want %s", score, text, want)
		}
	}
}

func TestUnresolvedIsNoNumber(t *testing.T) {
	roc, err := NewROC([]float64{3, 2, 1}, []bool{true, false, false})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(roc.AtFAR(0.1))
	if want := `{"far_target":0.1,"resolved":false,"threshold":null,"far":null,"tar":null}`; err != nil || string(text) != want {
		t.Errorf("%s, %v, want %s", text, err, want)
	}
	if p := roc.AtFAR(0.5); !p.Resolved || p.Threshold.Score != 2 || p.TAR.Count != 1 {
		t.Errorf("FAR 0.5 of two impostors: %+v", p)
	}
}
