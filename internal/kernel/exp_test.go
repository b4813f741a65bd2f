package kernel

import (
	"math"
	"testing"
)

func TestExp(t *testing.T) {
	exp := func(x float32) float32 {
		v := []float32{x}
		exp32(v, v)
		return v[0]
	}
	var worst float64
	for x := float32(-87); x <= 88; x += 1.3e-4 {
		want := math.Exp(float64(x))
		worst = max(worst, math.Abs(float64(exp(x))-want)/want)
	}
	t.Logf("largest relative error %.3g", worst)
	if worst > 3e-7 {
		t.Errorf("largest relative error %.3g, documented as 3e-7", worst)
	}
	if exp(0) != 1 {
		t.Errorf("exp32(0) = %v", exp(0))
	}
	for _, x := range []float32{-87.1, -1e30, float32(math.Inf(-1))} {
		if y := exp(x); y != 0 {
			t.Errorf("exp32(%v) = %v, want 0", x, y)
		}
	}
	if y := exp(float32(math.NaN())); y == y {
		t.Errorf("exp32(NaN) = %v", y)
	}
}

func BenchmarkExp(b *testing.B) {
	x, y := make([]float32, 1024), make([]float32, 1024)
	for i := range x {
		x[i] = float32(i&63) * -0.7
	}
	b.SetBytes(4 * 1024)
	for range b.N {
		exp32(y, x)
	}
}
