package kernel

// stream is how images are read as pairs: one long row of pixels, so that blocks of 32 outputs
// need not end where a row of the image does.
//
// An image is taken apart into stride*stride sub-images of the pixels that are congruent modulo the
// stride: neighbouring outputs then see neighbouring pixels of a sub-image through every tap. In
// a strip of sub-images, pixel (y, x) of image i is at position (i*imagePitch + y)*pitch + x, also
// where x or y lie in the border: the zeros after a row, or an image, are the border of the next one
// too. Of the outputs at all positions those in between are dropped.
type stream struct {
	in, out Layout
	stride  int
	jobs    []streamJob
	rows    int // of outputs, the most that a job has
	cols    int

	minY, maxY, minX, maxX int // of the taps, and 0
	dataX                  int // pixels of a sub-image's row that are read
	pitch, imagePitch      int
	words                  int // of a pixel
}

// streamJob is a convolution of the sub-images: its outputs are the pixels (step*i + y, step*j + x).
type streamJob struct {
	taps       []streamTap
	rows, cols int
	y, x, step int
	packed     int // where its weights begin, counted in taps
}

// streamTap is the pixel of sub-image (phaseY, phaseX) that an output sees at its own place plus
// (y, x), and the tap of the kernel that it is multiplied by.
type streamTap struct {
	phaseY, phaseX, y, x int
	tap                  int
}

// lay works out the strip.
func (s *stream) lay() {
	taps := 0
	for i := range s.jobs {
		j := &s.jobs[i]
		j.packed = taps
		taps += len(j.taps)
		s.rows, s.cols = max(s.rows, j.rows), max(s.cols, j.cols)
		for _, t := range j.taps {
			s.minY, s.maxY = min(s.minY, t.y), max(s.maxY, t.y)
			s.minX, s.maxX = min(s.minX, t.x), max(s.maxX, t.x)
		}
	}
	s.words = s.in.C / 2
	s.dataX = min(even(s.in.W, s.stride), s.cols+s.maxX)
	dataY := min(even(s.in.H, s.stride), s.rows+s.maxY)
	s.pitch = max(s.dataX-s.minX, s.cols+s.maxX)
	s.imagePitch = max(dataY-s.minY, s.rows+s.maxY)
}

// front returns the positions before that of an image's pixel (0, 0).
func (s *stream) front() int { return -s.minY*s.pitch - s.minX }

// positions returns how many positions rows rows of the last of imgs images reach to.
func (s *stream) positions(imgs, rows int) int { return ((imgs-1)*s.imagePitch + rows) * s.pitch }

// part is some rows of an image or, where these are all, of several.
type part struct{ n, imgs, y, rows int }

// partition is how the images of a batch are cut into parts.
type partition struct {
	n          int
	imgs       int // of a part
	parts      int // of an image
	rows       int // the most that a part has
	phases     int
	phaseWords int // of one sub-image's strip, with what blocks read beyond its end
}

// partition cuts n images into parts whose strips have about words words.
func (s *stream) partition(n, words int) partition {
	p := partition{n: n, imgs: 1, parts: 1, rows: s.rows, phases: s.stride * s.stride}
	image := p.phases * s.positions(1, s.rows) * s.words
	if image > words {
		p.parts = min(s.rows, even(image, words))
		p.rows = even(s.rows, p.parts)
	} else {
		p.imgs = min(n, words/image)
		p.imgs = even(n, even(n, p.imgs))
	}
	p.phaseWords = (s.front() + s.positions(p.imgs, p.rows) + pairBlock + s.maxY*s.pitch + s.maxX + 1) * s.words
	return p
}

// count returns the number of parts.
func (p *partition) count() int { return even(p.n, p.imgs) * p.parts }

// part returns part i.
func (p *partition) part(s *stream, i int) part {
	groups := even(p.n, p.imgs)
	g, k := i/p.parts, i%p.parts
	n0, n1 := g*p.n/groups, (g+1)*p.n/groups
	y0, y1 := k*s.rows/p.parts, (k+1)*s.rows/p.parts
	return part{n0, n1 - n0, y0, y1 - y0}
}

// offsets appends, for each tap of a job and each 32 channels, the distance in words of what an output
// at position 0 reads from the start of the strips.
func (s *stream) offsets(off []int, j *streamJob, p *partition) []int {
	for _, t := range j.taps {
		at := (t.phaseY*s.stride+t.phaseX)*p.phaseWords + (s.front()+t.y*s.pitch+t.x)*s.words
		for c := 0; c < s.words; c += pairBlock / 2 {
			off = append(off, at+c)
		}
	}
	return off
}

// fill writes the strips of a part of x.
func (s *stream) fill(strips []Pair, p *partition, at part, x *reader) {
	s.fillSome(strips, p, at, x, 0, 1)
}

