package embed

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/faceverify/fv/internal/nn"
)

// anyNetwork draws a network that passes Check: layers that mostly read the one before,
// sometimes an earlier one, and an embedding at the end.
func anyNetwork(t *rapid.T) *nn.Network {
	kinds := []nn.Kind{nn.Convolution, nn.BatchNorm, nn.PReLU, nn.ReLU, nn.Add, nn.Flatten, nn.Linear}
	n := &nn.Network{Name: "any", Input: nn.Shape{C: 3, H: 6, W: 5}}
	names := []string{nn.Input}
	// push adds layers if the network they give passes.
	push := func(layers ...nn.Layer) {
		before := len(n.Layers)
		n.Layers = append(n.Layers, layers...)
		if n.Check() != nil {
			n.Layers = n.Layers[:before]
			return
		}
		for _, l := range layers {
			names = append(names, l.Name)
		}
	}
	for i := range rapid.IntRange(1, 8).Draw(t, "layers") {
		l := nn.Layer{Name: fmt.Sprintf("l%d", i), Kind: rapid.SampledFrom(kinds).Draw(t, "kind")}
		l.Inputs = []string{names[len(names)-1]}
		if rapid.IntRange(0, 9).Draw(t, "earlier") == 0 {
			l.Inputs[0] = rapid.SampledFrom(names).Draw(t, "input")
		}
		switch l.Kind {
		case nn.Add:
			l.Inputs = append(l.Inputs, rapid.SampledFrom(names).Draw(t, "input"))
		case nn.Convolution:
			l.Kernel = rapid.IntRange(1, 4).Draw(t, "kernel")
			l.Stride = rapid.IntRange(0, 3).Draw(t, "stride")
			l.Pad = rapid.IntRange(0, 3).Draw(t, "pad")
			l.Groups = rapid.SampledFrom([]int{0, 1, 3, 6}).Draw(t, "groups")
			l.Out = rapid.SampledFrom([]int{1, 3, 6, 12}).Draw(t, "out")
			l.Bias = rapid.Bool().Draw(t, "bias")
		case nn.Linear:
			l.Out = rapid.IntRange(1, 9).Draw(t, "out")
			l.Bias = rapid.Bool().Draw(t, "bias")
		}
		if l.Kind == nn.Flatten { // which may not be the last one
			push(l, nn.Layer{Name: l.Name + "fc", Kind: nn.Linear, Out: 4})
			continue
		}
		push(l)
	}
	push(nn.Layer{Name: "flatten", Kind: nn.Flatten}, nn.Layer{Name: "fc", Kind: nn.Linear, Out: 3})
	return n
}

// A network of whatever layers a model file may list gives finite embeddings or is an error
// before that: it never panics.
func TestAnyNetwork(t *testing.T) {
	img := noise(1, 6, 5)
	made := 0
	rapid.Check(t, func(t *rapid.T) {
		e, err := NewModel(anyNetwork(t), DefaultContract(6, 5), 1).Embedder(Options{Threads: 1, Batch: 2})
		if err != nil {
			return
		}
		defer e.Close()
		v, err := e.Embed(img)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range v {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				t.Fatalf("%v gives %v", e.Model().Network.Layers, v)
			}
		}
		made++
	})
	if made == 0 {
		t.Error("no network was one that can be used")
	}
}
