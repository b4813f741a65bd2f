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
	y, x, res, dy     []float32
	ly, lx, lres, ldy Layout
	p                 affineParams
	a, b, c           []float32
	rows, chunks      int // rows in all, chunks of them
	add               bool
	collector         Collector
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
func (a *Affine) begin(n, h int, scale, shift, slope []float32) *affineCall {
	a.call = affineCall{rows: n * h, chunks: even(n*h, affineRows)}
	a.call.p = a.params(scale, shift, slope)
	return &a.call
}

// rowsOf calls f with image and row of each row of a chunk.
func (q *affineCall) rowsOf(chunk, h int, f func(n, y int)) {
	for r := chunk * q.rows / q.chunks; r < (chunk+1)*q.rows/q.chunks; r++ {
		f(r/h, r%h)
	}
}

// row returns the interior of a row.
func row(x []float32, l Layout, n, y int) []float32 {
	return x[l.Offset(n, y, 0):][:l.W*l.C]
}

// Forward computes y = prelu(x*scale + shift; slope) + res for the first n
// images. scale, shift and slope have C values; nil stands for 1, 0 and no
// activation. res may be nil. y may be x, or res, if their layouts are equal.
func (a *Affine) Forward(p *Pool, n int, y []float32, ly Layout, x []float32, lx Layout, scale, shift, slope, res []float32, lres Layout) {
	q := a.begin(n, lx.H, scale, shift, slope)
	q.y, q.ly, q.x, q.lx, q.res, q.lres = y, ly, x, lx, res, lres
	p.Run(q.chunks, a.f[0])
}

func (a *Affine) forwardChunk(chunk int) {
	q := &a.call
	q.rowsOf(chunk, q.lx.H, func(n, y int) {
		var res []float32
		if q.res != nil {
			res = row(q.res, q.lres, n, y)
		}
		affineRun(row(q.y, q.ly, n, y), row(q.x, q.lx, n, y), res, &q.p)
	})
}

// Collect gives the pixels of the first n images of x to c.
func (a *Affine) Collect(p *Pool, n int, c Collector, x []float32, lx Layout) {
	q := a.begin(n, lx.H, nil, nil, nil)
	q.x, q.lx, q.collector = x, lx, c
	c.begin(q.chunks)
	p.Run(q.chunks, a.f[1])
}

func (a *Affine) collectChunk(chunk int) {
	q := &a.call
	q.rowsOf(chunk, q.lx.H, func(n, y int) { addRows(q.collector, chunk, q.x, q.lx, n, y, y+1) })
}

// BackwardApply computes, with g as in GradientSums,
//
//	dx = a*g + b*x + c
//
// for the first n images, or adds it to dx. a nil stands for 1, b and c nil for 0.
// dx may be dy if their layouts are equal.
func (a *Affine) BackwardApply(p *Pool, n int, dx []float32, ldx Layout, dy []float32, ldy Layout, x []float32, lx Layout, scale, shift, slope, pa, pb, pc []float32, add bool) {
	q := a.begin(n, lx.H, scale, shift, slope)
	q.y, q.ly, q.x, q.lx, q.dy, q.ldy, q.a, q.b, q.c, q.add = dx, ldx, x, lx, dy, ldy, pa, pb, pc, add
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
	q.rowsOf(chunk, q.lx.H, func(n, y int) {
		affineGradRun(row(q.y, q.ly, n, y), row(q.x, q.lx, n, y), row(q.dy, q.ldy, n, y), &q.p, q.a, q.b, q.c, q.add)
	})
}
