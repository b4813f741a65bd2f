package eval

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// eval/testdata/density.json was written by scripts/golden/eval.py with scipy's kernels. Angles are gathered
// in cells of 0.01°, which leaves four digits at the least bandwidth, and more at this one.
func TestDensityAgainstSciPy(t *testing.T) {
	text, err := os.ReadFile("testdata/density.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Angles, Density []float64
		Bandwidth       float64
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	side := newAngleSide(g.Angles, nil)
	if math.Abs(side.Bandwidth-g.Bandwidth) > 1e-12 || len(side.Density) != DensityPoints {
		t.Fatalf("bandwidth %v, scipy %v; %d points", side.Bandwidth, g.Bandwidth, len(side.Density))
	}
	var mass float64
	for i, d := range side.Density {
		if math.Abs(d-g.Density[i]) > 1e-5 {
			t.Errorf("at %d/2°: %v, scipy %v", i, d, g.Density[i])
		}
		w := 1.0
		if i == 0 || i == DensityPoints-1 {
			w = 0.5
		}
		mass += w * d * math.Pi / (DensityPoints - 1)
	}
	if math.Abs(mass-1) > 1e-6 {
		t.Errorf("the density sums to %v", mass)
	}
	// Weights count.
	twice := make([]float64, len(g.Angles))
	for i := range twice {
		twice[i] = 2
	}
	weighted, _ := density(g.Angles, twice, side.Std, math.NaN())
	doubled := append(append([]float64{}, g.Angles...), g.Angles...)
	plain, _ := density(doubled, nil, side.Std, math.NaN())
	for i := range plain {
		if math.Abs(plain[i]-weighted[i]) > 1e-4 {
			t.Fatalf("at %d/2°: %v by weights, %v by repetition", i, weighted[i], plain[i])
		}
	}
}

// The score class by class is that of the definition, written out.
func TestAngularFisherDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const n, dim = 60, 4
	x := make([]float32, n*dim)
	classes := make([]string, n)
	unit := make([][]float64, n)
	sums := map[string][]float64{}
	all := make([]float64, dim)
	length := func(v []float64) float64 {
		var s float64
		for _, y := range v {
			s += y * y
		}
		return math.Sqrt(s)
	}
	for i := range n {
		classes[i] = fmt.Sprint(r.IntN(7))
		unit[i] = make([]float64, dim)
		for j := range dim {
			x[i*dim+j] = float32(r.NormFloat64() + float64(len(classes[i])) + 2)
			unit[i][j] = float64(x[i*dim+j])
		}
		l := length(unit[i])
		if sums[classes[i]] == nil {
			sums[classes[i]] = make([]float64, dim)
		}
		for j := range dim {
			unit[i][j] /= l
			sums[classes[i]][j] += unit[i][j]
			all[j] += unit[i][j]
		}
	}
	cosine := func(a, b []float64) float64 {
		var s float64
		for j := range a {
			s += a[j] * b[j]
		}
		return s / length(a) / length(b)
	}
	var within, between float64
	for i, u := range unit {
		within += 1 - cosine(u, sums[classes[i]])
		between += 1 - cosine(sums[classes[i]], all)
	}
	got, err := AngularFisher(x, dim, classes)
	if err != nil || math.Abs(got-within/between) > 1e-12*got {
		t.Errorf("%v, %v; want %v", got, err, within/between)
	}
}
