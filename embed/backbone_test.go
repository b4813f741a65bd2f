package embed

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/faceverify/fv/internal/nn"
)

func mustBackbone(t testing.TB, name string, o BackboneOptions) *nn.Network {
	t.Helper()
	n, err := Backbone(name, o)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What the papers and InsightFace's public code say, to the digits they give. SphereFace's
// paper gives no counts: those of SFNet are summed by TestSFNetTable.
func TestPublishedSizes(t *testing.T) {
	for _, tt := range []struct {
		name      string
		embedding int
		params    float64 // millions
		digits    float64 // to which params is given
		macs      float64 // millions, 0 if not given
		macDigits float64
	}{
		// Table 2 of MobileFaceNets. The layers of its Table 1 have 1.003 M parameters, 0.996 M
		// without the slopes of the PReLUs.
		{"mobilefacenet", 128, 0.99, 0.015, 221, 1},
		{"iresnet18", 512, 24.0, 0.1, 0, 0},
		{"iresnet34", 512, 34.1, 0.1, 0, 0},
		{"iresnet50", 512, 43.6, 0.1, 6300, 100},
		{"iresnet100", 512, 65.2, 0.1, 12100, 100},
	} {
		s := mustBackbone(t, tt.name, BackboneOptions{Embedding: tt.embedding}).Summary()
		if params := float64(s.Params) / 1e6; math.Abs(params-tt.params) > tt.digits {
			t.Errorf("%s: %.3f M parameters, want %.2f M", tt.name, params, tt.params)
		}
		if macs := float64(s.MACs) / 1e6; tt.macs > 0 && math.Abs(macs-tt.macs) > tt.macDigits {
			t.Errorf("%s: %.1f M multiply-accumulates, want %.0f M", tt.name, macs, tt.macs)
		}
		t.Logf("%s: %d parameters, %d multiply-accumulates", tt.name, s.Params, s.MACs)
	}
}

// Table 2 of the SphereFace paper, row by row, at its input of 112x96.
func TestSFNetTable(t *testing.T) {
	for name, repeats := range map[string][4]int{
		"sfnet4":  {0, 0, 0, 0},
		"sfnet10": {0, 1, 2, 0},
		"sfnet20": {1, 2, 4, 1},
		"sfnet36": {2, 4, 8, 2},
		"sfnet64": {3, 8, 16, 3},
	} {
		params, macs := 0, 0
		in, h, w := 3, 112, 96
		for i, out := range []int{64, 128, 256, 512} {
			h, w = h/2, w/2
			// [3x3, out] x 1, S2, then [3x3, out; 3x3, out] x repeats; biases and slopes.
			weights := 9*in*out + repeats[i]*2*9*out*out
			params += weights + (1+2*repeats[i])*2*out
			macs += weights * h * w
			in = out
		}
		weights := 512 * h * w * 512 // FC1
		params += weights + 512
		macs += weights
		s := mustBackbone(t, name, BackboneOptions{Height: 112, Width: 96}).Summary()
		if s.Params != params || s.MACs != macs {
			t.Errorf("%s: %d parameters and %d multiply-accumulates, want %d and %d", name, s.Params, s.MACs, params, macs)
		}
	}
}

// Every backbone takes every size of input and embedding.
func TestBackboneSizes(t *testing.T) {
	for _, name := range Backbones() {
		for _, o := range []BackboneOptions{{}, {2, 112, 96}, {7, 16, 16}, {128, 32, 64}, {512, 224, 160}} {
			n := mustBackbone(t, name, o)
			want := o.Embedding
			if want == 0 {
				want = 512
			}
			if n.Dim() != want || n.Name != name {
				t.Errorf("%s of %+v: %q gives %d numbers", name, o, n.Name, n.Dim())
			}
		}
	}
}

// The parameters of a block come in the order of PyTorch's modules.
func TestParamOrder(t *testing.T) {
	for _, tt := range []struct {
		backbone, prefix string
		want             string
	}{
		{"iresnet50", "layer2.0.", "bn1.weight bn1.bias conv1.weight bn2.weight bn2.bias prelu.weight conv2.weight bn3.weight bn3.bias " +
			"downsample.0.weight downsample.1.weight downsample.1.bias"},
		{"iresnet50", "layer2.3.", "bn1.weight bn1.bias conv1.weight bn2.weight bn2.bias prelu.weight conv2.weight bn3.weight bn3.bias"},
		{"mobilefacenet", "layer2.3.", "expand.conv.weight expand.bn.weight expand.bn.bias expand.prelu.weight " +
			"depthwise.conv.weight depthwise.bn.weight depthwise.bn.bias depthwise.prelu.weight project.conv.weight project.bn.weight project.bn.bias"},
		{"sfnet20", "layer3.3.", "conv1.weight conv1.bias prelu1.weight conv2.weight conv2.bias prelu2.weight"},
		{"sfnet20-bn", "layer3.3.", "conv1.weight bn1.weight bn1.bias prelu1.weight conv2.weight bn2.weight bn2.bias prelu2.weight"},
	} {
		var got []string
		for _, p := range mustBackbone(t, tt.backbone, BackboneOptions{}).Params() {
			if rest, ok := strings.CutPrefix(p.Name, tt.prefix); ok {
				got = append(got, rest)
			}
		}
		if !slices.Equal(got, strings.Fields(tt.want)) {
			t.Errorf("%s %s: %v", tt.backbone, tt.prefix, got)
		}
	}
}

func TestBackboneMistakes(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    BackboneOptions
		want string
	}{
		{"resnet50", BackboneOptions{}, `no backbone "resnet50"; want one of sfnet4, sfnet4-bn`},
		{"sfnet20", BackboneOptions{Embedding: -1}, "an embedding of -1 numbers; want 1 to 65536"},
		{"sfnet20", BackboneOptions{Height: 100}, "an input of 100x112; want multiples of 16 from 16 to 4096"},
		{"sfnet20", BackboneOptions{Width: 8}, "an input of 112x8; want multiples of 16"},
	} {
		if _, err := Backbone(tt.name, tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %+v: %v, want %q", tt.name, tt.o, err, tt.want)
		}
	}
}
