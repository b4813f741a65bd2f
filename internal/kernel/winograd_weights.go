package kernel

// winogradWeights is the gradient with respect to the weights: sums over tiles, for each point a product
//
//	dU[ξ] [in,out] = V[ξ]ᵀ [in,tiles] dM[ξ] [tiles,out]
//
// of the transformed inputs and the transformed gradient of the outputs.
type winogradWeights struct {
	winogradTiling
	scratch *Scratch

	id       identity
	dw       []float32
	x, dy    reader
	du       []float32 // [splits][points][in][out]
	tiles    int
	count    int           // of groups
	splits   int           // that the groups are cut into
	shared   winogradGroup // that all threads work on
	added    int           // 1: there is something in du to add to
	splitF   func(split int)
	inputF   func(chunk int)
	productF func(chunk int)
	outputF  func(chunk int)
}

const (
	// winogradChannels is the number of input channels whose weights one chunk transforms back.
	winogradChannels = 16
	// winogradSplitGroup is how many tiles a thread transforms and multiplies before it takes the next, where each has sums
	// of its own; winogradSplits is the least number of those that are enough to share out.
	winogradSplitGroup = 64
	winogradSplits     = 4
)

func (f *winogradWeights) init(t winogradTiling, scratch *Scratch) {
	f.winogradTiling, f.scratch, f.id = t, scratch, newIdentity(t.src.C)
	f.splitF, f.inputF, f.productF, f.outputF = f.split, f.sharedInput, f.sharedProduct, f.output
}

// sumLen is the length of one partial sum.
func (f *winogradWeights) sumLen() int { return winogradPoints * f.src.C * f.dst.C }

func (f *winogradWeights) run(p *Pool, n int, dw []float32, x Source, dy []float32) {
	f.dw, f.x, f.dy = dw, f.id.reader(x), reader{Source: Source{X: dy, Layout: f.dst}}
	f.tiles = f.winogradTiling.tiles(n)
	f.count = f.groups(f.tiles, winogradSplitGroup)
	if f.splits = min(f.count, maxSplits, weightPartials/f.sumLen()); f.splits < winogradSplits {
		f.splits = 1
	}
	f.du = take(&f.scratch.packed, f.splits*f.sumLen())
	if f.splits > 1 {
		p.Run(f.splits, f.splitF)
	} else {
		f.together(p)
	}
	p.Run(f.src.C/winogradChannels, f.outputF)
	f.dw, f.x, f.dy, f.du = nil, reader{}, reader{}, nil
}

// split adds up some of the groups.
func (f *winogradWeights) split(split int) {
	du := f.du[split*f.sumLen():][:f.sumLen()]
	added := 0
	for i := split * f.count / f.splits; i < (split+1)*f.count/f.splits; i++ {
		g := f.group(i, f.count, f.tiles, f.mixed)
		f.input(&g, 0, g.count)
		for point := range winogradPoints {
			f.product(du, &g, point, 0, f.src.C, added)
		}
		g.free()
		added = 1
	}
}

// together shares out the work of each group.
func (f *winogradWeights) together(p *Pool) {
	f.count = f.groups(f.tiles, winogradShared)
	f.added = 0
	g := &f.shared
	for i := range f.count {
		*g = f.group(i, f.count, f.tiles, f.mixed)
		p.Run(even(g.count, winogradChunk), f.inputF)
		p.Run(winogradPoints*f.blocks(), f.productF)
		g.free()
		f.added = 1
	}
}

// blocks is the number of chunks of one product of the shared group.
func (f *winogradWeights) blocks() int { return even(f.src.C, winogradRows) }

func (f *winogradWeights) sharedInput(chunk int) {
	g, chunks := &f.shared, even(f.shared.count, winogradChunk)
	f.input(g, chunk*g.count/chunks, (chunk+1)*g.count/chunks)
}

func (f *winogradWeights) sharedProduct(chunk int) {
	blocks := f.blocks()
	point, block := chunk/blocks, chunk%blocks
	step := 1
	if f.mixed {
		step = pairBlock
	}
	units := f.src.C / step
	f.product(f.du, &f.shared, point, block*units/blocks*step, (block+1)*units/blocks*step, f.added)
}

