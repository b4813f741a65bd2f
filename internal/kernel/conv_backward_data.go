package kernel

// phase is a part of the data gradient of a strided convolution: the pixels
// (StrideH*i+ry, StrideW*j+rx) of dx, all of which see the same taps of the
// kernel, and neighbouring pixels of dy through neighbouring taps:
//
//	dx[StrideH*i+ry, StrideW*j+rx] = sum over a < kh, b < kw of
//	    dy[i+oy+a, j+ox+b] * w[:, :, ky-StrideH*a, kx-StrideW*b]
//
// An unstrided convolution has one phase: the flipped kernel.
type phase struct {
	ry, rx int
	ky, kx int // the first tap: the last one of w that the phase sees
	kh, kw int // taps; 0 where the phase sees none
	oy, ox int
	offset int // of its weights in the packed ones
}

// makePhases works out the phases of the data gradient.
func (c *Conv) makePhases() []phase {
	s := c.s
	// along returns the last tap of k that sees pixels congruent to r, the number
	// of such taps and the offset in dy of the first.
	along := func(r, k, stride, pad int) (last, count, offset int) {
		for tap := range k {
			if (r+pad-tap)%stride == 0 {
				last = tap
				count++
			}
		}
		return last, count, (r + pad - last) / stride
	}
	var ps []phase
	offset := 0
	for ry := range s.StrideH {
		for rx := range s.StrideW {
			f := phase{ry: ry, rx: rx, offset: offset}
			f.ky, f.kh, f.oy = along(ry, s.KH, s.StrideH, s.PadH)
			f.kx, f.kw, f.ox = along(rx, s.KW, s.StrideW, s.PadW)
			offset += s.Groups * f.kh * f.kw * c.og * even(c.cg, maxTileCols) * maxTileCols
			ps = append(ps, f)
		}
	}
	return ps
}

// LoadBackward takes the weights w [out, in/groups, KH, KW] of BackwardData. It puts them into the
// order in which that reads them: for each phase, panels of columns, each
// [taps, out/groups, columns].
func (c *Conv) LoadBackward(p *Pool, w []float32) {
	c.packed = c.scratch.weights(&c.own, c.s.Groups*c.s.KH*c.s.KW*c.og*even(c.cg, maxTileCols)*maxTileCols)
	c.pending = convCall{y: c.packed, w: w}
	p.Run(c.s.Groups*even(c.cg, tileCols()), c.packB)
	c.pending = convCall{}
}

func (c *Conv) packBackwardPanel(panel int) {
	s, nr := &c.s, tileCols()
	panels := even(c.cg, nr)
	g, j := panel/panels, panel%panels*nr
	cols := min(nr, c.cg-j)
	taps := s.KH * s.KW
	for _, f := range c.phases {
		size := nr * f.kh * f.kw * c.og
		dst := c.pending.y[f.offset+panel*size:][:size]
		if cols < nr {
			clear(dst)
		}
		for a := range f.kh {
			for b := range f.kw {
				tap := (f.ky-a*s.StrideH)*s.KW + f.kx - b*s.StrideW
				for o := range c.og {
					d := dst[((a*f.kw+b)*c.og+o)*nr:][:cols]
					w := c.pending.w[((g*c.og+o)*c.cg+j)*taps+tap:]
					for i := range d {
						d[i] = w[i*taps]
					}
				}
			}
		}
	}
}

// reach returns how far the phases' taps reach beyond the columns of dy.
func (c *Conv) reach() int {
	s, pad := &c.s, 0
	for _, f := range c.phases {
		if f.kh*f.kw > 0 {
			cols := (s.In.W - f.rx + s.StrideW - 1) / s.StrideW
			pad = max(pad, -f.ox, cols-1+f.ox+f.kw-s.Out.W)
		}
	}
	return pad
}

