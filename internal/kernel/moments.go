package kernel

import "math"

// Collector gathers figures of the pixels that a kernel writes, as it writes them, while they are in a cache. The work
// comes in chunks: different ones may be added to at the same time, and results do not depend on their order.
type Collector interface {
	// begin forgets what was gathered and readies it for chunks chunks.
	begin(chunks int)
	// add adds pixels of a chunk, which begin at (y, x) of image n.
	add(chunk, n, y, x int, pixels []float32)
}

// addRows adds the pixels of rows y0 to y1 of image n of a, as they are stored, to c.
func addRows(c Collector, chunk int, a Source, n, y0, y1 int) {
	buffer := a.rawBuffer()
	if buffer != nil {
		defer sumBuffers.put(buffer)
	}
	for y := y0; y < y1; y++ {
		c.add(chunk, n, y, 0, a.raw(buffer, n, y))
	}
}

// Moments is a Collector of each channel's mean and biased variance over the pixels of a batch:
//
//	mean = sum x / P,  variance = sum (x - mean)^2 / P.
//
// Sums are taken of x less the mean of the chunk's first pixels, so that a mean that is large beside the deviation costs no
// accuracy; in float32 over a few hundred pixels, in float64 beyond.
type Moments struct {
	channels int
	chunks   []momentsOf
}

// momentsOf are the sums of a chunk.
type momentsOf struct {
	pixels  int       // all
	pending int       // those in sums
	pivot   []float32 // [C]
	sums    []float32 // [2][C]
	totals  []float64 // [2][C]
}

// sumPixels is how many pixels are added up in float32.
const sumPixels = 256

// NewMoments returns a Moments for images of this many channels.
func NewMoments(channels int) *Moments { return &Moments{channels: channels} }

func (m *Moments) begin(chunks int) {
	for len(m.chunks) < chunks {
		c := m.channels
		m.chunks = append(m.chunks, momentsOf{pivot: make([]float32, c), sums: make([]float32, 2*c), totals: make([]float64, 2*c)})
	}
	m.chunks = m.chunks[:chunks]
	for i := range m.chunks {
		m.chunks[i].pixels = 0
	}
}

func (m *Moments) add(chunk, _, _, _ int, pixels []float32) {
	c := &m.chunks[chunk]
	if c.pixels == 0 {
		clear(c.sums)
		clear(c.totals)
		c.pending = 0
		meanPixel(c.pivot, pixels)
	}
	momentsRun(c.sums, pixels, c.pivot)
	n := len(pixels) / m.channels
	c.pixels += n
	if c.pending += n; c.pending >= sumPixels {
		c.flush()
	}
}

// meanPixel: dst[c] is the mean of channel c of some pixels.
func meanPixel(dst, pixels []float32) {
	clear(dst)
	for x := 0; x < len(pixels); x += len(dst) {
		for c, v := range pixels[x:][:len(dst)] {
			dst[c] += v
		}
	}
	n := float32(len(pixels) / len(dst))
	for c := range dst {
		dst[c] /= n
	}
}

func (c *momentsOf) flush() {
	flush(c.totals, c.sums)
	c.pending = 0
}

// Result stores the mean and the variance of all that has been added.
func (m *Moments) Result(mean, variance []float32) {
	m.results(func(k int, mu, v float64) { mean[k], variance[k] = float32(mu), float32(v) })
}

// Powers stores the means of x and of x², in float64: those of several batches are means of theirs.
func (m *Moments) Powers(mean, square []float64) {
	m.results(func(k int, mu, v float64) { mean[k], square[k] = mu, v+mu*mu })
}

// results calls f with each channel's mean and variance.
func (m *Moments) results(f func(k int, mean, variance float64)) {
	pixels := 0
	for i := range m.chunks {
		c := &m.chunks[i]
		if c.pixels > 0 {
			c.flush()
		}
		pixels += c.pixels
	}
	n := float64(pixels)
	for k := range m.channels {
		var sum float64
		for i := range m.chunks {
			if c := &m.chunks[i]; c.pixels > 0 {
				sum += float64(c.pixels)*float64(c.pivot[k]) + c.totals[k]
			}
		}
		mu := sum / n
		// (x-µ)² = (x-p)² + 2(p-µ)(x-p) + (p-µ)², p being the chunk's pivot.
		sum = 0
		for i := range m.chunks {
			if c := &m.chunks[i]; c.pixels > 0 {
				d := float64(c.pivot[k]) - mu
				sum += c.totals[m.channels+k] + 2*d*c.totals[k] + float64(c.pixels)*d*d
			}
		}
		f(k, mu, math.Max(0, sum/n))
	}
}
