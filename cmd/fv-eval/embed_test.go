package main

import (
	"math"
	"testing"
)

func TestNormalise(t *testing.T) {
	v := []float32{3, 4}
	if norm := normalise(v, true); norm != 5 || v[0] != 3 {
		t.Errorf("raw: norm %v, %v", norm, v)
	}
	if norm := normalise(v, false); norm != 5 || math.Abs(float64(v[0])-0.6) > 1e-7 {
		t.Errorf("norm %v, %v", norm, v)
	}
}
