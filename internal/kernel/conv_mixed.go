package kernel

import "github.com/faceverify/fv/internal/cpu"

// MixedConv is a convolution that multiplies bfloat16 numbers and adds the products up in float32: x,
// dy and the weights are rounded on the way into the products, everything that it
// takes and gives is float32. It is for dense convolutions whose numbers of channels are multiples of 32:
// see Mixes. One goroutine at a time may use it, and those that share its Scratch.
type MixedConv struct {
	s        ConvShape
	forward  mixedPass
	backward mixedPass
	weights  mixedWeights
}

// Mixes reports whether there is a MixedConv of the given geometry.
func Mixes(s ConvShape) bool {
	return s.Groups <= 1 && s.In.C%pairBlock == 0 && s.Out.C%pairBlock == 0 && s.StrideH == s.StrideW
}

// MixedInAssembly reports whether products of bfloat16 are in assembly here: by instructions of their own, or by
// multiply-adds of float32.
func MixedInAssembly() bool { return variant >= cpu.AVX2 }

// NewMixedConv returns a convolution of a geometry that Mixes.
func NewMixedConv(s ConvShape, scratch *Scratch) *MixedConv {
	s.Groups = max(1, s.Groups)
	s.check()
	if !Mixes(s) {
		panic("kernel: no mixed convolution has this shape")
	}
	c := &MixedConv{s: s}

	x := stream{in: s.In, out: s.Out, stride: s.StrideH}
	j := streamJob{rows: s.Out.H, cols: s.Out.W, step: 1}
	for ky := range s.KH {
		for kx := range s.KW {
			y, phaseY := floorDiv(ky-s.PadH, s.StrideH)
			x, phaseX := floorDiv(kx-s.PadW, s.StrideW)
			j.taps = append(j.taps, streamTap{phaseY, phaseX, y, x, ky*s.KW + kx})
		}
	}
	x.jobs = []streamJob{j}
	x.lay()
	c.forward.init(x, scratch)
	c.forward.packF = c.packForward
	c.weights.init(s, x, scratch)

	dy := stream{in: s.Out, out: s.In, stride: 1}
	for _, f := range NewConv(s, scratch).phases {
		j := streamJob{
			rows: (s.In.H - f.ry + s.StrideH - 1) / s.StrideH, cols: (s.In.W - f.rx + s.StrideW - 1) / s.StrideW,
			y: f.ry, x: f.rx, step: s.StrideH,
		}
		for a := range f.kh {
			for b := range f.kw {
				j.taps = append(j.taps, streamTap{0, 0, f.oy + a, f.ox + b, (f.ky-s.StrideH*a)*s.KW + f.kx - s.StrideW*b})
			}
		}
		dy.jobs = append(dy.jobs, j)
	}
	dy.lay()
	c.backward.init(dy, scratch)
	c.backward.packF = c.packBackward
	return c
}

// floorDiv returns the quotient a/b rounded down, and the remainder.
func floorDiv(a, b int) (q, r int) {
	r = ((a % b) + b) % b
	return (a - r) / b, r
}

// Kind returns "mixed".
func (c *MixedConv) Kind() string { return "mixed" }

// Load takes the weights w [out, in, KH, KW] of Forward.
func (c *MixedConv) Load(p *Pool, w []float32) { c.forward.load(p, w) }

// Forward computes the convolution of the first n images of x into the interior of y, with the weights of Load,
// and gives what it writes to collect; bias [out] and collect may be nil.
func (c *MixedConv) Forward(p *Pool, n int, y []float32, x Source, bias []float32, collect Collector) {
	c.forward.run(p, n, y, x, bias, false, collect)
}

// ForwardHalf is Forward to bfloat16, without a bias.
func (c *MixedConv) ForwardHalf(p *Pool, n int, y []Pair, x Source, collect Collector) {
	c.forward.half = y
	c.forward.run(p, n, nil, x, nil, false, collect)
	c.forward.half = nil
}

// LoadBackward takes the weights w [out, in, KH, KW] of BackwardData.
func (c *MixedConv) LoadBackward(p *Pool, w []float32) { c.backward.load(p, w) }

