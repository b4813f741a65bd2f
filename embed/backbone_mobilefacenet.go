package embed

import (
	"fmt"

	"github.com/faceverify/fv/internal/nn"
)

// mobileFaceNet is the network of the MobileFaceNets paper (Chen et al., CCBR 2018, Table 1):
// inverted residual bottlenecks, then a depthwise convolution as large as what is left
// of the image, which weighs its places, and a linear layer with batch norm.
func mobileFaceNet(b *builder, o BackboneOptions) {
	// unit is a convolution with batch norm; groups as many as channels make it depthwise.
	unit := func(name string, out, k, stride, groups int) {
		b.push(nn.Layer{Name: name + ".conv", Kind: nn.Convolution, Out: out, Kernel: k, Stride: stride, Pad: k / 2, Groups: groups})
		b.batchNorm(name + ".bn")
	}
	active := func(name string, out, k, stride, groups int) {
		unit(name, out, k, stride, groups)
		b.prelu(name + ".prelu")
	}
	active("conv1", 64, 3, 2, 1)
	active("conv2", 64, 3, 1, 64)
	for i, stage := range []struct{ expansion, out, blocks, stride int }{
		{128, 64, 1, 2},
		{128, 64, 4, 1},
		{256, 128, 1, 2},
		{256, 128, 6, 1},
		{512, 128, 1, 2},
		{256, 128, 2, 1},
	} {
		for k := range stage.blocks {
			name, input := fmt.Sprintf("layer%d.%d", i+1, k), b.last()
			active(name+".expand", stage.expansion, 1, 1, 1)
			active(name+".depthwise", stage.expansion, 3, stage.stride, stage.expansion)
			unit(name+".project", stage.out, 1, 1, 1)
			if stage.stride == 1 {
				b.sum(name+".add", input)
			}
		}
	}
	active("conv3", 512, 1, 1, 1)
	b.push(nn.Layer{Name: "global.conv", Kind: nn.Convolution, Out: 512, Kernel: o.Height / sideUnit, KernelWidth: o.Width / sideUnit, Groups: 512})
	b.batchNorm("global.bn")
	b.linear("fc", o.Embedding, false)
	b.batchNorm("features")
}
