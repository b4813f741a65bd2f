package kernel

// Affine is a pass over the pixels of a batch of N x H x W x C, with values
// that differ from channel to channel:
//
//	z = x*scale + shift,  y = prelu(z; slope) + res
//
// where prelu(z; slope) is z for z > 0 and slope*z elsewhere. Batch
// normalisation, a bias, PReLU (He et al. 2015) and a residual sum are all
// such passes, alone or together.
//
// One goroutine at a time may use it.
type Affine struct {
	channels int
	identity
	call affineCall
	f    [3]func(int)
}

type affineCall struct {
	y, res, dy    []float32
	half          []Pair // instead of y, or nil
	ly, lres, ldy Layout
	x             Source
	p             affineParams
	a, b, c       []float32
	rows, chunks  int // rows in all, chunks of them
	add           bool
	collector     Collector
}

// NewAffine returns an Affine for passes over images of this many channels.
func NewAffine(channels int) *Affine {
	a := &Affine{channels: channels, identity: newIdentity(channels)}
	a.f = [3]func(int){a.forwardChunk, a.collectChunk, a.gradChunk}
	return a
}

// affineRows is how many rows of images a chunk has: enough to outweigh the cost
// of a chunk, few enough that small batches have several.
const affineRows = 28

// begin fills in the parameters that are nil and cuts n images into chunks.
func (a *Affine) begin(n int, x Source) *affineCall {
	rows := n * x.Layout.H
	a.call = affineCall{x: x, rows: rows, chunks: even(rows, affineRows)}
	a.call.p = a.params(x.Scale, x.Shift, x.Slope)
	return &a.call
}

// rowsOf calls f with image, row and x of each row of a chunk.
func (q *affineCall) rowsOf(chunk int, f func(n, y int, x []float32)) {
	buffer := q.x.rawBuffer()
	if buffer != nil {
		defer sumBuffers.put(buffer)
	}
	h := q.x.Layout.H
	for r := chunk * q.rows / q.chunks; r < (chunk+1)*q.rows/q.chunks; r++ {
		f(r/h, r%h, q.x.raw(buffer, r/h, r%h))
	}
}

// row returns the interior of a row.
func row(x []float32, l Layout, n, y int) []float32 {
	return x[l.Offset(n, y, 0):][:l.W*l.C]
}

// Forward computes y = prelu(x*scale + shift; slope) + res for the first n
// images. scale, shift and slope, of the source, have C values; nil stands for 1, 0 and no
// activation. res may be nil. y may be x, or res, if their layouts are equal.
func (a *Affine) Forward(p *Pool, n int, y []float32, ly Layout, x Source, res []float32, lres Layout) {
	q := a.begin(n, x)
	q.y, q.ly, q.res, q.lres = y, ly, res, lres
	p.Run(q.chunks, a.f[0])
}

// ForwardHalf is Forward to bfloat16, without res.
func (a *Affine) ForwardHalf(p *Pool, n int, y []Pair, ly Layout, x Source) {
	q := a.begin(n, x)
	q.half, q.ly = y, ly
	p.Run(q.chunks, a.f[0])
}

func (a *Affine) forwardChunk(chunk int) {
	q := &a.call
	if q.half != nil {
		floats := sumBuffers.get(q.ly.W * q.ly.C)
		defer sumBuffers.put(floats)
		q.rowsOf(chunk, func(n, y int, x []float32) {
			affineRun(floats, x, nil, &q.p)
			roundPairs(q.half[q.ly.Offset(n, y, 0)/2:][:len(floats)/2], floats)
		})
		return
	}
	q.rowsOf(chunk, func(n, y int, x []float32) {
		var res []float32
		if q.res != nil {
			res = row(q.res, q.lres, n, y)
		}
		affineRun(row(q.y, q.ly, n, y), x, res, &q.p)
	})
}

// Collect gives the pixels of the first n images of x, as they are stored, to c.
func (a *Affine) Collect(p *Pool, n int, c Collector, x Source) {
	q := a.begin(n, x)
	q.collector = c
	c.begin(q.chunks)
	p.Run(q.chunks, a.f[1])
}

func (a *Affine) collectChunk(chunk int) {
	q := &a.call
	q.rowsOf(chunk, func(n, y int, x []float32) { q.collector.add(chunk, n, y, 0, x) })
}

// BackwardApply computes, with g as in GradientSums,
//
//	dx = a*g + b*x + c
//
// for the first n images, or adds it to dx. a nil stands for 1, b and c nil for 0.
// dx may be dy if their layouts are equal.
func (a *Affine) BackwardApply(p *Pool, n int, dx []float32, ldx Layout, dy []float32, ldy Layout, x Source, pa, pb, pc []float32, add bool) {
	q := a.begin(n, x)
	q.y, q.ly, q.dy, q.ldy, q.a, q.b, q.c, q.add = dx, ldx, dy, ldy, pa, pb, pc, add
	if pa == nil {
		q.a = a.ones
	}
	if pb == nil {
		q.b = a.zeros
	}
	if pc == nil {
		q.c = a.zeros
	}
	p.Run(q.chunks, a.f[2])
}

func (a *Affine) gradChunk(chunk int) {
	q := &a.call
	q.rowsOf(chunk, func(n, y int, x []float32) {
		affineGradRun(row(q.y, q.ly, n, y), x, row(q.dy, q.ldy, n, y), &q.p, q.a, q.b, q.c, q.add)
	})
}