// fillSome is fill of one of several shares of the rows.
func (s *stream) fillSome(strips []Pair, p *partition, at part, x *reader, share, shares int) {
	var floats []float32 // of a row, where values are computed
	if !x.plain() {
		floats = sumBuffers.get(s.in.W * s.in.C)
		defer sumBuffers.put(floats)
	}
	for phase := range s.stride * s.stride {
		strip := strips[phase*p.phaseWords:][:p.phaseWords]
		end := s.front() + ((at.imgs-1)*s.imagePitch+at.rows+s.maxY)*s.pitch
		if share == 0 {
			clear(strip[:-s.minX*s.words]) // what comes before the first row that is read
			clear(strip[end*s.words:])
		}
	}
	rows := at.rows + s.maxY - s.minY
	for img := range at.imgs {
		for r := s.minY + share*rows/shares; r < s.minY+(share+1)*rows/shares; r++ {
			for py := range s.stride {
				y := (at.y+r)*s.stride + py
				inside := y >= 0 && y < s.in.H
				from := floats
				switch {
				case !inside:
				case floats != nil:
					x.row(floats, at.n+img, y, 0)
				default:
					from = x.X[x.Layout.Offset(at.n+img, y, 0):]
				}
				for px := range s.stride {
					row := strips[(py*s.stride+px)*p.phaseWords+(s.front()+(img*s.imagePitch+r)*s.pitch)*s.words:][:s.pitch*s.words]
					if inside {
						s.fillRow(row, from, px)
					} else {
						clear(row)
					}
				}
			}
		}
	}
}

// fillRow writes the pixels of a row of an image that are px modulo the stride and read, and zeros after them.
func (s *stream) fillRow(row []Pair, floats []float32, px int) {
	pixels := min(s.dataX, (s.in.W-px+s.stride-1)/s.stride)
	if s.stride == 1 {
		roundPairs(row[:pixels*s.words], floats)
	} else {
		for i := range pixels {
			roundPairs(row[i*s.words:][:s.words], floats[(i*s.stride+px)*s.in.C:])
		}
	}
	clear(row[pixels*s.words:])
}

// streamCall is the number of blocks whose sums are computed before they are moved to the output: their
// room stays in a first-level cache.
const streamCall = 6

// streamSteps is the most steps of one call: their weights stay in a second-level cache while streamCall blocks are multiplied by them.
const streamSteps = 144

// run computes panel columns of job j at the outputs of a part, from its strips, into y or, if that is not nil, half. weights are those of the
// panel; off comes from offsets.
func (s *stream) run(y []float32, half []Pair, j *streamJob, at part, panel int, strips, weights []Pair, off []int, bias []float32, add bool, sums []float32) {
	rows := min(at.rows, j.rows-at.y)
	if rows <= 0 {
		return
	}
	if bias != nil {
		bias = bias[panel*pairBlock:]
	}
	t := pairTile{
		aRow: s.words, aBlock: pairBlock * s.words, bRow: pairBlock, bStep: pairBlock * pairBlock / 2,
		ldc: pairBlock, cBlock: pairBlock * pairBlock,
	}
	end := s.positions(at.imgs, rows) - s.pitch + j.cols
	for p := 0; p < end; p += streamCall * pairBlock {
		t.rows = min(streamCall*pairBlock, end-p)
		t.blocks = even(t.rows, pairBlock)
		t.add = 0
		for k := 0; k < len(off); k += streamSteps {
			some := off[k:min(len(off), k+streamSteps)]
			t.run(pairOperands{strips[p*s.words:], weights[k*t.bStep:], sums, some})
			t.add = 1
		}
		to := min(end, p+t.blocks*pairBlock)
		for q := p; q < to; {
			row := q / s.pitch
			x, img, r := q%s.pitch, row/s.imagePitch, row%s.imagePitch
			next := min(to, (row+1)*s.pitch)
			if pixels := min(j.cols-x, to-q); pixels > 0 && r < rows {
				o := s.out.Offset(at.n+img, (at.y+r)*j.step+j.y, x*j.step+j.x) + panel*pairBlock
				if from := sums[(q-p)*pairBlock:]; half != nil {
					roundRowsOut(half[o/2:], from, pixels, j.step*s.out.C/2)
				} else {
					rowsOut(y[o:], from, bias, pixels, j.step*s.out.C, add)
				}
			}
			q = next
		}
	}
}

// clear zeroes panel columns of job j at the outputs of a part.
func (s *stream) clear(y []float32, j *streamJob, at part, panel int) {
	for img := range at.imgs {
		for r := range min(at.rows, j.rows-at.y) {
			for x := range j.cols {
				clear(y[s.out.Offset(at.n+img, (at.y+r)*j.step+j.y, x*j.step+j.x)+panel*pairBlock:][:pairBlock])
			}
		}
	}
}
