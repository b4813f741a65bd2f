package kernel

// Load takes the weights w [out, in/groups, KH, KW] of Forward. It puts them into the order in
// which that reads them: panels of columns, each [KH, KW*in/groups, columns].
func (c *Conv) Load(p *Pool, w []float32) {
	panels := c.panels()
	c.packed = c.scratch.weights(&c.own, panels*tileCols()*c.s.KH*c.s.KW*c.cg)
	c.pending = convCall{y: c.packed, w: w}
	p.Run(panels, c.packF)
	c.pending = convCall{}
}

func (c *Conv) packForwardPanel(panel int) {
	nr, taps := tileCols(), c.s.KH*c.s.KW
	panels := even(c.og, nr)
	g, j := panel/panels, panel%panels*nr
	cols := min(nr, c.og-j)
	dst := c.pending.y[panel*nr*taps*c.cg:][:nr*taps*c.cg]
	if cols < nr {
		clear(dst)
	}
	for o := range cols {
		w := c.pending.w[(g*c.og+j+o)*c.cg*taps:][:c.cg*taps]
		for i := range c.cg {
			for k := range taps {
				dst[(k*c.cg+i)*nr+o] = w[i*taps+k]
			}
		}
	}
}

// Forward computes the convolution of the first n images of x [N,H,W,in] into the interior of y
// [N,OH,OW,out], with the weights of Load, and gives what it writes to collect. bias [out] and collect may be nil.
func (c *Conv) Forward(p *Pool, n int, y []float32, x Source, bias []float32, collect Collector) {
	c.runForward(p, convCall{n: n, y: y, x: c.in.reader(x), bias: bias, collector: collect})
}

// ForwardHalf is Forward to bfloat16, without a bias.
func (c *Conv) ForwardHalf(p *Pool, n int, y []Pair, x Source, collect Collector) {
	c.runForward(p, convCall{n: n, half: y, x: c.in.reader(x), collector: collect})
}

func (c *Conv) runForward(p *Pool, q convCall) {
	q.chunks, q.w = rowChunks(q.n, c.s.Out.H), c.packed
	if q.collector != nil {
		q.collector.begin(q.n * q.chunks)
	}
	c.pending = q
	if c.panelwise(&q) {
		p.Run(c.panels(), c.panel)
	} else {
		p.Run(q.n*q.chunks, c.forward)
	}
	c.pending = convCall{}
}

// panels returns how many panels of columns the packed weights have.
func (c *Conv) panels() int { return c.s.Groups * even(c.og, tileCols()) }

// panelwise reports whether the work is cut by panels of weights, each of which reads all images, and not by rows, each of which reads all weights: few
// images that are small beside the weights wait for memory more than they compute. There are to be as many pieces as of rows.
func (c *Conv) panelwise(q *convCall) bool {
	weights := c.og * c.s.In.C * c.s.KH * c.s.KW
	images := q.n * c.s.In.H * c.s.In.W * c.s.In.C
	return q.chunks > 1 && q.half == nil && q.collector == nil && !c.weightsInCache(c.cg, c.og, c.s.KH*c.s.KW) &&
		4*images <= weights && c.panels() >= q.n*q.chunks
}

func (c *Conv) forwardPanel(panel int) {
	s, q := &c.s, &c.pending
	for n := range q.n {
		c.forwardStrip(n, 0, s.Out.H, panel, panel+1, q.y[s.Out.Offset(n, 0, 0):])
	}
}

// packedInCache is how many floats of packed weights stay in a second-level
// cache beside what else is read.
const packedInCache = 96 << 10

