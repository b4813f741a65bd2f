package kernel

import "fmt"

// Depthwise is a convolution with a group for each channel:
//
//	y[n,oy,ox,c] = bias[c] + sum over ky, kx of
//	    x[n, oy*StrideH+ky-PadH, ox*StrideW+kx-PadW, c] * w[c,0,ky,kx]
//
// Forward it reads images by rows with zeros around them, which it makes where they have none; backward at the edges
// of an image it leaves out the taps that would fall outside what dy has. It holds no weights, but scratch memory: one
// goroutine at a time may use it.
type Depthwise struct {
	s       ConvShape
	forward pass
	data    pass

	in       identity
	partials []float32 // [chunks][KH*KW][C], of the weight gradient
	pending  depthwiseCall
	gatherF  func(int)
	weightsF func(int)
	reduceF  func(int)
}

// depthwiseCall holds the arguments of the call under way.
type depthwiseCall struct {
	n, chunks int
	pass      *pass
	y, w, dw  []float32
	half      []Pair // instead of y, or nil
	x         reader
	from      []float32 // what sums start from: bias or zeros, or nil for y itself
	collector Collector
}

// pass is the geometry of either the convolution or its data gradient, both
// of which gather: each pixel of dst is a weighted sum of some pixels of src.
type pass struct {
	dst, src         Layout
	rows             []span // one for each row of dst
	cols             []span // all the pixels of a row
	move, step, next [2]int // see span; down a column, along a row
	border           int    // pixels before and after a row of src that are read
}

// span is a run of pixels along one axis of dst that see the same taps of the
// kernel: pixel dst+step*j, for j < count, is the sum over a < taps of
// src[src+move*j+a] times tap number tap+next*a.
type span struct {
	dst, count, src, tap, taps int
}

// NewDepthwise returns a depthwise convolution of the given geometry. It
// panics unless In.C, Out.C and Groups are equal.
func NewDepthwise(s ConvShape) *Depthwise {
	s.check()
	if s.In.C != s.Groups || s.Out.C != s.Groups {
		panic(fmt.Sprintf("kernel: not a depthwise convolution: %+v", s))
	}
	d := &Depthwise{s: s, forward: forwardPass(s), data: dataPass(s), in: newIdentity(s.In.C)}
	d.gatherF = d.gatherChunk
	d.weightsF = d.weightsChunk
	d.reduceF = d.reduceChunk
	return d
}

// PackedLen returns the length of packed weights.
func (d *Depthwise) PackedLen() int { return d.s.KH * d.s.KW * d.s.In.C }

// Pack puts the weights w [C,1,KH,KW] into the order [KH,KW,C], which Forward
// and BackwardData read.
func (d *Depthwise) Pack(_ *Pool, dst, w []float32) {
	taps, channels := d.s.KH*d.s.KW, d.s.In.C
	for c := range channels {
		for t, v := range w[c*taps:][:taps] {
			dst[t*channels+c] = v
		}
	}
}

func forwardPass(s ConvShape) pass {
	p := pass{
		dst: s.Out, src: s.In,
		move: [2]int{s.StrideH, s.StrideW}, step: [2]int{1, 1}, next: [2]int{1, 1}, border: s.PadW,
	}
	along := func(count, stride, taps, pad, size, border, most int) []span {
		return span{count: count, src: -pad, taps: taps}.cut(nil, 1, stride, 1, -border, size+border, most)
	}
	p.rows = along(s.Out.H, s.StrideH, s.KH, s.PadH, s.In.H, s.PadH, 1)
	p.cols = along(s.Out.W, s.StrideW, s.KW, s.PadW, s.In.W, s.PadW, longest(s))
	return p
}

// dataPass is the geometry of
//
//	dx[ix] = sum over k of dy[(ix+pad-k)/stride] * w[k], where stride divides ix+pad-k.
//
// Pixels ix that are congruent modulo the stride see the same taps, the last
// of which is multiplied with the first pixel of dy.
func dataPass(s ConvShape) pass {
	p := pass{
		dst: s.In, src: s.Out,
		move: [2]int{1, 1}, step: [2]int{s.StrideH, s.StrideW}, next: [2]int{-s.StrideH, -s.StrideW}, border: s.Out.Pad,
	}
	along := func(count, stride, taps, pad, size, border, most int) (all []span) {
		for r := range min(stride, count) {
			sp := span{dst: r, count: (count - r + stride - 1) / stride}
			for k := range taps {
				if (r+pad-k)%stride == 0 {
					sp.tap = k
					sp.taps++
				}
			}
			sp.src = (r + pad - sp.tap) / stride
			all = sp.cut(all, stride, 1, -stride, -border, size+border, most)
		}
		return all
	}
	rows := along(s.In.H, s.StrideH, s.KH, s.PadH, s.Out.H, s.Out.Pad, 1)
	p.rows = make([]span, len(rows))
	for _, r := range rows {
		p.rows[r.dst] = r
	}
	p.cols = along(s.In.W, s.StrideW, s.KW, s.PadW, s.Out.W, s.Out.Pad, longest(s))
	return p
}

// longest returns how many pixels one call of the kernels may work on, so
// that it takes well below 100 microseconds.
func longest(s ConvShape) int { return max(1, 1<<19/(s.KH*s.KW*s.In.C)) }

