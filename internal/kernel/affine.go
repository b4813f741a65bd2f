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
// It holds scratch memory: one goroutine at a time may use it.
type Affine struct {
	channels int
	identity
	partials []float32 // [chunks][3][C], sums of a few hundred pixels
	totals   []float64 // [chunks][3][C]
	call     affineCall
	f        [4]func(int)
}

type affineCall struct {
	y, x, res, dy     []float32
	ly, lx, lres, ldy Layout
	p                 affineParams
	a, b, c           []float32
	rows, chunks      int // rows in all, chunks of them
	add               bool
	moments           *Moments
}

// NewAffine returns an Affine for passes over images of this many channels.
func NewAffine(channels int) *Affine {
	a := &Affine{channels: channels, identity: newIdentity(channels)}
	a.f = [4]func(int){a.forwardChunk, a.momentsChunk, a.sumsChunk, a.gradChunk}
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

// Moments adds the pixels of the first n images of x to m, for its Result.
func (a *Affine) Moments(p *Pool, n int, m *Moments, x []float32, lx Layout) {
	q := a.begin(n, lx.H, nil, nil, nil)
	q.x, q.lx, q.moments = x, lx, m
	m.begin(q.chunks)
	p.Run(q.chunks, a.f[1])
}

func (a *Affine) momentsChunk(chunk int) {
	q := &a.call
	q.rowsOf(chunk, q.lx.H, func(n, y int) { q.moments.addRows(chunk, q.x, q.lx, n, y, y+1) })
}

// BackwardSums computes, with z = x*scale + shift and g = dy*prelu'(z),
//
//	dshift = sum g,  dscale = sum g*(x*a + b),  dslope = sum dy*min(z, 0)
//
// over the pixels of the first n images. With a = 1/deviation and b =
// -mean/deviation dscale is batch normalisation's gradient of its gain. nil
// parameters are as in Forward; a and b nil stand for 1 and 0; results that are nil are not stored.
func (a *Affine) BackwardSums(p *Pool, n int, dshift, dscale, dslope []float32, dy []float32, ldy Layout, x []float32, lx Layout, scale, shift, slope, pa, pb []float32) {
	q := a.begin(n, lx.H, scale, shift, slope)
	q.x, q.lx, q.dy, q.ldy, q.a, q.b = x, lx, dy, ldy, pa, pb
	if pa == nil {
		q.a = a.ones
	}
	if pb == nil {
		q.b = a.zeros
	}
	a.grow(q.chunks)
	p.Run(q.chunks, a.f[2])
	for i, dst := range [3][]float32{dshift, dscale, dslope} {
		for c := range dst {
			dst[c] = float32(a.total(i, c))
		}
	}
}

func (a *Affine) sumsChunk(chunk int) {
	q := &a.call
	part, total := a.sums(chunk)
	pending := 0
	q.rowsOf(chunk, q.lx.H, func(n, y int) {
		affineSumsRun(part, row(q.x, q.lx, n, y), row(q.dy, q.ldy, n, y), &q.p, q.a, q.b)
		if pending += q.lx.W; pending >= sumPixels {
			flush(total, part)
			pending = 0
		}
	})
	flush(total, part)
}

// BackwardApply computes, with g as in BackwardSums,
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
	p.Run(q.chunks, a.f[3])
}

func (a *Affine) gradChunk(chunk int) {
	q := &a.call
	q.rowsOf(chunk, q.lx.H, func(n, y int) {
		affineGradRun(row(q.y, q.ly, n, y), row(q.x, q.lx, n, y), row(q.dy, q.ldy, n, y), &q.p, q.a, q.b, q.c, q.add)
	})
}

func (a *Affine) grow(chunks int) {
	if n := chunks * 3 * a.channels; len(a.partials) < n {
		a.partials, a.totals = make([]float32, n), make([]float64, n)
	}
}

// sums returns a chunk's accumulators, zeroed.
func (a *Affine) sums(chunk int) (part []float32, total []float64) {
	n := 3 * a.channels
	part, total = a.partials[chunk*n:][:n], a.totals[chunk*n:][:n]
	clear(part)
	clear(total)
	return part, total
}

// flush moves sums of some pixels to those of the chunk.
func flush(total []float64, part []float32) {
	for i, v := range part {
		total[i] += float64(v)
	}
	clear(part)
}

// total adds up, in order, the chunks' sums.
func (a *Affine) total(plane, c int) (sum float64) {
	for chunk := range a.call.chunks {
		sum += a.totals[(chunk*3+plane)*a.channels+c]
	}
	return sum
}
