package embed

import (
	"fmt"
	"slices"
	"strings"

	"github.com/faceverify/fv/internal/nn"
)

// Defaults of BackboneOptions.
const (
	DefaultEmbedding = 512
	DefaultSide      = 112
)

// sideUnit divides both sides of an input: every backbone halves them four times.
const sideUnit = 16

// maxEmbedding bounds Embedding. Nobody wants more; a slip of the keyboard does.
const maxEmbedding = 1 << 16

// BackboneOptions are the sizes of a backbone.
type BackboneOptions struct {
	Embedding     int // length of the embedding; 0 means 512
	Height, Width int // of the input in pixels, multiples of 16; 0 means 112
}

// family makes the description of one backbone.
type family struct {
	name  string
	build func(b *builder, o BackboneOptions)
}

var families = slices.Concat(sfnets(), []family{{"mobilefacenet", mobileFaceNet}}, iresnets())

// Backbones returns the names that Backbone knows.
func Backbones() []string {
	names := make([]string, len(families))
	for i, f := range families {
		names[i] = f.name
	}
	return names
}

// Backbone returns the description of the named network, which maps RGB images of
// Height x Width to embeddings. An unknown name, or a size that cannot be, is an error that
// says what would be right.
func Backbone(name string, o BackboneOptions) (*nn.Network, error) {
	i := slices.IndexFunc(families, func(f family) bool { return f.name == name })
	if i < 0 {
		return nil, fmt.Errorf("there is no backbone %q; want one of %s", name, strings.Join(Backbones(), ", "))
	}
	if o.Embedding == 0 {
		o.Embedding = DefaultEmbedding
	}
	if o.Embedding < 1 || o.Embedding > maxEmbedding {
		return nil, fmt.Errorf("an embedding of %d numbers; want 1 to %d", o.Embedding, maxEmbedding)
	}
	if o.Height == 0 {
		o.Height = DefaultSide
	}
	if o.Width == 0 {
		o.Width = DefaultSide
	}
	for _, side := range []int{o.Height, o.Width} {
		if side < sideUnit || side > maxSide || side%sideUnit != 0 {
			return nil, fmt.Errorf("an input of %dx%d; want multiples of %d from %d to %d", o.Height, o.Width, sideUnit, sideUnit, maxSide)
		}
	}
	b := &builder{net: &nn.Network{Name: name, Input: nn.Shape{C: 3, H: o.Height, W: o.Width}}}
	families[i].build(b, o)
	if err := b.net.Check(); err != nil {
		return nil, fmt.Errorf("backbone %s of %dx%d: %w", name, o.Height, o.Width, err)
	}
	return b.net, nil
}

// builder collects layers. Each method adds one that reads the one before it, unless it says
// otherwise. Parameters come in the order of the layers, which is that of the modules of the
// public PyTorch code.
type builder struct{ net *nn.Network }

func (b *builder) push(l nn.Layer) { b.net.Layers = append(b.net.Layers, l) }

// last is the name of the last layer.
func (b *builder) last() string { return b.net.Layers[len(b.net.Layers)-1].Name }

// conv adds a k x k convolution without bias that keeps the size but for the stride.
func (b *builder) conv(name string, out, k, stride int) {
	b.push(nn.Layer{Name: name, Kind: nn.Convolution, Out: out, Kernel: k, Stride: stride, Pad: k / 2})
}

func (b *builder) batchNorm(name string) { b.push(nn.Layer{Name: name, Kind: nn.BatchNorm}) }
func (b *builder) prelu(name string)     { b.push(nn.Layer{Name: name, Kind: nn.PReLU}) }

// sum adds the output of an earlier layer to that of the last.
func (b *builder) sum(name, other string) {
	b.push(nn.Layer{Name: name, Kind: nn.Add, Inputs: []string{b.last(), other}})
}

// linear adds a fully connected layer on all that the last layer gives.
func (b *builder) linear(name string, out int, bias bool) {
	b.push(nn.Layer{Name: "flatten", Kind: nn.Flatten})
	b.push(nn.Layer{Name: name, Kind: nn.Linear, Out: out, Bias: bias})
}
