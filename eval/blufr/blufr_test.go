package blufr

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/faceverify/fv/eval/matrix"
)

// people returns embeddings of n people, person k with 1 + k mod 4 images.
func people(n int, noise float64) *matrix.Matrix {
	r := rand.New(rand.NewPCG(1, 1))
	m := &matrix.Matrix{Path: "people", Dim: 16}
	for k := range n {
		centre := make([]float64, m.Dim)
		for j := range centre {
			centre[j] = r.NormFloat64()
		}
		for i := range 1 + k%4 {
			for _, c := range centre {
				m.Data = append(m.Data, float32(c+noise*r.NormFloat64()))
			}
			m.Names, m.Identities = append(m.Names, fmt.Sprintf("%d/%d", k, i)), append(m.Identities, fmt.Sprint(k))
		}
	}
	return m
}

func TestMeasure(t *testing.T) {
	m := people(120, 0.5)
	o := Options{Trials: 4, Train: 20, Gallery: 30, Seed: 3}
	r, err := Measure(context.Background(), m, o)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Measure(context.Background(), m, o)
	if err != nil || !reflect.DeepEqual(r, again) {
		t.Errorf("the same seed gives other trials: %v", err)
	}
	var vr float64
	for _, trial := range r.Trials {
		if trial.People != 100 || trial.Genuine+trial.Impostor != trial.Images*(trial.Images-1)/2 {
			t.Errorf("%+v", trial)
		}
		// Every image of the people tested is enrolled, a mated or a non-mated probe.
		if trial.Mated+trial.NonMated+o.Gallery != trial.Images {
			t.Errorf("%d mated + %d non-mated + %d enrolled of %d images", trial.Mated, trial.NonMated, o.Gallery, trial.Images)
		}
		vr += trial.VR.TAR.Value / 4
	}
	if math.Abs(vr-r.VR.Mean) > 1e-12 || r.VR.Report != r.VR.Mean-r.VR.Std || r.DIR.Mean <= 0 || r.Trials[0].Genuine == r.Trials[1].Genuine && r.Trials[1].Genuine == r.Trials[2].Genuine {
		t.Errorf("%+v", r)
	}
	// Perfect embeddings are found perfect.
	perfect, err := Measure(context.Background(), people(120, 0), o)
	if err != nil {
		t.Fatal(err)
	}
	if perfect.VR != (Summary{1, 0, 1}) || perfect.DIR != (Summary{1, 0, 1}) {
		t.Errorf("%+v %+v", perfect.VR, perfect.DIR)
	}
}

func TestMistakes(t *testing.T) {
	m := people(40, 0.5)
	nobody := people(40, 0.5)
	nobody.Identities[4] = ""
	for _, c := range []struct {
		m    *matrix.Matrix
		o    Options
		want string
	}{
		{m, Options{}, "40 people, of which 1500 are for training"},
		{m, Options{Train: 10}, "people have two or more images, 1000 are to be enrolled"},
		{m, Options{Train: 30, Gallery: 2}, "impostor pairs do not resolve FAR 0.001"},
		{m, Options{Train: 1, Gallery: 25}, "non-mated probes do not resolve FPIR 0.01"},
		{m, Options{Trials: 1}, "1 trials"},
		{nobody, Options{}, "has no identity"},
	} {
		if _, err := Measure(context.Background(), c.m, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.o, err, c.want)
		}
	}
}
