package features

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/matrix"
)

// cross makes n embeddings a tenth of a radian or less off each of the axes, of lengths from 1 to 5.
func cross(dim, n int) *matrix.Matrix {
	r := rand.New(rand.NewPCG(1, uint64(dim)))
	m := &matrix.Matrix{Path: "cross", Dim: dim}
	for axis := range dim {
		for range n {
			x := make([]float32, dim)
			x[axis] = 1
			x[(axis+1)%dim] = float32(0.1 * (2*r.Float64() - 1))
			length := float32(1 + 4*r.Float64())
			for k := range x {
				x[k] *= length
			}
			m.Data = append(m.Data, x...)
			m.Names = append(m.Names, "")
			m.Identities = append(m.Identities, string(rune('a'+axis)))
		}
	}
	return m
}

func TestMeasure(t *testing.T) {
	for _, dim := range []int{2, 3} {
		m := cross(dim, 20)
		r, err := Measure(t.Context(), m, 1)
		if err != nil {
			t.Fatal(err)
		}
		if r.Images != 20*dim || r.Positive != dim*190 || r.Negative != dim*(dim-1)/2*400 || len(r.Identities) != dim {
			t.Errorf("%+v", r)
		}
		// Everything again, from the definition.
		var positive, negative []float64
		for i := range m.Len() {
			for j := range i {
				a, b := m.Row(i), m.Row(j)
				var ab, aa, bb float64
				for k := range a {
					ab, aa, bb = ab+float64(a[k])*float64(b[k]), aa+float64(a[k])*float64(a[k]), bb+float64(b[k])*float64(b[k])
				}
				angle := math.Acos(ab/math.Sqrt(aa*bb)) * 180 / math.Pi
				if m.Identities[i] == m.Identities[j] {
					positive = append(positive, angle)
				} else {
					negative = append(negative, angle)
				}
			}
		}
		mean := func(x []float64) (m float64) {
			for _, v := range x {
				m += v / float64(len(x))
			}
			return m
		}
		// The angles of allpairs are those of bins of the cosine: near 0 they are coarse.
		if math.Abs(r.PositiveDegrees-mean(positive)) > 0.1 || math.Abs(r.NegativeDegrees-mean(negative)) > 1e-3 {
			t.Errorf("mean angles %v and %v, want %v and %v", r.PositiveDegrees, r.NegativeDegrees, mean(positive), mean(negative))
		}
		if r.Angles.Overlap != 0 || r.AngularFisher > 0.05 {
			t.Errorf("overlap %v, Fisher %v of identities at right angles", r.Angles.Overlap, r.AngularFisher)
		}
		for _, x := range r.Identities {
			if x.Images != 20 || x.OwnDegrees > 20 || math.Abs(x.NearestDegrees-90) > 20 || x.Nearest == x.Name {
				t.Errorf("%+v", x)
			}
		}
	}
	if _, err := Measure(t.Context(), cross(4, 5), 1); err == nil || !strings.Contains(err.Error(), "embeddings of 4 numbers") {
		t.Errorf("error %v of four numbers", err)
	}
}

// A view is a right-handed basis that has the most of what it looks at in front.
func TestView(t *testing.T) {
	d := newDirections(cross(3, 5))
	v := d.View()
	for i := range 3 {
		for j := range 3 {
			var dot float64
			for k := range 3 {
				dot += v[i][k] * v[j][k]
			}
			want := 0.0
			if i == j {
				want = 1
			}
			if math.Abs(dot-want) > 1e-12 {
				t.Errorf("rows %d and %d have the product %v", i, j, dot)
			}
		}
	}
	if z := v[0][0]*v[1][1] - v[0][1]*v[1][0]; math.Abs(z-v[2][2]) > 1e-12 {
		t.Error("the view is a mirror image")
	}
	for i, m := range d.Means() {
		if front := v[2][0]*m[0] + v[2][1]*m[1] + v[2][2]*m[2]; front < 0 {
			t.Errorf("identity %d is behind the sphere", i)
		}
	}
}

func TestPage(t *testing.T) {
	for _, dim := range []int{2, 3} {
		r, err := Measure(t.Context(), cross(dim, 1200), 1)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := Page(&b, r, PageOptions{Title: "<features>"}); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		if !strings.Contains(text, "&lt;features&gt;") || strings.Contains(text, "NaN") {
			t.Error("the page does not escape its title, or has NaN")
		}
		if got, want := strings.Contains(text, "<script"), dim == 3; got != want {
			t.Errorf("%d-d: script %v", dim, got)
		}
		if shown := "3000 of 3600 are shown"; strings.Contains(text, shown) != (dim == 3) {
			t.Errorf("%d-d: the page does not say how many it shows", dim)
		}
	}
}

func TestPlotWithoutNames(t *testing.T) {
	d := newDirections(cross(2, 3))
	var b bytes.Buffer
	if err := eval.PlotDirections(d, "title", false).WritePNG(&b); err != nil || b.Len() == 0 {
		t.Error(err)
	}
}