// input transforms the inputs and the gradients of tiles i0 to i1 of a group; those of a mixed one that are missing to whole units are zero.
func (f *winogradWeights) input(g *winogradGroup, i0, i1 int) {
	f.winogradTiling.input(g, &f.x, i0, i1)
	w := newWindows(f.dst, winogradTile)
	defer w.free()
	f.runs(g.first+i0, g.first+i1, func(i int, r winogradRun) {
		w.read(gradientTransform, g.m.from(i0+i), &f.dy, r)
	})
	if f.mixed && i1 == g.count && g.room > g.count {
		g.v.clearFrom(g.count)
		g.m.clearFrom(g.count)
	}
}

// product makes, or adds to what is there, rows r0 to r1 of dU of one point.
func (f *winogradWeights) product(du []float32, g *winogradGroup, point, r0, r1, add int) {
	out := f.dst.C
	du = du[(point*f.src.C+r0)*out:]
	if f.mixed {
		f.productPairs(du, g, point, r0, r1, add)
		return
	}
	v, m := g.v.floats[g.v.at(point, 0)+r0:], g.m.floats[g.m.at(point, 0):]
	t := tile{aRow: 1, aK: g.v.row, bK: g.m.row, ldc: out, k: g.count, segs: 1, imgs: 1, add: add}
	tiles := even(r1-r0, tileRows())
	for j := 0; j < out; j += tileCols() {
		t.cols = min(tileCols(), out-j)
		t.b = m[j:]
		for i := range tiles {
			i0, i1 := i*(r1-r0)/tiles, (i+1)*(r1-r0)/tiles
			t.a, t.c = v[i0:], du[i0*out+j:]
			t.run(i1 - i0)
		}
	}
}

// productPairs is product of pairs of neighbouring tiles, those of V in a row for each channel.
func (f *winogradWeights) productPairs(du []float32, g *winogradGroup, point, r0, r1, add int) {
	pairs := g.room / 2
	rowV, rowM, rowT := 2*g.v.row, 2*g.m.row, pairs+pairBlock/2
	v, m, vT := pairBuffers.get(pairs*rowV), pairBuffers.get(pairs*rowM), pairBuffers.get((r1-r0)*rowT)
	defer pairBuffers.put(v)
	defer pairBuffers.put(m)
	defer pairBuffers.put(vT)
	interleavePairs(v, g.v.pairs[g.v.at(point, 0):], g.v.row, pairs)
	interleavePairs(m, g.m.pairs[g.m.at(point, 0):], g.m.row, pairs)
	for i := 0; i < r1-r0; i += pairBlock / 2 {
		transposePairs(vT[i*rowT:], v[r0+i:], rowT, rowV, pairs/(pairBlock/2))
	}
	steps := pairs / (pairBlock / 2)
	out := f.dst.C
	t := pairTile{
		blocks: (r1 - r0) / pairBlock, aRow: rowT, aBlock: pairBlock * rowT,
		bRow: rowM, bStep: rowM * pairBlock / 2, ldc: out, cBlock: pairBlock * out, add: add,
	}
	for j := 0; j < out; j += pairBlock {
		t.run(pairOperands{vT, m[j:], du[j:], pairSteps[:steps]})
	}
}

// output adds up dU of some input channels, in the order of the splits, and transforms it back to weights.
func (f *winogradWeights) output(chunk int) {
	in, out := f.src.C, f.dst.C
	size := winogradChannels * out
	taps := sumBuffers.get(9 * size)
	defer sumBuffers.put(taps)
	i0 := chunk * winogradChannels
	for split := 1; split < f.splits; split++ {
		for point := range winogradPoints {
			at := (point*in + i0) * out
			sum := f.du[at:][:size]
			for i, v := range f.du[split*f.sumLen()+at:][:size] {
				sum[i] += v
			}
		}
	}
	c := transformCall{
		dst: taps, dstCol: size,
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
