package nn

import (
	"math"
	"strings"
	"testing"

	"github.com/faceverify/fv/internal/kernel"
)

// more computes a layer of one of the kinds of kinds.go for one image, number by number in PyTorch's order. Forward passes are also
// held to ONNX's own tests, in embed/onnx; this is what gradients are held to.
func (f *reference) more(d *node, param func(k int) []float64, x [][]float64, s []Shape, y []float64) {
	t := d.shape
	at := func(i int, c, h, w int) float64 {
		return x[i][(min(c, s[i].C-1)*s[i].H+min(h, s[i].H-1))*s[i].W+min(w, s[i].W-1)]
	}
	for k := range y {
		c, h, w := k/(t.H*t.W), k/t.W%t.H, k%t.W
		switch d.Kind {
		case Scale:
			y[k] = x[0][k]*param(0)[c] + param(1)[c]
		case LeakyReLU:
			if y[k] = x[0][k]; y[k] < 0 {
				y[k] *= d.Alpha
			}
		case Apply:
			y[k] = functions[d.Function].f(x[0][k], d.Alpha, d.Beta)
		case Combine:
			a, b := at(0, c, h, w), at(1, c, h, w)
			y[k] = map[string]float64{"mul": a * b, "sub": a - b, "add": a + b, "div": a / b}[d.Function]
		case Reduce:
			for i := range x[0] { // all tests reduce an image
				if i/(s[0].H*s[0].W) == c {
					y[k] += x[0][i] / float64(s[0].H*s[0].W)
				}
			}
		case MaxPool, AveragePool:
			y[k] = 0
			if d.Kind == MaxPool {
				y[k] = math.Inf(-1)
			}
			for ky := range d.Kernel {
				for kx := range d.KernelWidth {
					iy, ix := h*d.Stride+ky-d.Pad, w*d.Stride+kx-d.Pad
					if iy < 0 || ix < 0 || iy >= s[0].H || ix >= s[0].W {
						continue
					}
					if v := at(0, c, iy, ix); d.Kind == MaxPool {
						y[k] = max(y[k], v)
					} else {
						y[k] += v / float64(d.Kernel*d.KernelWidth)
					}
				}
			}
		case Concat:
			i := 0
			for c >= s[i].C {
				c -= s[i].C
				i++
			}
			y[k] = at(i, c, h, w)
		case Border:
			reflected := func(v, n int) int {
				if v < 0 {
					v = -v
				}
				if v >= n {
					v = 2*n - 2 - v
				}
				return v
			}
			if len(d.Pads) > 4 {
				c = reflected(c-d.Pads[4], s[0].C)
			}
			y[k] = at(0, c, reflected(h-d.Pads[0], s[0].H), reflected(w-d.Pads[1], s[0].W))
		case Slice:
			y[k] = at(0, d.Start[0]+c*d.Step[0], d.Start[1]+h*d.Step[1], d.Start[2]+w*d.Step[2])
		case Reshape: // of three axes, the first two exchanged
			y[k] = x[0][(h*t.C+c)*t.W+w]
		default:
			panic("no reference for " + string(d.Kind))
		}
	}
}

// The derivatives of all functions, against differences, away from where they have none.
func TestDerivatives(t *testing.T) {
	for name, f := range functions {
		if f.derivative == nil {
			continue
		}
		a, b := 0.3, 0.7
		for _, x := range []float64{0.02, 0.31, 0.45, 0.9, 1.7, 3, -0.02, -0.4, -1.3, -4} {
			if name == "pow" && x < 0 {
				continue
			}
			const h = 1e-6
			numeric := (f.f(x+h, a, b) - f.f(x-h, a, b)) / (2 * h)
			if got := f.derivative(x, a, b); math.Abs(got-numeric) > 1e-6*max(1, math.Abs(numeric)) {
				t.Errorf("%s'(%v) is %v, want %v", name, x, got, numeric)
			}
		}
	}
}

// In inference a function after a convolution is a part of it: no unit of its own, the same numbers.
func TestEpilogue(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	net := &Network{Name: "epilogue", Input: Shape{3, 6, 6}, Layers: []Layer{
		conv("c", 16, 3, 1, 1, 1, false), layer(BatchNorm, "b"), applied("six", "clip", 0, 6),
		conv("d", 16, 3, 1, 1, 16, true), applied("swish", "hardswish", 1./6, 0.5), layer(BatchNorm, "after"),
		conv("e", 8, 6, 1, 0, 1, true), applied("s", "silu", 0, 0), layer(Flatten, "f"), {Name: "l", Kind: Linear, Out: 3},
	}}
	theta, buffers, images := sample(net, 3)
	inf, err := NewInference(net, theta, buffers, 3, FP32, pool)
	if err != nil {
		t.Fatal(err)
	}
	defer inf.Close()
	for _, u := range inf.Timings() {
		if strings.HasPrefix(u.Unit, "apply") {
			t.Errorf("there is a unit %s", u.Unit)
		}
	}
	f := reference{net: net, theta: wide(theta), buffers: buffers}
	near(t, "embedding", inf.Forward(images, 3), f.forward(images, 3), 0)
}

