package kernel

// winogradPass is the convolution of src with weights, into dst.
type winogradPass struct {
	winogradTiling
	scratch *Scratch
	own, u  []float32 // U: [points][panels][src.C][columns of a panel]
	ownPair []Pair    // mixed,
	pairs   []Pair    // [points][panels][src.C/2][columns]

	w, stage  []float32 // while weights are loaded; [panels][9][src.C][columns]
	turned    bool      // they are those of the data gradient: inputs and outputs, and the taps, exchanged
	id        identity
	y, bias   []float32
	half      []Pair // instead of y, or nil
	x         reader
	collector Collector
	add       bool
	tiles     int
	count     int           // of groups
	shared    winogradGroup // that all threads work on
	packF     func(panel int)
	groupF    func(group int)
	inputF    func(chunk int)
	productF  func(chunk int)
	outputF   func(chunk int)
}

func (f *winogradPass) init(t winogradTiling, scratch *Scratch) {
	f.winogradTiling, f.scratch, f.id = t, scratch, newIdentity(t.src.C)
	f.packF, f.groupF, f.inputF, f.productF, f.outputF = f.pack, f.whole, f.sharedInput, f.sharedProduct, f.sharedOutput
}

// columns is the number of outputs in a panel of U.
func (f *winogradPass) columns() int {
	if f.mixed {
		return pairBlock
	}
	return tileCols()
}

func (f *winogradPass) load(p *Pool, w []float32, turned bool) {
	panels := even(f.dst.C, f.columns())
	size := panels * f.columns() * f.src.C
	if f.mixed {
		f.pairs = f.scratch.pairWeights(&f.ownPair, winogradPoints*size/2)
	} else {
		f.u = f.scratch.weights(&f.own, winogradPoints*size)
	}
	f.stage = take(&f.scratch.first, 9*size)
	f.w, f.turned = w, turned
	p.Run(panels, f.packF)
	f.w, f.stage = nil, nil
}

// pack transforms the weights of a panel of columns.
func (f *winogradPass) pack(panel int) {
	nr, k := f.columns(), f.src.C
	size := nr * k
	cols := min(nr, f.dst.C-panel*nr)
	stage := f.stage[panel*9*size:][:9*size]
	if cols < nr {
		clear(stage)
	}
	for o := range cols {
		column := panel*nr + o
		for i := range k {
			if f.turned {
				for tap, v := range f.w[(i*f.dst.C+column)*9:][:9] {
					stage[(8-tap)*size+i*nr+o] = v
				}
			} else {
				for tap, v := range f.w[(column*k+i)*9:][:9] {
					stage[tap*size+i*nr+o] = v
				}
			}
		}
	}
	if f.mixed {
		f.packPairs(panel, stage)
		return
	}
	plane := len(f.u) / winogradPoints
	c := transformCall{
		dst: f.u[panel*size:], dstCol: plane,
		src: stage, srcRow: 3 * size, srcCol: size, lanes: size,
	}
	c.run(weightsTransform)
}

// packPairs transforms the weights of a panel, 32 inputs at a time, and makes pairs of neighbouring inputs.
func (f *winogradPass) packPairs(panel int, stage []float32) {
	const size = pairBlock * pairBlock
	floats, rows := sumBuffers.get(winogradPoints*size), pairBuffers.get(size/2)
	defer sumBuffers.put(floats)
	defer pairBuffers.put(rows)
	plane, tap := len(f.pairs)/winogradPoints, len(stage)/9
	for i := 0; i < f.src.C; i += pairBlock {
		c := transformCall{dst: floats, dstCol: size, src: stage[i*pairBlock:], srcRow: 3 * tap, srcCol: tap, lanes: size}
		c.run(weightsTransform)
		for point := range winogradPoints {
			roundPairs(rows, floats[point*size:])
			interleavePairs(f.pairs[point*plane+(panel*f.src.C+i)*pairBlock/2:], rows, pairBlock/2, pairBlock/2)
		}
	}
}

const (
	// winogradShared is the most tiles that all threads work on together.
	winogradShared = 280
	// winogradRows is the most tiles of one chunk of a product.
	winogradRows = 140
	// winogradChunk is the most tiles that one chunk transforms.
	winogradChunk = 8
	// winogradGroups is the least number of groups that are enough to share out.
	winogradGroups = 12
)

// groupSize is how many tiles a thread transforms, multiplies and transforms back before it takes the next: few, so that V and M
// stay in a second-level cache, but so many that U, which is read for each group, is not what most is read of.
func (f *winogradPass) groupSize() int {
	unit := f.unit()
	return even(f.src.C*f.dst.C/(8*(f.src.C+f.dst.C)), unit) * unit
}

func (f *winogradPass) run(p *Pool, n int, y []float32, x Source, bias []float32, add bool, collect Collector) {
	f.y, f.x, f.bias, f.add, f.collector = y, f.id.reader(x), bias, add, collect
	f.tiles = f.winogradTiling.tiles(n)
	if f.count = f.groups(f.tiles, f.groupSize()); f.count >= winogradGroups {
		if collect != nil {
			collect.begin(f.count)
		}
		p.Run(f.count, f.groupF)
	} else {
		f.together(p)
	}
	f.y, f.x, f.bias, f.collector = nil, reader{}, nil, nil
}

// whole does all that there is to do with a group.
func (f *winogradPass) whole(i int) {
	g := f.group(i, f.count, f.tiles, false)
	defer g.free()
	f.input(&g, &f.x, 0, g.count)
	for point := range winogradPoints {
		f.product(&g, point, 0, g.room)
	}
	f.output(&g, i, 0, g.count)
}

