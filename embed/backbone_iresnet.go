package embed

import (
	"fmt"

	"github.com/faceverify/fv/internal/nn"
)

// iresnets returns the improved residual networks of the ArcFace paper (Deng et al., CVPR
// 2019, section 3.1), in the form of InsightFace's public code and with its names of layers:
// batch norm before and after both convolutions of a block, PReLU between them, stride on the
// second, and an embedding that is flatten, linear, batch norm.
func iresnets() []family {
	var list []family
	for _, size := range []struct {
		layers int
		blocks [4]int
	}{
		{18, [4]int{2, 2, 2, 2}},
		{34, [4]int{3, 4, 6, 3}},
		{50, [4]int{3, 4, 14, 3}},
		{100, [4]int{3, 13, 30, 3}},
	} {
		list = append(list, family{fmt.Sprintf("iresnet%d", size.layers), func(b *builder, o BackboneOptions) { iresnet(b, o, size.blocks) }})
	}
	return list
}

func iresnet(b *builder, o BackboneOptions, blocks [4]int) {
	b.conv("conv1", 64, 3, 1)
	b.batchNorm("bn1")
	b.prelu("prelu")
	channels := 64
	for stage, n := range blocks {
		for i := range n {
			stride := 1
			if i == 0 {
				stride = 2
			}
			iresnetBlock(b, fmt.Sprintf("layer%d.%d", stage+1, i), channels, stride)
		}
		channels *= 2
	}
	b.batchNorm("bn2")
	b.linear("fc", o.Embedding, true)
	b.batchNorm("features")
}

// iresnetBlock adds bn3(conv2(prelu(bn2(conv1(bn1(x)))))) + x; where the stride makes x another
// size, a 1x1 convolution with batch norm takes the place of x in the sum.
func iresnetBlock(b *builder, name string, channels, stride int) {
	input := b.last()
	b.batchNorm(name + ".bn1")
	b.conv(name+".conv1", channels, 3, 1)
	b.batchNorm(name + ".bn2")
	b.prelu(name + ".prelu")
	b.conv(name+".conv2", channels, 3, stride)
	b.batchNorm(name + ".bn3")
	shortcut := input
	if stride != 1 {
		shortcut = name + ".bn3"
		b.push(nn.Layer{Name: name + ".downsample.0", Kind: nn.Convolution, Inputs: []string{input}, Out: channels, Kernel: 1, Stride: stride})
		b.batchNorm(name + ".downsample.1")
	}
	b.sum(name+".add", shortcut)
}