// BackwardData computes the gradient of the loss with respect to x for the first n images: it overwrites the
// interior of dx, or adds to it. The weights are those of LoadBackward. What dx is then goes to collect, which may be nil.
func (c *MixedConv) BackwardData(p *Pool, n int, dx, dy []float32, add bool, collect Collector) {
	c.backward.run(p, n, dx, Source{X: dy, Layout: c.s.Out}, nil, add, collect)
}

// BackwardWeights computes the gradient of the loss with respect to the weights, dw [out, in, KH, KW],
// overwritten, over the first n images of x and dy.
func (c *MixedConv) BackwardWeights(p *Pool, n int, dw []float32, x Source, dy []float32) {
	c.weights.run(p, n, dw, x, dy)
}

// packForward packs the weights of a panel of 32 outputs: for each tap and 32 inputs, 16 pairs of
// inputs times the outputs.
func (c *MixedConv) packForward(panel int) {
	f := &c.forward
	in, taps := c.s.In.C, c.s.KH*c.s.KW
	rows, row := pairBuffers.get(pairBlock*in/2), sumBuffers.get(in)
	defer pairBuffers.put(rows)
	defer sumBuffers.put(row)
	dst := f.packed[panel*f.panelLen:]
	for tap := range taps {
		for o := range pairBlock {
			w := f.w[(panel*pairBlock+o)*in*taps:][:in*taps]
			roundPairs(rows[o*in/2:][:in/2], gather(row, w, taps, tap))
		}
		for k := 0; k < in/2; k += pairBlock / 2 {
			transposePairs(dst, rows[k:], pairBlock, in/2, 2)
			dst = dst[pairBlock*pairBlock/2:]
		}
	}
}

// packBackward packs the weights of a panel of 32 inputs: for each tap and 32 outputs, 16 pairs of
// outputs times the inputs.
func (c *MixedConv) packBackward(panel int) {
	f := &c.backward
	in, out, taps := c.s.In.C, c.s.Out.C, c.s.KH*c.s.KW
	rows, row := pairBuffers.get(out*pairBlock/2), sumBuffers.get(pairBlock)
	defer pairBuffers.put(rows)
	defer sumBuffers.put(row)
	dst := f.packed[panel*f.panelLen:]
	for i := range f.jobs {
		for _, t := range f.jobs[i].taps {
			for o := range out {
				w := f.w[(o*in+panel*pairBlock)*taps:][:pairBlock*taps]
				roundPairs(rows[o*pairBlock/2:][:pairBlock/2], gather(row, w, taps, t.tap))
			}
			interleavePairs(dst, rows, pairBlock/2, out/2)
			dst = dst[out*pairBlock/2:]
		}
	}
}

// gather returns every taps-th element of w from tap on, in row if they are not contiguous.
func gather(row, w []float32, taps, tap int) []float32 {
	if taps == 1 {
		return w
	}
	for i := range len(w) / taps {
		row[i] = w[i*taps+tap]
	}
	return row
}

// The sizes, in words, that strips are cut to: an image's by rows so that a strip and some weights stay in a
// second-level cache, and that several small images together reach, so that weights are read
// rarely.
const (
	mixedStrip   = 64 << 10
	weightsStrip = 48 << 10
	mixedChunks  = 16 // at least, where there is so much to share out
	mixedFills   = 4  // shares of the rows of a part, where several groups of panels read it
)

// mixedPass is a convolution by streams.
type mixedPass struct {
	stream
	scratch  *Scratch
	own      []Pair // packed, if scratch keeps it
	packed   []Pair // the weights of all panels
	panelLen int
	panels   int
	w        []float32 // being loaded
	packF    func(panel int)

	partition
	off       [][]int // of each job
	groups    int     // that the panels are cut into
	shared    []Pair  // strips of all parts, for several groups
	id        identity
	y         []float32
	half      []Pair // instead of y, or nil
	x         reader
	bias      []float32
	collector Collector
	add       bool
	fillF     func(chunk int)
	computeF  func(chunk int)
	collectF  func(chunk int)
}