func (c *Conv) forwardChunk(chunk int) {
	s, q := &c.s, &c.pending
	n, part := chunk/q.chunks, chunk%q.chunks
	y0, y1 := part*s.Out.H/q.chunks, (part+1)*s.Out.H/q.chunks
	floats := s.StrideH * q.x.Layout.RowStride()
	if !c.weightsInCache(c.cg, c.og, s.KH*s.KW) {
		floats = 0 // weights are read once for a strip: one strip
	}
	q.x.strips(y0, y1, floats, s.PadW, func(y0, y1 int) {
		if q.half == nil {
			c.forwardStrip(n, y0, y1, 0, c.panels(), q.y[s.Out.Offset(n, y0, 0):])
			return
		}
		stride := s.Out.RowStride()
		strip := sumBuffers.get((y1 - y0) * stride)
		defer sumBuffers.put(strip)
		c.forwardStrip(n, y0, y1, 0, c.panels(), strip)
		for y := y0; y < y1; y++ {
			pixels := strip[(y-y0)*stride:][:s.Out.W*s.Out.C]
			roundTrip(q.half[s.Out.Offset(n, y, 0)/2:], pixels)
			if q.collector != nil {
				q.collector.add(chunk, n, y, 0, pixels)
			}
		}
	})
	if q.collector != nil && q.half == nil {
		addRows(q.collector, chunk, Source{X: q.y, Layout: s.Out}, n, y0, y1)
	}
}

// weightsInCache reports whether the packed weights of a pass from in to out channels of a group stay in a
// cache.
func (c *Conv) weightsInCache(in, out, taps int) bool {
	nr := tileCols()
	return c.s.Groups*even(out, nr)*nr*taps*in <= packedInCache
}

// merged returns how many rows are worked on as one: several where each output sees just its own pixel and
// neither side has borders, as many as stay in a cache.
func (c *Conv) merged(x, y Layout) int {
	s := &c.s
	if s.KH*s.KW*s.StrideH*s.StrideW > 1 || s.PadH+s.PadW+x.Pad+y.Pad > 0 {
		return 1
	}
	return max(1, stripFloats/x.RowStride())
}

// forwardStrip computes rows y0 to y1 of image n, the first of which is at the start of dst, in the columns of some panels.
func (c *Conv) forwardStrip(n, y0, y1, firstPanel, endPanel int, dst []float32) {
	s, q := &c.s, &c.pending
	x := q.x.view(n, y0*s.StrideH-s.PadH, (y1-1)*s.StrideH-s.PadH+s.KH, s.PadW)
	defer x.close()
	nr := tileCols()
	panels := even(c.og, nr)
	panelLen := nr * s.KH * s.KW * c.cg

	t := tile{aRow: s.StrideW * x.C, aK: 1, bK: nr, ldc: s.Out.C}
	if s.Groups == 1 {
		// (kx, channel) is contiguous: a row of taps is one segment.
		t.k, t.segs, t.imgs = s.KW*c.cg, s.KH, 1
		t.aSeg = x.RowStride()
	} else {
		t.k, t.segs, t.imgs = c.cg, s.KW, s.KH
		t.aSeg, t.aNext = x.C, x.RowStride()-s.KW*x.C
	}
	t.bSeg = t.k * nr
	merged := c.merged(x.Layout, s.Out)
	panel := func(i, from, to int) {
		g, j := i/panels, i%panels*nr
		t.cols = min(nr, c.og-j)
		t.b = q.w[i*panelLen:][:panelLen]
		o := g*c.og + j
		if q.bias != nil {
			t.bias = q.bias[o:]
		}
		for y := from; y < to; y += merged {
			a := x.at(y*s.StrideH-s.PadH, -s.PadW) + g*c.cg
			c.rowOfTiles(&t, s.Out.W*min(merged, to-y), x.x, a, dst, (y-y0)*s.Out.RowStride()+o)
		}
	}
	if c.weightsInCache(c.cg, c.og, s.KH*s.KW) {
		for y := y0; y < y1; y += merged {
			for i := firstPanel; i < endPanel; i++ {
				panel(i, y, min(y1, y+merged))
			}
		}
		return
	}
	for i := firstPanel; i < endPanel; i++ {
		panel(i, y0, y1)
	}
}

// rowOfTiles runs t over w neighbouring pixels, read from a[pa:] and written
// to y[py:].
func (c *Conv) rowOfTiles(t *tile, w int, a []float32, pa int, y []float32, py int) {
	tiles := even(w, tileRows())
	for i := range tiles {
		x0, x1 := i*w/tiles, (i+1)*w/tiles
		t.a = a[pa+x0*t.aRow:]
		t.c = y[py+x0*t.ldc:]
		t.run(x1 - x0)
	}
}
