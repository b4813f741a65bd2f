package embed

import (
	"fmt"

	"github.com/faceverify/fv/internal/nn"
)

// sfnets returns the networks of the SphereFace paper (Liu et al., CVPR 2017, Table 2),
// named after their convolutions. Four stages of 64, 128, 256 and 512 channels begin with
// a convolution of stride 2 and go on with residual blocks of two, as many as the
// table says; a PReLU follows each. "-bn" puts a batch norm between a convolution, which loses its
// bias, and its PReLU, and one after the embedding.
func sfnets() []family {
	var list []family
	for _, size := range []struct {
		convolutions int
		blocks       [4]int
	}{
		{4, [4]int{0, 0, 0, 0}},
		{10, [4]int{0, 1, 2, 0}},
		{20, [4]int{1, 2, 4, 1}},
		{36, [4]int{2, 4, 8, 2}},
		{64, [4]int{3, 8, 16, 3}},
	} {
		for _, norm := range []bool{false, true} {
			name := fmt.Sprintf("sfnet%d", size.convolutions)
			if norm {
				name += "-bn"
			}
			list = append(list, family{name, func(b *builder, o BackboneOptions) { sfnet(b, o, size.blocks, norm) }})
		}
	}
	return list
}

func sfnet(b *builder, o BackboneOptions, blocks [4]int, norm bool) {
	// unit is a 3x3 convolution and what follows it; its layers' names end in suffix.
	unit := func(prefix, suffix string, out, stride int) {
		b.push(nn.Layer{Name: prefix + ".conv" + suffix, Kind: nn.Convolution, Out: out, Kernel: 3, Stride: stride, Pad: 1, Bias: !norm})
		if norm {
			b.batchNorm(prefix + ".bn" + suffix)
		}
		b.prelu(prefix + ".prelu" + suffix)
	}
	channels := 64
	for stage, n := range blocks {
		layer := fmt.Sprintf("layer%d", stage+1)
		unit(layer, "", channels, 2)
		for i := range n {
			block, input := fmt.Sprintf("%s.%d", layer, i), b.last()
			unit(block, "1", channels, 1)
			unit(block, "2", channels, 1)
			b.sum(block+".add", input)
		}
		channels *= 2
	}
	b.linear("fc", o.Embedding, true)
	if norm {
		b.batchNorm("features")
	}
}
