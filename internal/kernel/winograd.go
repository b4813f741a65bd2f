package kernel

import "github.com/faceverify/fv/internal/cpu"

// Winograd is a convolution with 3x3 kernels, stride 1 and one group that takes 2.25 products for an output and
// channel instead of 9: tiles of 4x4 outputs, patches of 6x6 inputs and the kernels are transformed, multiplied point
// by point, and transformed back (see transform). Sums over channels are then 36 matrix products
//
//	M[ξ] [tiles,out] = V[ξ] [tiles,in] U[ξ] [in,out]
//
// of the transformed inputs V and weights U, by the same micro-kernel as all others. Results differ from a
// direct convolution's by rounding: their error is about twice as large.
//
// One goroutine at a time may use it, and those that share its Scratch.
type Winograd struct {
	s        ConvShape
	scratch  *Scratch
	forward  winogradPass
	backward winogradPass
	weights  winogradWeights
}

// Winogrades reports whether there is a Winograd of the given geometry.
func Winogrades(s ConvShape) bool {
	return s.Groups <= 1 && s.KH == 3 && s.KW == 3 && s.StrideH == 1 && s.StrideW == 1 &&
		s.PadH <= 2 && s.PadW <= 2 && s.In.C%16 == 0 && s.Out.C%16 == 0
}

// WinogradPays reports whether a Winograd of the given geometry is faster than a Conv: with few tiles it reads more
// weights than it saves products.
func WinogradPays(s ConvShape) bool {
	const few = 16
	return Winogrades(s) && s.In.N*even(s.Out.H, winogradTile)*even(s.Out.W, winogradTile) >= few
}

// WinogradOutruns reports whether a Winograd of the given geometry is faster than a MixedConv. AVX512-BF16 multiplies
// twice as fast as float32, which is less than what Winograd saves where channels are many; AMX far faster.
func WinogradOutruns(s ConvShape) bool {
	return WinogradPays(s) && variant < cpu.AMX && min(s.In.C, s.Out.C) >= 128
}

// NewWinograd returns a convolution of a geometry that Winogrades.
func NewWinograd(s ConvShape, scratch *Scratch) *Winograd {
	s.Groups = max(1, s.Groups)
	s.check()
	if !Winogrades(s) {
		panic("kernel: no Winograd convolution has this shape")
	}
	w := &Winograd{s: s, scratch: scratch}
	w.forward.init(winogradTiling{s.In, s.Out, s.PadH, s.PadW}, scratch)
	w.backward.init(winogradTiling{s.Out, s.In, 2 - s.PadH, 2 - s.PadW}, scratch)
	w.weights.init(winogradTiling{s.In, s.Out, s.PadH, s.PadW}, scratch)
	return w
}

// Kind returns "winograd".
func (w *Winograd) Kind() string { return "winograd" }

// Load takes the weights w [out, in, 3, 3] of Forward.
func (w *Winograd) Load(p *Pool, weights []float32) { w.forward.load(p, weights, false) }

// Forward computes the convolution of the first n images of x into the interior of y, with the weights of Load,
// and gives what it writes to collect; bias [out] and collect may be nil.
func (w *Winograd) Forward(p *Pool, n int, y []float32, x Source, bias []float32, collect Collector) {
	w.forward.run(p, n, y, x, bias, false, collect)
}

// LoadBackward takes the weights w [out, in, 3, 3] of BackwardData.
func (w *Winograd) LoadBackward(p *Pool, weights []float32) { w.backward.load(p, weights, true) }

// BackwardData computes the gradient of the loss with respect to x for the first n images: it overwrites the
// interior of dx, or adds to it. The weights are those of LoadBackward. What dx is then goes to collect, which may be nil.
func (w *Winograd) BackwardData(p *Pool, n int, dx, dy []float32, add bool, collect Collector) {
	w.backward.run(p, n, dx, Source{X: dy, Layout: w.s.Out}, nil, add, collect)
}

// BackwardWeights computes the gradient of the loss with respect to the weights, dw [out, in, 3, 3],
// overwritten, over the first n images of x and dy.
func (w *Winograd) BackwardWeights(p *Pool, n int, dw []float32, x Source, dy []float32) {
	w.weights.run(p, n, dw, x, dy)
}

const (
	// winogradGroup is the most tiles that are transformed and multiplied at a time: enough for each of the 36
	// matrices of weights to be read rarely, and a number of whole micro-tiles.
	winogradGroup = 280
	// winogradRows is the most tiles of one chunk of a product.
	winogradRows = 140
	// winogradChunk is the most tiles that one chunk transforms.
	winogradChunk = 8
	// winogradGap keeps the rows of V and M from starting in the same set of a cache, and lets the
	// micro-kernel read past the last column.
	winogradGap = 16
)

// winogradTiling cuts outputs into tiles. The patch of inputs of a tile begins padH above it and padW before it.
type winogradTiling struct {
	src, dst   Layout
	padH, padW int
}

func (t *winogradTiling) rows() int { return even(t.dst.H, winogradTile) }
func (t *winogradTiling) cols() int { return even(t.dst.W, winogradTile) }

// at returns the image of a tile, and where in it the tile begins.
func (t *winogradTiling) at(tile int) (n, y, x int) {
	row := tile / t.cols()
	return row / t.rows(), row % t.rows() * winogradTile, tile % t.cols() * winogradTile
}

// groups calls f for each group of count tiles from first on, of n images.
func (t *winogradTiling) groups(n int, f func(first, count int)) {
	tiles := n * t.rows() * t.cols()
	groups := even(tiles, winogradGroup)
	for g := range groups {
		first := g * tiles / groups
		f(first, (g+1)*tiles/groups-first)
	}
}

