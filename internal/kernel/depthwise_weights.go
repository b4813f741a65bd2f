package kernel

const (
	// maxPartials bounds the number of partial sums of the weight gradient.
	maxPartials = 16
	// pixelsPerPartial keeps adding them up cheap beside making them.
	pixelsPerPartial = 16
)

// BackwardWeights computes the gradient of the loss with respect to the
// weights, dw [C,1,KH,KW], overwritten, over the first n images of x [N,H,W,C]
// and dy [N,OH,OW,C].
func (d *Depthwise) BackwardWeights(p *Pool, n int, dw []float32, x Source, dy []float32) {
	chunks := max(1, min(maxPartials, n*d.s.Out.H*d.s.Out.W/pixelsPerPartial))
	if need := chunks * d.PackedLen(); len(d.partials) < need {
		d.partials = make([]float32, need)
	}
	d.pending = depthwiseCall{n: n, chunks: chunks, pass: &d.forward, y: dy, x: d.in.reader(x), dw: dw}
	p.Run(chunks, d.weightsF)
	p.Run(d.s.KH*d.s.KW, d.reduceF)
	d.pending = depthwiseCall{}
}

// weightsChunk computes the partial sums over some of the rows of all images.
func (d *Depthwise) weightsChunk(chunk int) {
	q := &d.pending
	sums := d.partials[chunk*d.PackedLen():][:d.PackedLen()]
	clear(sums)
	f := q.pass
	q.rowsOf(chunk, func(n int, x view, row span) {
		for _, col := range f.cols {
			t, w := d.window(f, row, col, x)
			windowGradRun(&t, q.y[f.dst.Offset(n, row.dst, col.dst):], x.x[x.at(row.src, col.src):], sums, w)
		}
	})
}

// reduceChunk adds up the partial sums of one tap.
func (d *Depthwise) reduceChunk(tap int) {
	channels, taps := d.s.In.C, d.s.KH*d.s.KW
	const block = 64
	for c0 := 0; c0 < channels; c0 += block {
		c1 := min(c0+block, channels)
		var sum [block]float64
		for i := range d.pending.chunks {
			for c, v := range d.partials[(i*taps+tap)*channels:][c0:c1] {
				sum[c] += float64(v)
			}
		}
		for c := c0; c < c1; c++ {
			d.pending.dw[c*taps+tap] = float32(sum[c-c0])
		}
	}
}
