package kernel

const (
	// weightSums and weightBlock are how many floats of dw, and of x and dy, are worked on at a time: a
	// second-level cache holds both.
	weightSums  = 64 << 10
	weightBlock = 80 << 10
	// weightPixels is about how many outputs those are: a panel of their dy stays in a first-level cache.
	weightPixels = 192
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
	ins, outs := c.weightsParts()
	panels := even(c.og, tileCols())
	size := c.gradientLen() / s.KH
	part := weightsPart{ky: ky, sum: q.w[split*size*s.KH+ky*size:][:size]}
	for part.group = range s.Groups {
		for i := range ins {
			part.i0, part.i1 = i*c.cg/ins, (i+1)*c.cg/ins
			for o := range outs {
				part.o0, part.o1 = o*panels/outs*tileCols(), min(c.og, (o+1)*panels/outs*tileCols())
				c.weightsOf(&part, n0, n1)
			}
		}
	}
}

// weightsParts returns how many parts the channels of a group, of x and of dy, are cut into.
func (c *Conv) weightsParts() (ins, outs int) {
	const least = 32
	s := &c.s
	ins, outs = 1, 1
	for {
		i, o := even(c.cg, ins), even(c.og, outs)
		if s.KW*i*o <= weightSums && weightPixels*(s.StrideW*i+o) <= weightBlock || max(i, o) <= least {
			return ins, outs
		}
		if s.StrideW*i >= o && i > least || o <= least {
			ins *= 2
		} else {
			outs *= 2
		}
	}
}

// weightsPart is a part of dw: one row of the kernel, channels i0 to i1 and o0 to o1 of a group. sum [groups, KW*in/groups, out/groups] is
// of all channels.
type weightsPart struct {
	ky, group      int
	i0, i1, o0, o1 int
	sum            []float32
}

// weightsOf computes a part of dw over images n0 to n1, a block of pixels at a time: some rows of an image or,
// where images are small, several of them.
func (c *Conv) weightsOf(p *weightsPart, n0, n1 int) {
	s := &c.s
	rows := min(s.Out.H, max(1, weightPixels/s.Out.W))
	rows = (s.Out.H + even(s.Out.H, rows) - 1) / even(s.Out.H, rows)
	imgs := 1
	if rows == s.Out.H {
		imgs = max(1, weightPixels/(s.Out.W*rows))
	}
	add := 0
	for n := n0; n < n1; n += imgs {
		for y := 0; y < s.Out.H; y += rows {
			c.weightsBlock(p, n, min(imgs, n1-n), y, min(rows, s.Out.H-y), add)
			add = 1
		}
	}
}

// weightsPitch returns the distance from one pixel to the next where channels are copied.
func weightsPitch(channels int) int {
	if channels < 64 {
		return channels
	}
	return channels + cacheGap
}

// weightsBlock adds the pixels of rows y to y+rows of images n to n+imgs to a part of dw, or sets it to them if add is 0. They
// are copied first, since each is read for many tiles of dw.
func (c *Conv) weightsBlock(p *weightsPart, n, imgs, y, rows, add int) {
	s, q := &c.s, &c.pending
	nr, mr := tileCols(), tileRows()
	in, out := p.i1-p.i0, p.o1-p.o0
	inPitch, outPitch := weightsPitch(in), weightsPitch(out)
	inRow, outRow := ((s.Out.W-1)*s.StrideW+s.KW)*inPitch, s.Out.W*outPitch
	x, dy := sumBuffers.get(imgs*rows*inRow), sumBuffers.get(imgs*rows*outRow+nr)
	defer sumBuffers.put(x)
	defer sumBuffers.put(dy)
	gradient := reader{Source: Source{X: q.y, Layout: s.Out}}
	for i := range imgs * rows {
		n, y := n+i/rows, y+i%rows
		q.x.compact(x[i*inRow:][:inRow], n, y*s.StrideH+p.ky-s.PadH, -s.PadW, p.group*c.cg+p.i0, in, inPitch)
		gradient.compact(dy[i*outRow:][:outRow], n, y, 0, p.group*c.og+p.o0, out, outPitch)
	}

	t := tile{
		aRow: 1, aK: s.StrideW * inPitch, aSeg: inRow, bK: outPitch, bSeg: outRow,
		ldc: c.og, k: s.Out.W, segs: imgs * rows, imgs: 1, add: add,
	}
	// (kx, channel) is contiguous where all channels are there and nothing lies between pixels.
	m, runs := in, s.KW
	if in == c.cg && inPitch == in {
		m, runs = s.KW*in, 1
	}
	tiles := even(m, mr)
	for j := 0; j < out; j += nr {
		t.cols = min(nr, out-j)
		t.b = dy[j:]
		for run := range runs {
			for i := range tiles {
				i0, i1 := i*m/tiles, (i+1)*m/tiles
				t.a = x[run*inPitch+i0:]
				t.c = p.sum[((p.group*s.KW+run)*c.cg+p.i0+i0)*c.og+p.o0+j:]
				t.run(i1 - i0)
			}
		}
	}
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