// winogradPass is the convolution of src with weights, into dst.
type winogradPass struct {
	winogradTiling
	scratch *Scratch
	own, u  []float32 // U: [points][panels][src.C][columns of a panel]

	w, stage  []float32 // while weights are loaded; [panels][9][src.C][columns]
	turned    bool      // they are those of the data gradient: inputs and outputs, and the taps, exchanged
	id        identity
	y, bias   []float32
	x         reader
	collector Collector
	add       bool
	v, m      []float32 // [points][count][src.C+gap] and [points][count][dst.C+gap]
	firstTile int
	count     int
	packF     func(panel int)
	inputF    func(chunk int)
	productF  func(chunk int)
	outputF   func(chunk int)
}

func (f *winogradPass) init(t winogradTiling, scratch *Scratch) {
	f.winogradTiling, f.scratch, f.id = t, scratch, newIdentity(t.src.C)
	f.packF, f.inputF, f.productF, f.outputF = f.pack, f.input, f.product, f.output
}

func (f *winogradPass) load(p *Pool, w []float32, turned bool) {
	panels := even(f.dst.C, tileCols())
	size := panels * tileCols() * f.src.C
	f.u = f.scratch.weights(&f.own, winogradPoints*size)
	f.stage = take(&f.scratch.first, 9*size)
	f.w, f.turned = w, turned
	p.Run(panels, f.packF)
	f.w, f.stage = nil, nil
}

// pack transforms the weights of a panel of columns.
func (f *winogradPass) pack(panel int) {
	nr, k := tileCols(), f.src.C
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
	plane := len(f.u) / winogradPoints
	c := transformCall{
		dst: f.u[panel*size:], dstRow: winogradPatch * plane, dstCol: plane,
		src: stage, srcRow: 3 * size, srcCol: size, lanes: size,
	}
	c.run(weightsTransform)
}

func (f *winogradPass) run(p *Pool, n int, y []float32, x Source, bias []float32, add bool, collect Collector) {
	f.y, f.x, f.bias, f.add, f.collector = y, f.id.reader(x), bias, add, collect
	if collect != nil {
		collect.begin(even(winogradGroup, winogradChunk)) // one group after another adds to them
	}
	f.groups(n, func(first, count int) {
		f.firstTile, f.count = first, count
		f.v = take(&f.scratch.first, winogradPoints*count*(f.src.C+winogradGap))
		f.m = take(&f.scratch.second, winogradPoints*count*(f.dst.C+winogradGap))
		p.Run(even(count, winogradChunk), f.inputF)
		p.Run(winogradPoints*even(count, winogradRows), f.productF)
		p.Run(even(count, winogradChunk), f.outputF)
	})
	f.y, f.x, f.bias, f.v, f.m, f.collector = nil, reader{}, nil, nil, nil, nil
}

// input transforms the patches of some tiles.
func (f *winogradPass) input(chunk int) {
	cut := newCutout(f.src, winogradPatch)
	defer cut.free()
	ld := f.src.C + winogradGap
	for i := range inChunk(chunk, f.count, winogradChunk) {
		n, y, x := f.at(f.firstTile + i)
		cut.read(inputTransform, f.v[i*ld:], f.count*ld, &f.x, n, y-f.padH, x-f.padW)
	}
}

// inChunk iterates over a chunk of n things cut by even.
func inChunk(chunk, n, size int) func(yield func(int) bool) {
	chunks := even(n, size)
	return func(yield func(int) bool) {
		for i := chunk * n / chunks; i < (chunk+1)*n/chunks; i++ {
			if !yield(i) {
				return
			}
		}
	}
}

// product computes some rows of the product of one point.
func (f *winogradPass) product(chunk int) {
	nr, k := tileCols(), f.src.C
	blocks := even(f.count, winogradRows)
	point, block := chunk/blocks, chunk%blocks
	r0, r1 := block*f.count/blocks, (block+1)*f.count/blocks
	tiles := even(r1-r0, tileRows())
	ldv, ldm := k+winogradGap, f.dst.C+winogradGap
	v, m := f.v[point*f.count*ldv:], f.m[point*f.count*ldm:]
	u := f.u[point*(len(f.u)/winogradPoints):]
	t := tile{aRow: ldv, aK: 1, bK: nr, ldc: ldm, k: k, segs: 1, imgs: 1}
	for j := 0; j < f.dst.C; j += nr {
		t.cols = min(nr, f.dst.C-j)
		t.b = u[j*k:][:nr*k]
		for i := range tiles {
			i0, i1 := r0+i*(r1-r0)/tiles, r0+(i+1)*(r1-r0)/tiles
			t.a, t.c = v[i0*ldv:], m[i0*ldm+j:]
			t.run(i1 - i0)
		}
	}
}

// output transforms the products of some tiles.
func (f *winogradPass) output(chunk int) {
	cut := newCutout(f.dst, winogradTile)
	defer cut.free()
	ld := f.dst.C + winogradGap
	for i := range inChunk(chunk, f.count, winogradChunk) {
		n, y, x := f.at(f.firstTile + i)
		cut.write(f.y, n, y, x, f.m[i*ld:], f.count*ld, f.bias, f.add)
		if f.collector != nil {
			cut.visible(y, x, func(row, col, _, floats int) {
				f.collector.add(chunk, n, row, col, f.y[f.dst.Offset(n, row, col):][:floats])
			})
		}
	}
}
