package kernel

// winogradWeights is the gradient with respect to the weights: sums over tiles, for each point a product
//
//	dU[ξ] [in,out] = V[ξ]ᵀ [in,tiles] dM[ξ] [tiles,out]
//
// of the transformed inputs and the transformed gradient of the outputs.
type winogradWeights struct {
	winogradTiling
	scratch *Scratch

	id        identity
	dw        []float32
	x, dy     reader
	du        []float32 // [points][in][out]
	v, m      []float32 // [points][count][in+gap] and [points][count][out+gap]
	firstTile int
	count     int
	inputF    func(chunk int)
	productF  func(chunk int)
	outputF   func(chunk int)
}

// winogradChannels is the number of input channels whose weights one chunk transforms back.
const winogradChannels = 16

func (f *winogradWeights) init(t winogradTiling, scratch *Scratch) {
	f.winogradTiling, f.scratch, f.id = t, scratch, newIdentity(t.src.C)
	f.inputF, f.productF, f.outputF = f.input, f.product, f.output
}

func (f *winogradWeights) run(p *Pool, n int, dw []float32, x Source, dy []float32) {
	f.dw, f.x, f.dy = dw, f.id.reader(x), reader{Source: Source{X: dy, Layout: f.dst}}
	f.du = take(&f.scratch.packed, winogradPoints*f.src.C*f.dst.C)
	f.groups(n, func(first, count int) {
		f.firstTile, f.count = first, count
		f.v = take(&f.scratch.first, winogradPoints*count*(f.src.C+winogradGap))
		f.m = take(&f.scratch.second, winogradPoints*count*(f.dst.C+winogradGap))
		p.Run(even(count, winogradChunk), f.inputF)
		p.Run(winogradPoints*even(f.src.C, winogradRows), f.productF)
	})
	p.Run(f.src.C/winogradChannels, f.outputF)
	f.dw, f.x, f.dy, f.du, f.v, f.m = nil, reader{}, reader{}, nil, nil, nil
}

// input transforms the inputs and the gradients of some tiles.
func (f *winogradWeights) input(chunk int) {
	patch, tile := newCutout(f.src, winogradPatch), newCutout(f.dst, winogradTile)
	defer patch.free()
	defer tile.free()
	ldv, ldm := f.src.C+winogradGap, f.dst.C+winogradGap
	for i := range inChunk(chunk, f.count, winogradChunk) {
		n, y, x := f.at(f.firstTile + i)
		patch.read(inputTransform, f.v[i*ldv:], f.count*ldv, &f.x, n, y-f.padH, x-f.padW)
		tile.read(gradientTransform, f.m[i*ldm:], f.count*ldm, &f.dy, n, y, x)
	}
}

// product adds the group's tiles to some rows of dU of one point.
func (f *winogradWeights) product(chunk int) {
	nr := tileCols()
	in, out := f.src.C, f.dst.C
	blocks := even(in, winogradRows)
	point, block := chunk/blocks, chunk%blocks
	r0, r1 := block*in/blocks, (block+1)*in/blocks
	tiles := even(r1-r0, tileRows())
	ldv, ldm := in+winogradGap, out+winogradGap
	v, m := f.v[point*f.count*ldv:], f.m[point*f.count*ldm:]
	du := f.du[point*in*out:]
	t := tile{aRow: 1, aK: ldv, bK: ldm, ldc: out, k: f.count, segs: 1, imgs: 1}
	if f.firstTile > 0 {
		t.add = 1
	}
	for j := 0; j < out; j += nr {
		t.cols = min(nr, out-j)
		t.b = m[j:]
		for i := range tiles {
			i0, i1 := r0+i*(r1-r0)/tiles, r0+(i+1)*(r1-r0)/tiles
			t.a, t.c = v[i0:], du[i0*out+j:]
			t.run(i1 - i0)
		}
	}
}

// output transforms dU of some input channels back to weights.
func (f *winogradWeights) output(chunk int) {
	in, out := f.src.C, f.dst.C
	size := winogradChannels * out
	taps := sumBuffers.get(9 * size)
	defer sumBuffers.put(taps)
	i0 := chunk * winogradChannels
	c := transformCall{
		dst: taps, dstRow: 3 * size, dstCol: size,
		src: f.du[i0*out:], srcRow: winogradPatch * in * out, srcCol: in * out, lanes: size,
	}
	c.run(weightsGradientTransform)
	for o := range out {
		for i := range winogradChannels {
			dw := f.dw[(o*in+i0+i)*9:][:9]
			for tap := range dw {
				dw[tap] = taps[tap*size+i*out+o]
			}
		}
	}
}
