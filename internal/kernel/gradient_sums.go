package kernel

// GradientSums is a Collector of the gradient dy of what an affine pass y = prelu(z; slope), z = x*scale + shift gave:
// with g = dy*prelu'(z),
//
//	dshift = sum g,  dscale = sum g*(x*a + b),  dslope = sum dy*min(z, 0).
//
// With a = 1/deviation and b = -mean/deviation dscale is batch normalisation's gradient of its gain.
//
// Sums are in float32 over a few hundred pixels, in float64 beyond.
type GradientSums struct {
	identity
	x      Source
	params affineParams
	a, b   []float32
	chunks []gradientSumsOf
}

// gradientSumsOf are the sums of a chunk.
type gradientSumsOf struct {
	pending int       // pixels in sums
	sums    []float32 // [3][C]
	totals  []float64 // [3][C]
	floats  []float32 // of x, where that is in bfloat16
}

// NewGradientSums returns a GradientSums for images of this many channels.
func NewGradientSums(channels int) *GradientSums {
	return &GradientSums{identity: newIdentity(channels)}
}

// Of says what pass the gradient is of. Parameters that are nil stand for 1, 0 and no activation, a and b
// for 1 and 0.
func (g *GradientSums) Of(x Source, a, b []float32) {
	g.x, g.params = x, g.identity.params(x.Scale, x.Shift, x.Slope)
	g.a, g.b = a, b
	if a == nil {
		g.a = g.ones
	}
	if b == nil {
		g.b = g.zeros
	}
}

func (g *GradientSums) begin(chunks int) {
	for len(g.chunks) < chunks {
		n := 3 * len(g.ones)
		g.chunks = append(g.chunks, gradientSumsOf{sums: make([]float32, n), totals: make([]float64, n)})
	}
	g.chunks = g.chunks[:chunks]
	for i := range g.chunks {
		c := &g.chunks[i]
		clear(c.sums)
		clear(c.totals)
		c.pending = 0
	}
}

func (g *GradientSums) add(chunk, n, y, x int, dy []float32) {
	c := &g.chunks[chunk]
	at := g.x.Layout.Offset(n, y, x)
	var floats []float32
	if g.x.Half != nil {
		floats = take(&c.floats, len(dy))
		expandPairs(floats, g.x.Half[at/2:])
	} else {
		floats = g.x.X[at:][:len(dy)]
	}
	affineSumsRun(c.sums, floats, dy, &g.params, g.a, g.b)
	if c.pending += len(dy) / len(g.ones); c.pending >= sumPixels {
		flush(c.totals, c.sums)
		c.pending = 0
	}
}

// Result stores the sums of all that has been added. What is nil is not stored.
func (g *GradientSums) Result(dshift, dscale, dslope []float32) {
	for i := range g.chunks {
		flush(g.chunks[i].totals, g.chunks[i].sums)
	}
	channels := len(g.ones)
	for plane, dst := range [3][]float32{dshift, dscale, dslope} {
		for c := range dst {
			var sum float64
			for i := range g.chunks {
				sum += g.chunks[i].totals[plane*channels+c]
			}
			dst[c] = float32(sum)
		}
	}
}

// flush moves sums of some pixels to those of the chunk.
func flush(total []float64, part []float32) {
	for i, v := range part {
		total[i] += float64(v)
	}
	clear(part)
}