func (f *mixedPass) init(s stream, scratch *Scratch) {
	f.stream, f.scratch = s, scratch
	taps := 0
	for i := range s.jobs {
		taps += len(s.jobs[i].taps)
	}
	f.panels = s.out.C / pairBlock
	f.panelLen = taps * s.words * pairBlock
	f.off = make([][]int, len(s.jobs))
	f.fillF, f.computeF, f.collectF = f.fillShared, f.compute, f.collect
	f.id = newIdentity(s.in.C)
}

func (f *mixedPass) load(p *Pool, w []float32) {
	f.packed = f.scratch.pairWeights(&f.own, f.panels*f.panelLen)
	f.w = w
	p.Run(f.panels, f.packF)
	f.w = nil
}

func (f *mixedPass) run(p *Pool, n int, y []float32, x Source, bias []float32, add bool, collect Collector) {
	f.partition = f.stream.partition(n, mixedStrip)
	for i := range f.jobs {
		f.off[i] = f.offsets(f.off[i][:0], &f.jobs[i], &f.partition)
	}
	f.groups = min(f.panels, even(mixedChunks, f.count()))
	f.y, f.x, f.bias, f.add, f.collector = y, f.id.reader(x), bias, add, collect
	if collect != nil {
		if collect.begin(f.count()); f.groups > 1 {
			f.collector = nil // a chunk does not have all channels
		}
	}
	if f.groups > 1 {
		f.shared = pairBuffers.get(f.count() * f.phases * f.phaseWords)
		p.Run(f.count()*mixedFills, f.fillF)
	}
	p.Run(f.count()*f.groups, f.computeF)
	if f.groups > 1 {
		pairBuffers.put(f.shared)
		f.shared = nil
	}
	if f.collector == nil && collect != nil {
		f.collector = collect
		p.Run(f.count(), f.collectF)
	}
	f.y, f.x, f.bias, f.collector = nil, reader{}, nil, nil
}

// strips returns those of a part that all groups share.
func (f *mixedPass) strips(part int) []Pair {
	n := f.phases * f.phaseWords
	return f.shared[part*n:][:n]
}

// fillShared writes a share of the strips of a part.
func (f *mixedPass) fillShared(chunk int) {
	part := chunk / mixedFills
	f.fillSome(f.strips(part), &f.partition, f.part(&f.stream, part), &f.x, chunk%mixedFills, mixedFills)
}

func (f *mixedPass) compute(chunk int) {
	at, group := f.part(&f.stream, chunk/f.groups), chunk%f.groups
	sums := sumBuffers.get(streamCall * pairBlock * pairBlock)
	defer sumBuffers.put(sums)
	var strips []Pair
	if f.shared != nil {
		strips = f.strips(chunk / f.groups)
	} else {
		strips = pairBuffers.get(f.phases * f.phaseWords)
		defer pairBuffers.put(strips)
		f.fill(strips, &f.partition, at, &f.x)
	}
	for panel := group * f.panels / f.groups; panel < (group+1)*f.panels/f.groups; panel++ {
		weights := f.packed[panel*f.panelLen:][:f.panelLen]
		for i := range f.jobs {
			j := &f.jobs[i]
			if len(j.taps) > 0 {
				f.stream.run(f.y, f.half, j, at, panel, strips, weights[j.packed*f.words*pairBlock:], f.off[i], f.bias, f.add, sums)
			} else if f.half == nil && !f.add { // a pass to bfloat16 has one job, with taps
				f.clear(f.y, j, at, panel)
			}
		}
	}
	if f.collector != nil {
		f.collect(chunk)
	}
}

// collect gives a part's outputs to the collector.
func (f *mixedPass) collect(chunk int) {
	at := f.part(&f.stream, chunk)
	step := f.jobs[0].step
	y := Source{X: f.y, Half: f.half, Layout: f.out}
	for img := range at.imgs {
		addRows(f.collector, chunk, y, at.n+img, at.y*step, min(f.out.H, (at.y+at.rows)*step))
	}
}