// together shares out the work of each group.
func (f *winogradPass) together(p *Pool) {
	if f.collector != nil {
		f.collector.begin(even(winogradShared+f.unit(), winogradChunk)) // one group after another adds to them
	}
	f.count = f.groups(f.tiles, winogradShared)
	g := &f.shared
	for i := range f.count {
		*g = f.group(i, f.count, f.tiles, false)
		p.Run(even(g.count, winogradChunk), f.inputF)
		p.Run(winogradPoints*f.blocks(), f.productF)
		p.Run(even(g.count, winogradChunk), f.outputF)
		g.free()
	}
}

// blocks is the number of chunks of one product of the shared group.
func (f *winogradPass) blocks() int { return even(f.shared.room, winogradRows) }

func (f *winogradPass) sharedInput(chunk int) {
	g, chunks := &f.shared, even(f.shared.count, winogradChunk)
	f.input(g, &f.x, chunk*g.count/chunks, (chunk+1)*g.count/chunks)
}

func (f *winogradPass) sharedProduct(chunk int) {
	units, blocks := f.shared.room/f.unit(), f.blocks()
	point, block := chunk/blocks, chunk%blocks
	f.product(&f.shared, point, block*units/blocks*f.unit(), (block+1)*units/blocks*f.unit())
}

func (f *winogradPass) sharedOutput(chunk int) {
	g, chunks := &f.shared, even(f.shared.count, winogradChunk)
	f.output(g, chunk, chunk*g.count/chunks, (chunk+1)*g.count/chunks)
}

// product computes rows r0 to r1, whole units, of the product of one point.
func (f *winogradPass) product(g *winogradGroup, point, r0, r1 int) {
	if r1 == r0 {
		return
	}
	if f.mixed {
		f.productPairs(g, point, r0, r1)
		return
	}
	nr, k, ldv, ldm := tileCols(), f.src.C, g.v.row, g.m.row
	v, m := g.v.floats[g.v.at(point, r0):], g.m.floats[g.m.at(point, r0):]
	r1 = min(r1, g.count)
	u := f.u[point*(len(f.u)/winogradPoints):]
	t := tile{aRow: ldv, aK: 1, bK: nr, ldc: ldm, k: k, segs: 1, imgs: 1}
	tiles := even(r1-r0, tileRows())
	for j := 0; j < f.dst.C; j += nr {
		t.cols = min(nr, f.dst.C-j)
		t.b = u[j*k:][:nr*k]
		for i := range tiles {
			i0, i1 := i*(r1-r0)/tiles, (i+1)*(r1-r0)/tiles
			t.a, t.c = v[i0*ldv:], m[i0*ldm+j:]
			t.run(i1 - i0)
		}
	}
}

func (f *winogradPass) productPairs(g *winogradGroup, point, r0, r1 int) {
	k, ldv, ldm := f.src.C, g.v.row, g.m.row
	v, m := g.v.pairs[g.v.at(point, r0):], g.m.floats[g.m.at(point, r0):]
	for first := 0; first < k/pairBlock; first += maxPairSteps {
		steps := min(maxPairSteps, k/pairBlock-first)
		v := v[first*pairBlock/2:]
		u := f.pairs[point*(len(f.pairs)/winogradPoints)+first*pairBlock*pairBlock/2:]
		t := pairTile{
			blocks: (r1 - r0) / pairBlock, rows: min(r1, g.count) - r0, aRow: ldv, aBlock: pairBlock * ldv,
			bRow: pairBlock, bStep: pairBlock * pairBlock / 2, ldc: ldm, cBlock: pairBlock * ldm,
		}
		if first > 0 {
			t.add = 1
		}
		for j := 0; j < f.dst.C; j += pairBlock {
			t.run(pairOperands{v, u[j*k/2:], m[j:], pairSteps[:steps]})
		}
	}
}

// maxPairSteps is the most steps of 32 channels that one call of the micro-kernel takes.
const maxPairSteps = 32

// pairSteps are the distances of steps that follow one another.
var pairSteps [maxPairSteps]int

func init() {
	for s := range pairSteps {
		pairSteps[s] = s * pairBlock / 2
	}
}

// output transforms the products of tiles i0 to i1 of a group.
func (f *winogradPass) output(g *winogradGroup, chunk, i0, i1 int) {
	w := newWindows(f.dst, winogradTile)
	defer w.free()
	f.runs(g.first+i0, g.first+i1, func(i int, r winogradRun) {
		c := transformCall{
			src: g.m.floats[g.m.at(0, i0+i):], srcTile: g.m.row, srcRow: winogradPatch * g.room * g.m.row, srcCol: g.room * g.m.row,
			bias: f.bias, add: f.add,
		}
		if f.half != nil {
			w.writeHalf(f.half, c, r, func(y int, floats []float32) {
				if f.collector != nil {
					f.collector.add(chunk, r.n, y, r.x, floats)
				}
			})
			return
		}
		w.write(f.y, c, r)
		if f.collector != nil {
			for y := r.y; y < min(f.dst.H, r.y+winogradTile); y++ {
				floats := (min(f.dst.W, r.x+r.tiles*winogradTile) - r.x) * f.dst.C
				f.collector.add(chunk, r.n, y, r.x, f.y[f.dst.Offset(r.n, y, r.x):][:floats])
			}
		}
	})
}
