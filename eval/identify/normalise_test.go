package identify

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/matrix"
	"github.com/faceverify/fv/internal/kernel"
)

func drawMatrix(r *rand.Rand, name string, n, dim int) *matrix.Matrix {
	m := &matrix.Matrix{Path: name, Dim: dim}
	for i := range n {
		for range dim {
			m.Data = append(m.Data, float32(r.NormFloat64()+0.3))
		}
		m.Names = append(m.Names, name+string(rune('A'+i)))
		m.Identities = append(m.Identities, name+string(rune('A'+i)))
	}
	return m
}

// Normalised scores are those of the definitions, written out.
func TestNormalise(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	gallery, probes, cohort := drawMatrix(r, "g", 4, 6), drawMatrix(r, "p", 5, 6), drawMatrix(r, "c", 9, 6)
	g, err := enrol(gallery, One)
	if err != nil {
		t.Fatal(err)
	}
	pool := kernel.NewPool(2)
	defer pool.Close()
	against := func(x []float32) (mean, std float64) {
		var s []float64
		for i := range cohort.Len() {
			s = append(s, eval.Cosine(x, cohort.Row(i)))
		}
		return stat.PopMeanStdDev(s, nil)
	}
	unit := make([]float32, len(probes.Data))
	for i := range probes.Len() {
		for j, x := range probes.Row(i) {
			unit[i*6+j] = float32(float64(x) / length(probes.Row(i)))
		}
	}
	for _, mode := range []string{ZNorm, TNorm, SNorm} {
		z, err := g.newNormaliser(pool, cohort, mode)
		if err != nil {
			t.Fatal(err)
		}
		scores := make([]float32, 5*4)
		for i := range 5 {
			for k := range 4 {
				scores[i*4+k] = float32(eval.Cosine(probes.Row(i), gallery.Row(k)))
			}
		}
		if err := z.apply(pool, scores, unit, nil); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			for k := range 4 {
				s := eval.Cosine(probes.Row(i), gallery.Row(k))
				gm, gs := against(gallery.Row(k))
				pm, ps := against(probes.Row(i))
				want := map[string]float64{ZNorm: (s - gm) / gs, TNorm: (s - pm) / ps, SNorm: ((s-gm)/gs + (s-pm)/ps) / 2}[mode]
				if got := float64(scores[i*4+k]); math.Abs(got-want) > 1e-5*(1+math.Abs(want)) {
					t.Errorf("%s-norm of probe %d and template %d: %v, want %v", mode, i, k, got, want)
				}
			}
		}
	}
}

// A threshold of normalised scores has no angle, even where it lies between -1 and 1; one that fits all
// probes alike leaves the ranks.
func TestNormaliseThresholds(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	gallery, cohort := drawMatrix(r, "g", 6, 8), drawMatrix(r, "c", 20, 8)
	probes, unknown := drawMatrix(r, "g", 6, 8), drawMatrix(r, "u", 10, 8)
	for i := range probes.Names {
		probes.Names[i] += "2"
	}
	plain, err := Measure(context.Background(), gallery, probes, unknown, Options{FPIRs: []float64{0.2}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Measure(context.Background(), gallery, probes, unknown, Options{FPIRs: []float64{0.2}, Normalise: TNorm, Cohort: cohort})
	if err != nil {
		t.Fatal(err)
	}
	if got.Cohort != 20 || got.Normalise != TNorm || !math.IsNaN(got.Points[0].Threshold.Angle) || math.IsNaN(plain.Points[0].Threshold.Angle) || plain.Normalise != NoNorm {
		t.Errorf("%+v and %+v", got.Points[0].Threshold, plain.Points[0].Threshold)
	}
	for k, s := range plain.Ranks { // t-norm rises with the score of one probe
		if got.Ranks[k] != s {
			t.Errorf("rank %d: %v, without t-norm %v", k+1, got.Ranks[k], s)
		}
	}
	flat := &matrix.Matrix{Path: "flat", Dim: 8, Data: append(append([]float32{}, cohort.Row(0)...), cohort.Row(0)...), Names: []string{"a", "b"}, Identities: []string{"x", "y"}}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Normalise: "q"}, `normalisation "q": want none, z, t or s`},
		{Options{Normalise: ZNorm}, "normalisation z needs a cohort"},
		{Options{Normalise: ZNorm, Cohort: flat}, "all of the cohort's scores with the template of gA are equal"},
		{Options{Normalise: TNorm, Cohort: flat}, "all of the cohort's scores with g: row 1 (gA2) are equal"},
		{Options{Normalise: TNorm, Cohort: drawMatrix(r, "c", 3, 2)}, "c has embeddings of 2 values, the gallery's have 8"},
		{Options{Normalise: TNorm, Cohort: drawMatrix(r, "c", 1, 8)}, "a cohort of one image"},
	} {
		if _, err := Measure(context.Background(), gallery, probes, unknown, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
