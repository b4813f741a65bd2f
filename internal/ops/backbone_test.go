package ops

import (
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// double is a backbone whose embedding is the first pixel times theta.
type double struct {
	images, y []float32
	calls     int
}

func (d *double) Dim() int { return 3 }

func (d *double) Forward(theta, images []float32, n int) []float32 {
	d.calls++
	d.images = images
	d.y = slices.Grow(d.y[:0], 3*n)
	for i := range n {
		for c := range 3 {
			d.y = append(d.y, theta[c]*images[i*12+c])
		}
	}
	return d.y
}

func (d *double) Backward(_, dEmbedding, dTheta []float32) {
	clear(dTheta)
	for i, v := range dEmbedding {
		dTheta[i%3] += v * d.images[i/3*12+i%3]
	}
}

func input(g *gorgonia.ExprGraph, name string, data any, shape ...int) *gorgonia.Node {
	v := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
	return gorgonia.NewTensor(g, v.Dtype(), len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name), gorgonia.WithValue(v))
}

// Gorgonia's own nodes after the embedding, and two backbones on the same inputs,
// which must not be taken for one.
func TestEmbedComposes(t *testing.T) {
	g := gorgonia.NewGraph()
	pixels := make([]float32, 2*12)
	for i := range pixels {
		pixels[i] = float32(i)
	}
	images := input(g, "images", pixels, 2, 2, 2, 3)
	theta := input(g, "theta", []float32{1, 2, 3}, 3)
	a, b := &double{}, &double{}
	dTheta := make([]float32, 3)
	x, err := Embed(a, images.Shape()[0], images, theta, dTheta)
	if err != nil {
		t.Fatal(err)
	}
	y, err := Embed(b, images.Shape()[0], images, theta, nil)
	if err != nil {
		t.Fatal(err)
	}
	// L = sum(x²) + sum(y): dL/dθ_c = sum over i of 2 θ_c p_ic² + p_ic
	loss := gorgonia.Must(gorgonia.Add(
		gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.Square(x)))), gorgonia.Must(gorgonia.Sum(y))))
	grads, err := gorgonia.Grad(loss, theta)
	if err != nil {
		t.Fatal(err)
	}
	m := gorgonia.NewTapeMachine(g)
	defer m.Close()
	for step := range 3 {
		if err := m.RunAll(); err != nil {
			t.Fatal(err)
		}
		m.Reset()
		want := make([]float32, 3)
		for i := range 2 {
			for c := range 3 {
				p := pixels[i*12+c]
				want[c] += 2*float32(c+1)*p*p + p
			}
		}
		if got := float32s(grads[0].Value()); !slices.Equal(got, want) {
			t.Errorf("step %d: gradient %v, want %v", step, got, want)
		}
		if a.calls != step+1 || b.calls != step+1 {
			t.Errorf("step %d: backbones ran %d and %d times", step, a.calls, b.calls)
		}
	}
}

func TestEmbedErrors(t *testing.T) {
	g := gorgonia.NewGraph()
	images := input(g, "images", make([]float32, 24), 2, 2, 2, 3)
	theta := input(g, "theta", make([]float32, 3), 3)
	if _, err := Embed(&double{}, 2, theta, theta, nil); err == nil || !strings.Contains(err.Error(), "want float32 (N, H, W, 3)") {
		t.Errorf("error %v of images that are a vector", err)
	}
	if _, err := Embed(&double{}, 2, images, images, nil); err == nil || !strings.Contains(err.Error(), "want a float32 vector") {
		t.Errorf("error %v of parameters that are images", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a gradient of the wrong length is taken")
		}
	}()
	Embed(&double{}, 2, images, theta, make([]float32, 4))
}