// cut appends to all the parts of sp whose pixels see the same taps of those
// that read src from lo up to hi, each of most pixels or fewer.
func (sp span) cut(all []span, step, move, next, lo, hi, most int) []span {
	for j := range sp.count {
		// Tap a reads src+move*j+a.
		at := sp.src + move*j
		a0 := min(sp.taps, max(0, lo-at))
		a1 := max(a0, min(sp.taps, hi-at))
		one := span{dst: sp.dst + step*j, count: 1, src: at + a0, tap: sp.tap + next*a0, taps: a1 - a0}
		if one.taps == 0 {
			one.src, one.tap = lo, 0
		}
		if j > 0 {
			last := &all[len(all)-1]
			if last.tap == one.tap && last.taps == one.taps && last.count < most {
				last.count++
				continue
			}
		}
		all = append(all, one)
	}
	return all
}

// Forward computes the convolution of the first n images of x [N,H,W,C] into the interior of y
// [N,OH,OW,C], and gives what it writes to collect. packed comes from Pack; bias [C] and collect may be nil.
func (d *Depthwise) Forward(p *Pool, n int, y []float32, x Source, packed, bias []float32, collect Collector) {
	if bias == nil {
		bias = d.in.zeros
	}
	d.gather(p, depthwiseCall{n: n, pass: &d.forward, y: y, x: d.in.reader(x), w: packed, from: bias, collector: collect})
}

// ForwardHalf is Forward to bfloat16, without a bias.
func (d *Depthwise) ForwardHalf(p *Pool, n int, y []Pair, x Source, packed []float32, collect Collector) {
	d.gather(p, depthwiseCall{n: n, pass: &d.forward, half: y, x: d.in.reader(x), w: packed, from: d.in.zeros, collector: collect})
}

// BackwardData computes the gradient of the loss with respect to x, for the
// first n images: it overwrites the interior of dx [N,H,W,C], or adds to it.
// dy [N,OH,OW,C] has the layout Out; packed comes from Pack. What dx is then goes to collect, which may be nil.
func (d *Depthwise) BackwardData(p *Pool, n int, dx, dy, packed []float32, add bool, collect Collector) {
	from := d.in.zeros
	if add {
		from = nil
	}
	d.gather(p, depthwiseCall{n: n, pass: &d.data, y: dx, x: reader{Source: Source{X: dy, Layout: d.s.Out}}, w: packed, from: from, collector: collect})
}

func (d *Depthwise) gather(p *Pool, c depthwiseCall) {
	const chunks = 64
	c.chunks = min(chunks, c.n*c.pass.dst.H)
	if c.collector != nil {
		c.collector.begin(c.chunks)
	}
	d.pending = c
	p.Run(c.chunks, d.gatherF)
	d.pending = depthwiseCall{}
}

// gatherChunk computes some of the rows of all images.
func (d *Depthwise) gatherChunk(chunk int) {
	q := &d.pending
	f := q.pass
	var floats []float32 // of a row that goes to bfloat16
	if q.half != nil {
		floats = sumBuffers.get(f.dst.W * f.dst.C)
		defer sumBuffers.put(floats)
	}
	q.rowsOf(chunk, func(n int, x view, row span) {
		dst := floats
		at := f.dst.Offset(n, row.dst, 0)
		if q.half == nil {
			dst = q.y[at:]
		}
		for _, col := range f.cols {
			t, w := d.window(f, row, col, x)
			y := dst[col.dst*f.dst.C:]
			from := q.from
			if from == nil {
				from, t.fromStride = y, t.yStride
			}
			windowRun(&t, y, x.x[x.at(row.src, col.src):], q.w, w, from)
		}
		if q.half != nil {
			roundTrip(q.half[at/2:], floats)
		}
		if q.collector != nil {
			q.collector.add(chunk, n, row.dst, 0, dst[:f.dst.W*f.dst.C])
		}
	})
}

// rowsOf calls f for each row of dst in a chunk, with its image and with what it reads.
func (q *depthwiseCall) rowsOf(chunk int, f func(n int, x view, row span)) {
	p, h := q.pass, q.pass.dst.H
	first, end := chunk*q.n*h/q.chunks, (chunk+1)*q.n*h/q.chunks
	for r := first; r < end; {
		n, y0 := r/h, r%h
		y1 := min(h, y0+end-r)
		q.x.strips(y0, y1, p.move[0]*p.src.RowStride(), p.border, func(y0, y1 int) {
			lo, hi := p.reads(y0, y1)
			x := q.x.view(n, lo, hi, p.border)
			defer x.close()
			for _, row := range p.rows[y0:y1] {
				f(n, x, row)
			}
		})
		r += y1 - y0
	}
}

// reads returns the rows of src that rows y0 to y1 of dst see.
func (p *pass) reads(y0, y1 int) (lo, hi int) {
	lo, hi = p.src.H, 0
	for _, row := range p.rows[y0:y1] {
		lo, hi = min(lo, row.src), max(hi, row.src+max(1, row.taps))
	}
	return lo, hi
}

// window returns what the pixels of row and col see, and the place of the
// first tap in packed weights.
func (d *Depthwise) window(f *pass, row, col span, x view) (t window, w int) {
	c := d.s.In.C
	return window{
		pixels: col.count, channels: c, rows: row.taps, cols: col.taps,
		yStride: f.step[1] * c, xStride: f.move[1] * c,
		xRow: x.RowStride(), xCol: c,
		wRow: f.next[0] * d.s.KW * c, wCol: f.next[1] * c,
	}, (row.tap*d.s.KW + col.tap) * c
}
