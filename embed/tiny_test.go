package embed

import (
	"image"
	"math"
	"math/rand/v2"

	"github.com/faceverify/fv/internal/nn"
)

// tiny returns a small model with a layer of each kind that has tensors, its running
// statistics not those of a new one.
func tiny() *Model {
	c := DefaultContract(8, 6)
	m := NewModel(&nn.Network{
		Name: "tiny", Input: nn.Shape{C: 3, H: 8, W: 6},
		Layers: []nn.Layer{
			{Name: "conv", Kind: nn.Convolution, Out: 4, Kernel: 3, Stride: 2, Pad: 1, Bias: true},
			{Name: "bn", Kind: nn.BatchNorm},
			{Name: "prelu", Kind: nn.PReLU},
			{Name: "flatten", Kind: nn.Flatten},
			{Name: "fc", Kind: nn.Linear, Out: 5, Bias: true},
		},
	}, c, 7)
	for i := range m.Buffers {
		m.Buffers[i] += float32(i) / 16
	}
	m.Head = HeadInfo{Name: "amsoftmax", Settings: map[string]float64{"margin": 0.35, "scale": 30}, MarginGradient: "exact"}
	m.Classes = []string{"Ada", "Grace, \"Ünïcode\""}
	m.HeadParams = map[string]Tensor{
		"weight":    {Shape: []int{2, 5}, Data: []float32{1, 2, 3, 4, 5, -1, -2, -3, -4, -5}},
		"iteration": {Shape: nil, Data: []float32{17}},
	}
	m.Threshold = &Threshold{Cosine: 0.25, FAR: 0.01, FalseAccepts: 3, Impostor: 300, TrueAccepts: 250, Genuine: 300}
	m.Meta = map[string]string{"step": "1200"}
	return m
}

// tensor returns a parameter or buffer of m in float64.
func tensor(m *Model, name string) []float64 {
	for i, list := range [][]nn.Param{m.Network.Params(), m.Network.Buffers()} {
		for _, p := range list {
			if p.Name == name {
				var v []float64
				for _, x := range [][]float32{m.Theta, m.Buffers}[i][p.Offset:][:p.Len] {
					v = append(v, float64(x))
				}
				return v
			}
		}
	}
	panic("no tensor " + name)
}

// oracle is tiny's network in float64, layer by layer from the definitions. x is [8, 6, 3].
func oracle(m *Model, x []float32) []float64 {
	w, b := tensor(m, "conv.weight"), tensor(m, "conv.bias")
	gain, shift := tensor(m, "bn.weight"), tensor(m, "bn.bias")
	mean, variance := tensor(m, "bn.running_mean"), tensor(m, "bn.running_var")
	slope := tensor(m, "prelu.weight")
	fc, fcb := tensor(m, "fc.weight"), tensor(m, "fc.bias")
	var flat []float64
	for o := range 4 {
		for oy := range 4 {
			for ox := range 3 {
				sum := b[o]
				for c := range 3 {
					for ky := range 3 {
						for kx := range 3 {
							if y, x0 := 2*oy+ky-1, 2*ox+kx-1; y >= 0 && y < 8 && x0 >= 0 && x0 < 6 {
								sum += w[((o*3+c)*3+ky)*3+kx] * float64(x[(y*6+x0)*3+c])
							}
						}
					}
				}
				z := gain[o]*(sum-mean[o])/math.Sqrt(variance[o]+1e-5) + shift[o]
				if z < 0 {
					z *= slope[o]
				}
				flat = append(flat, z)
			}
		}
	}
	out := fcb
	for o := range out {
		for i, v := range flat {
			out[o] += fc[o*len(flat)+i] * v
		}
	}
	return out
}

// noise returns an image of random pixels.
func noise(seed uint64, height, width int) *image.NRGBA {
	rng := rand.New(rand.NewPCG(seed, 1))
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = byte(rng.Uint32())
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	return img
}
