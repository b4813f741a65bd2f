package kernel

// mixedWeights is the gradient with respect to the weights: a product of matrices whose sums run over
// positions, those of dy being a strip of the same pitch as that of x.
type mixedWeights struct {
	s       ConvShape
	scratch *Scratch
	stream
	taps   []streamTap
	parity [][2]bool // of each sub-image: which pairs of neighbouring positions are read
	sums   []float32 // [splits][taps][out][in]
	off    []int     // of each 32 positions in a row of dyT

	partition
	splits, groups int // of the parts, and of the taps
	id             identity
	dw, dy         []float32
	x              reader
	computeF       func(chunk int)
	reduceF        func(chunk int)
}

func (m *mixedWeights) init(s ConvShape, x stream, scratch *Scratch) {
	m.s, m.stream, m.taps, m.scratch = s, x, x.jobs[0].taps, scratch
	m.parity = make([][2]bool, x.stride*x.stride)
	for _, t := range m.taps {
		m.parity[t.phaseY*x.stride+t.phaseX][m.position(t)%2] = true
	}
	m.computeF = m.compute
	m.reduceF = m.reduce
	m.id = newIdentity(s.In.C)
}

// position returns that of the strip which an output at position 0 sees through a tap.
func (m *mixedWeights) position(t streamTap) int { return m.front() + t.y*m.pitch + t.x }

// sumLen is the length of one partial sum.
func (m *mixedWeights) sumLen() int { return len(m.taps) * m.s.In.C * m.s.Out.C }

func (m *mixedWeights) run(p *Pool, n int, dw []float32, x Source, dy []float32) {
	m.partition = m.stream.partition(n, weightsStrip)
	m.splits = min(m.count(), maxSplits, max(2, weightPartials/m.sumLen()))
	m.groups = min(len(m.taps), even(maxSplits, m.splits))
	m.sums = take(&m.scratch.first, m.splits*m.sumLen())
	for s := len(m.off); s < even(m.most(), pairBlock); s++ {
		m.off = append(m.off, s*pairBlock/2)
	}
	m.dw, m.x, m.dy = dw, m.id.reader(x), dy
	p.Run(m.splits*m.groups, m.computeF)
	p.Run(even(m.s.Out.C, 16), m.reduceF)
	m.dw, m.x, m.dy = nil, reader{}, nil
}

// most returns the number of positions that a part has at most, rounded up to whole steps.
func (m *mixedWeights) most() int {
	return even(m.positions(m.imgs, m.partition.rows), pairBlock) * pairBlock
}

// compute adds up the parts of one split, for some of the taps.
func (m *mixedWeights) compute(chunk int) {
	split, group := chunk/m.groups, chunk%m.groups
	taps := m.taps[group*len(m.taps)/m.groups : (group+1)*len(m.taps)/m.groups]
	in, out := m.s.In.C, m.s.Out.C

	// dyT has a row for each channel of dy; its rows are kept from starting in the same set of a cache.
	most := m.most()
	strips := pairBuffers.get(m.phases * m.phaseWords)
	neighbours := [2][]Pair{pairBuffers.get(m.phases * m.phaseWords), pairBuffers.get(m.phases * m.phaseWords)}
	dy, dyT := pairBuffers.get(most*out), pairBuffers.get(out*(most/2+pairBlock/2))
	defer pairBuffers.put(strips)
	defer pairBuffers.put(neighbours[0])
	defer pairBuffers.put(neighbours[1])
	defer pairBuffers.put(dy)
	defer pairBuffers.put(dyT)

	count := m.count()
	first := split * count / m.splits
	for i := first; i < (split+1)*count/m.splits; i++ {
		at := m.part(&m.stream, i)
		m.fill(strips, &m.partition, at, &m.x)
		for phase, needed := range m.parity {
			strip := strips[phase*m.phaseWords:][:m.phaseWords]
			for q, pairs := range neighbours {
				if needed[q] {
					interleavePairs(pairs[phase*m.phaseWords:], strip[q*m.words:], m.words, (len(strip)/m.words-q)/2)
				}
			}
		}
		steps := even(m.positions(at.imgs, at.rows)-m.pitch+m.s.Out.W, pairBlock)
		dyRow := steps*pairBlock/2 + pairBlock/2
		m.transposed(dyT, dy, at, steps, dyRow)
		t := pairTile{
			blocks: out / pairBlock, aRow: dyRow, aBlock: pairBlock * dyRow,
			bRow: in, bStep: in * pairBlock / 2, ldc: in, cBlock: pairBlock * in,
		}
		if i > first {
			t.add = 1
		}
		for _, tap := range taps {
			phase, at := tap.phaseY*m.stride+tap.phaseX, m.position(tap)
			b := neighbours[at%2][phase*m.phaseWords+at/2*in:]
			c := m.sums[split*m.sumLen()+tap.tap*in*out:][:in*out]
			for i := 0; i < in; i += pairBlock {
				t.run(pairOperands{dyT, b[i:], c[i:], m.off[:steps]})
			}
		}
	}
}

// transposed writes pairs of neighbouring positions of a part of dy, a row for each channel.
func (m *mixedWeights) transposed(dst, buffer []Pair, at part, steps, dstRow int) {
	l := m.s.Out
	words, positions := l.C/2, steps*pairBlock
	strip, pairs := buffer[:positions*words], buffer[positions*words:]
	p := 0
	for img := range at.imgs {
		for r := range at.rows {
			next := (img*m.imagePitch + r) * m.pitch
			clear(strip[p*words : next*words])
			p = next + l.W
			roundPairs(strip[next*words:p*words], m.dy[l.Offset(at.n+img, at.y+r, 0):])
		}
	}
	clear(strip[p*words:])
	interleavePairs(pairs, strip, words, positions/2)
	for i := 0; i < l.C; i += pairBlock / 2 {
		transposePairs(dst[i*dstRow:], pairs[i:], dstRow, l.C, steps)
	}
}

// reduce adds up the partial sums, in order, for some channels of dy.
func (m *mixedWeights) reduce(chunk int) {
	in, out, taps := m.s.In.C, m.s.Out.C, len(m.taps)
	size := m.sumLen()
	chunks := even(out, 16)
	for o := chunk * out / chunks; o < (chunk+1)*out/chunks; o++ {
		for tap := range taps {
			dw := m.dw[o*in*taps+tap:]
			for i := range in {
				at := (tap*out+o)*in + i
				v := m.sums[at]
				for split := 1; split < m.splits; split++ {
					v += m.sums[split*size+at]
				}
				dw[i*taps] = v
			}
		}
	}
}