// A dilated convolution is one with holes; a network has more outputs than one.
func TestOutputs(t *testing.T) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	net := &Network{Name: "detector", Input: Shape{3, 7, 7}, Outputs: []string{"b", "up"}, Layers: []Layer{
		{Name: "a", Kind: Convolution, Out: 4, Kernel: 3, Bias: true, More: More{Dilation: 2}},
		{Name: "b", Kind: ReLU},
		{Name: "up", Kind: Resize, More: More{Function: "nearest", Coordinates: "asymmetric", Rounding: "floor", ScaleH: 2, ScaleW: 2, To: &Shape{4, 6, 6}}},
	}}
	theta, buffers, images := sample(net, inferenceGroup+2)
	const n = inferenceGroup + 2
	inf, err := NewInference(net, theta, buffers, n, FP32, pool)
	if err != nil {
		t.Fatal(err)
	}
	defer inf.Close()
	inf.Forward(images, n)
	small, s := inf.Output(0, n)
	large, l := inf.Output(1, n)
	if s != (Shape{4, 3, 3}) || l != (Shape{4, 6, 6}) {
		t.Fatalf("outputs of %v and %v", s, l)
	}
	for i := range n {
		for o := range 4 {
			for y := range 6 {
				for x := range 6 {
					sum := float64(theta[4*27+o])
					for c := range 3 {
						for ky := range 3 {
							for kx := range 3 {
								sum += float64(theta[((o*3+c)*3+ky)*3+kx]) * float64(images[((i*7+y/2+2*ky)*7+x/2+2*kx)*3+c])
							}
						}
					}
					want := max(0, sum)
					for _, got := range []float32{small[((i*3+y/2)*3+x/2)*4+o], large[((i*6+y)*6+x)*4+o]} {
						if math.Abs(float64(got)-want) > 1e-5 {
							t.Fatalf("image %d, channel %d at %d,%d: %v, want %v", i, o, y, x, got, want)
						}
					}
				}
			}
		}
	}
	if _, err := NewTraining(net, 2, FP32, pool); err == nil || !strings.Contains(err.Error(), "several outputs") {
		t.Errorf("error %v of training it", err)
	}
}

// Frozen norms normalise by the given statistics, and their gradients are those of a scale and a shift; parameters
// that are not trained have no gradient.
func TestFreezing(t *testing.T) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	net := networks[2] // with batch norms before and after convolutions
	const batch = 4
	theta, buffers, images := sample(net, batch)
	tr, err := NewTraining(net, batch, FP32, pool)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	tr.FreezeNorms(buffers, AllNorms)
	f := reference{net: net, theta: wide(theta), buffers: buffers}
	y := tr.Forward(theta, images, batch)
	near(t, "embedding", y, f.forward(images, batch), 0)
	moved := append([]float32(nil), buffers...)
	tr.UpdateBuffers(moved)
	near(t, "statistics", moved, wide(buffers), 0)
	r := make([]float32, len(y))
	for i := range r {
		r[i] = float32(i%5) - 2
	}
	d := make([]float32, len(theta))
	tr.Backward(theta, r, d)
	largest := 0.0
	for _, v := range d {
		largest = max(largest, math.Abs(float64(v)))
	}
	for _, p := range net.Params() {
		for _, k := range []int{p.Offset, p.Offset + p.Len - 1} {
			loss := func(h float64) (sum float64) {
				saved := f.theta[k]
				f.theta[k] += h
				for i, v := range f.forward(images, batch) {
					sum += v * float64(r[i])
				}
				f.theta[k] = saved
				return sum
			}
			const h = 1e-6
			if want := (loss(h) - loss(-h)) / (2 * h); math.Abs(float64(d[k])-want) > 2e-5*largest {
				t.Errorf("gradient of %s is %v, want %v", p.Name, d[k], want)
			}
		}
	}
	all := append([]float32(nil), d...)
	for _, p := range net.Params() {
		tr.FreezeParams(p.Offset)
		tr.Forward(theta, images, batch)
		tr.Backward(theta, r, d)
		for k, v := range d {
			want := all[k]
			if k < p.Offset {
				want = 0
			}
			if v != want {
				t.Fatalf("frozen below %s, gradient %d is %v, want %v", p.Name, k, v, want)
			}
		}
	}
}
