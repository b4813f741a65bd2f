package kernel

const (
	// weightBlock is how many floats of x and dy are worked on at a time: they
	// are read once for each tile of dw and should stay in a second-level cache.
	weightBlock = 80 << 10
	// weightPartials bounds the floats of the partial sums of dw.
	weightPartials = 5 << 20
	// maxSplits bounds the number of partial sums, and splitPixels is the least that one is worth its memory for.
	maxSplits   = 8
	splitPixels = 1024
)

// splits returns how many groups the images are cut into, each with a partial sum
// of dw of its own. It depends on the shape only.
func (c *Conv) splits(n int) int {
	pixels := n * c.s.Out.H * c.s.Out.W
	return max(1, min(n, maxSplits, max(2, weightPartials/c.gradientLen()), max(2, pixels/splitPixels)))
}

// gradientLen is the length of one partial sum: [KH, groups, KW*in/groups, out/groups].
func (c *Conv) gradientLen() int { return c.s.KH * c.s.KW * c.cg * c.s.Out.C }

// BackwardWeights computes the gradient of the loss with respect to the
// weights, dw [out, in/groups, KH, KW], overwritten, over the first n images of
// x [N,H,W,in] and dy [N,OH,OW,out].
func (c *Conv) BackwardWeights(p *Pool, n int, dw []float32, x Source, dy []float32) {
	c.pending = convCall{n: n, chunks: c.splits(n), y: dy, x: c.in.reader(x), w: take(&c.scratch.first, c.splits(n)*c.gradientLen()), dw: dw}
	p.Run(c.pending.chunks*c.s.KH, c.weights)
	p.Run(even(c.s.Out.C, 16), c.reduce)
	c.pending = convCall{}
}

// weightsChunk computes, for one group of images, the partial sums of one
// row of the kernel. There the product has a row for each (kx, channel) of x and
// a column for each channel of dy, and sums over pixels.
func (c *Conv) weightsChunk(chunk int) {
	s, q := &c.s, &c.pending
	split, ky := chunk/s.KH, chunk%s.KH
	n0, n1 := split*q.n/q.chunks, (split+1)*q.n/q.chunks
	size := c.gradientLen()
	sum := q.w[split*size+ky*size/s.KH:][:size/s.KH]

	// A block is some rows of an image or, where images are small, several of them.
	rowLen := s.Out.W * (s.StrideH*s.StrideW*s.In.C + s.Out.C)
	rows := min(s.Out.H, max(1, weightBlock/rowLen))
	rows = (s.Out.H + even(s.Out.H, rows) - 1) / even(s.Out.H, rows)
	imgs := 1
	if rows == s.Out.H {
		imgs = max(1, weightBlock/(rowLen*rows))
	}
	first := 0
	for n := n0; n < n1; n += imgs {
		for y := 0; y < s.Out.H; y += rows {
			c.weightsBlock(sum, ky, n, min(imgs, n1-n), y, min(rows, s.Out.H-y), first)
			first = 1
		}
	}
}

// weightsBlock adds the pixels of rows y to y+rows of images n to n+imgs to sum
// [groups, KW*in/groups, out/groups], or sets it to them if add is 0.
func (c *Conv) weightsBlock(sum []float32, ky, n, imgs, y, rows, add int) {
	s, q := &c.s, &c.pending
	nr, mr := tileCols(), tileRows()
	top := y*s.StrideH + ky - s.PadH
	x := q.x.view(n, n+imgs, top, top+(rows-1)*s.StrideH+1, s.PadW)
	defer x.close()
	t := tile{
		aRow: 1, aK: s.StrideW * x.C, aSeg: s.StrideH * x.RowStride(),
		aNext: x.ImageStride() - rows*s.StrideH*x.RowStride(),
		ldc:   c.og, k: s.Out.W, segs: rows, imgs: imgs, add: add,
	}
	// With one group (kx, channel) is contiguous in x; with more, only channels are.
	m, runs := s.KW*c.cg, 1
	if s.Groups > 1 {
		m, runs = c.cg, s.KW
	}
	tiles := even(m, mr)
	for g := range s.Groups {
		for j := 0; j < c.og; j += nr {
			t.cols = min(nr, c.og-j)
			t.b, t.bK = q.y[s.Out.Offset(n, y, 0)+g*c.og+j:], s.Out.C
			t.bSeg, t.bNext = s.Out.RowStride(), s.Out.ImageStride()-rows*s.Out.RowStride()
			if t.cols < nr {
				t.b = c.padColumns(n, imgs, y, rows, g*c.og+j, t.cols)
				t.bK, t.bSeg, t.bNext = nr, s.Out.W*nr, 0
			}
			for run := range runs {
				a := x.at(n, top, run-s.PadW) + g*c.cg
				for i := range tiles {
					i0, i1 := i*m/tiles, (i+1)*m/tiles
					t.a = x.x[a+i0:]
					t.c = sum[((g*runs+run)*m+i0)*c.og+j:]
					t.run(i1 - i0)
				}
			}
		}
	}
}

// padColumns copies cols channels of a block of dy, with zeros after them.
func (c *Conv) padColumns(n, imgs, y, rows, channel, cols int) []float32 {
	nr, l := tileCols(), c.s.Out
	b := make([]float32, imgs*rows*l.W*nr)
	for i := range imgs {
		for r := range rows {
			for x := range l.W {
				copy(b[((i*rows+r)*l.W+x)*nr:][:cols], c.pending.y[l.Offset(n+i, y+r, x)+channel:])
			}
		}
	}
	return b
}

// reduceChunk adds up the partial sums, in order, for some channels of dy.
func (c *Conv) reduceChunk(chunk int) {
	s, q := &c.s, &c.pending
	size, taps := c.gradientLen(), s.KH*s.KW
	chunks := even(s.Out.C, 16)
	for o := chunk * s.Out.C / chunks; o < (chunk+1)*s.Out.C/chunks; o++ {
		g, og := o/c.og, o%c.og
		for ky := range s.KH {
			for kx := range s.KW {
				for i := range c.cg {
					// Both orders of sum are [KH, groups, KW, in/groups, out/groups].
					at := (((ky*s.Groups+g)*s.KW+kx)*c.cg+i)*c.og + og
					v := q.w[at]
					for split := 1; split < q.chunks; split++ {
						v += q.w[split*size+at]
					}
					q.dw[(o*c.cg+i)*taps+ky*s.KW+kx] = v
				}
			}
		}
	}
}
