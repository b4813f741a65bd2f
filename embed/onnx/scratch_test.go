package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/nn"
)

func readF(t *testing.T, p string) []float32 {
	b, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, len(b)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x
}

func TestScratch(t *testing.T) {
	path, ref := os.Getenv("M"), os.Getenv("R")
	if path == "" {
		t.Skip()
	}
	size := 0
	fmt.Sscan(os.Getenv("S"), &size)
	m, err := Read(path, Options{Height: size, Width: size})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range m.Network.Layers {
		if os.Getenv("V") != "" {
			fmt.Printf("%+v\n", l)
		}
	}
	pool := kernel.NewPool(0)
	batch := 1
	fmt.Sscan(os.Getenv("B"), &batch)
	inf, err := nn.NewInference(m.Network, m.Theta, m.Buffers, batch, nn.FP32, pool)
	if err != nil {
		t.Fatal(err)
	}
	x := readF(t, ref+".x")
	in := m.Network.Input
	img := make([]float32, in.Len()*batch)
	for b := range batch {
		for c := range in.C {
			for h := range in.H {
				for w := range in.W {
					img[b*in.Len()+(h*in.W+w)*in.C+c] = x[(c*in.H+h)*in.W+w]
				}
			}
		}
	}
	y := inf.Forward(img, batch)
	cmp := func(got, want []float32) {
		d, big := 0.0, 0.0
		for i := range want {
			d = max(d, math.Abs(float64(got[i]-want[i])))
			big = max(big, math.Abs(float64(want[i])))
		}
		fmt.Printf("max diff %g of %g\n", d, big)
	}
	if len(m.Network.Outputs) == 0 {
		cmp(y, readF(t, ref+".y0"))
	}
	for i := range m.Network.Outputs {
		o, s := inf.Output(i, batch)
		want := readF(t, fmt.Sprintf("%s.y%d", ref, i))
		got := make([]float32, s.Len())
		for c := range s.C {
			for h := range s.H {
				for w := range s.W {
					got[(c*s.H+h)*s.W+w] = o[(h*s.W+w)*s.C+c]
				}
			}
		}
		fmt.Print(m.Outputs[i], m.Dims[i], " ")
		cmp(got, want)
	}
	n := 100
	if batch > 1 {
		n = 6
	}
	best := math.Inf(1)
	for range n {
		t0 := time.Now()
		inf.Forward(img, batch)
		best = min(best, time.Since(t0).Seconds())
	}
	fmt.Printf("best %.3f ms for %d\n", best*1e3, batch)
	if os.Getenv("T") != "" {
		for _, x := range inf.Timings() {
			fmt.Printf("%8.3f ms %s\n", x.Forward.Seconds()*1e3/float64(n+1), x.Unit)
		}
	}
}
