package nn

import (
	"math"
	"strings"
	"testing"

	"github.com/faceverify/fv/internal/kernel"
)

// The first layer that gives what is not finite is named, in either pass and precision; a sound step has none.
func TestWatch(t *testing.T) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	inf := float32(math.Inf(1))
	for _, net := range networks {
		for _, precision := range []Precision{FP32, BF16} {
			if !precision.Supported() {
				continue
			}
			const n = 3
			tr, err := NewTraining(net, n, precision, pool)
			if err != nil {
				continue // a network for inference alone
			}
			theta, _, images := sample(net, n)
			dTheta, dEmbedding := make([]float32, len(theta)), make([]float32, n*net.Dim())
			for i := range dEmbedding {
				dEmbedding[i] = float32(i%3) - 1
			}
			pass := func() string {
				tr.Watch(true)
				defer tr.Watch(false)
				tr.Forward(theta, images, n)
				tr.Backward(theta, dEmbedding, dTheta)
				return tr.Fault()
			}
			if got := pass(); got != "" {
				t.Errorf("%s, %s: fault %q of a sound step", net.Name, precision, got)
			}
			for _, p := range net.Params() {
				name, weight := strings.CutSuffix(p.Name, ".weight")
				if !weight || !p.Decay { // a norm's or a slope belongs to the unit that it ends up in
					continue
				}
				was := theta[p.Offset]
				theta[p.Offset] = inf
				if got, want := pass(), "layer "+name+" (forward)"; got != want {
					t.Errorf("%s, %s: fault %q, want %q", net.Name, precision, got, want)
				}
				theta[p.Offset] = was
			}
			dEmbedding[1] = inf
			if got := pass(); !strings.HasPrefix(got, "the gradient of the loss") {
				t.Errorf("%s, %s: fault %q of a gradient that comes in", net.Name, precision, got)
			}
			for i := range dEmbedding {
				dEmbedding[i] = 3e38
			}
			if got := pass(); !strings.HasSuffix(got, "(backward)") {
				t.Errorf("%s, %s: fault %q of a gradient that overflows", net.Name, precision, got)
			}
			tr.Close()
		}
	}
}