// BackwardData computes the gradient of the loss with respect to x, for the
// first n images: it overwrites the interior of dx [N,H,W,in], or adds to it. dy
// [N,OH,OW,out] has the layout Out. The weights are those of LoadBackward. What dx is then goes to collect, which may be nil.
func (c *Conv) BackwardData(p *Pool, n int, dx, dy []float32, add bool, collect Collector) {
	c.pending = convCall{n: n, chunks: rowChunks(n, c.s.In.H), y: dx, x: reader{Source: Source{X: dy, Layout: c.s.Out}}, w: c.packed, add: add, collector: collect}
	if collect != nil {
		collect.begin(n * c.pending.chunks)
	}
	p.Run(n*c.pending.chunks, c.backward)
	c.pending = convCall{}
}

func (c *Conv) backwardChunk(chunk int) {
	s, q := &c.s, &c.pending
	nr := tileCols()
	n, part := chunk/q.chunks, chunk%q.chunks
	panels := even(c.cg, nr)
	for _, f := range c.phases {
		rows := (s.In.H - f.ry + s.StrideH - 1) / s.StrideH
		cols := (s.In.W - f.rx + s.StrideW - 1) / s.StrideW
		y0, y1 := part*rows/q.chunks, (part+1)*rows/q.chunks
		if y0 == y1 || cols == 0 {
			continue
		}
		if f.kh*f.kw == 0 {
			if !q.add {
				c.clearPhase(n, f, y0, y1, cols)
			}
			continue
		}
		dy := q.x.view(n, y0+f.oy, y1-1+f.oy+f.kh, c.reach())
		panelLen := nr * f.kh * f.kw * c.og
		t := tile{aRow: dy.C, aK: 1, bK: nr, ldc: s.StrideW * s.In.C}
		if q.add {
			t.add = 1
		}
		if s.Groups == 1 {
			t.k, t.segs, t.imgs = f.kw*c.og, f.kh, 1
			t.aSeg = dy.RowStride()
		} else {
			t.k, t.segs, t.imgs = c.og, f.kw, f.kh
			t.aSeg, t.aNext = dy.C, dy.RowStride()-f.kw*dy.C
		}
		t.bSeg = t.k * nr
		merged := c.merged(dy.Layout, s.In)
		panel := func(i, y0, y1 int) {
			g, j := i/panels, i%panels*nr
			t.cols = min(nr, c.cg-j)
			t.b = q.w[f.offset+i*panelLen:][:panelLen]
			for y := y0; y < y1; y += merged {
				a := dy.at(y+f.oy, f.ox) + g*c.og
				c.rowOfTiles(&t, cols*min(merged, y1-y), dy.x, a, q.y, s.In.Offset(n, y*s.StrideH+f.ry, f.rx)+g*c.cg+j)
			}
		}
		if c.weightsInCache(c.og, c.cg, f.kh*f.kw) {
			for y := y0; y < y1; y += merged {
				for i := range s.Groups * panels {
					panel(i, y, min(y1, y+merged))
				}
			}
		} else {
			for i := range s.Groups * panels {
				panel(i, y0, y1)
			}
		}
		dy.close()
	}
	if q.collector == nil {
		return
	}
	for ry := range s.StrideH {
		rows := (s.In.H - ry + s.StrideH - 1) / s.StrideH
		for y := part * rows / q.chunks; y < (part+1)*rows/q.chunks; y++ {
			addRows(q.collector, chunk, Source{X: q.y, Layout: s.In}, n, y*s.StrideH+ry, y*s.StrideH+ry+1)
		}
	}
}

// clearPhase zeroes pixels of dx that no tap of the kernel sees.
func (c *Conv) clearPhase(n int, f phase, y0, y1, cols int) {
	s := &c.s
	for y := y0; y < y1; y++ {
		for x := range cols {
			clear(c.pending.y[s.In.Offset(n, y*s.StrideH+f.ry, x*s.StrideW+f.rx):][:s.In.C])
		}
	}
}
