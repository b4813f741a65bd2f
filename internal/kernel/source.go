package kernel

// Source is what a convolution reads: the images x, of X or, if that is not nil, of Half, or
//
//	prelu(x*Scale + Shift; Slope)
//
// as in Affine.Forward, computed a few rows at a time as they are read, so that the result is never stored. Nil
// stands for 1, 0 and no activation.
type Source struct {
	X                   []float32
	Half                []Pair
	Layout              Layout
	Scale, Shift, Slope []float32
}

// computed reports whether the source is not x itself.
func (s *Source) computed() bool { return s.Scale != nil || s.Shift != nil || s.Slope != nil }

// plain reports whether the source is in X as it is.
func (s *Source) plain() bool { return s.Half == nil && !s.computed() }

// identity has the parameters that stand for those that are nil.
type identity struct{ ones, zeros []float32 }

func newIdentity(channels int) identity {
	i := identity{make([]float32, channels), make([]float32, channels)}
	for c := range i.ones {
		i.ones[c] = 1
	}
	return i
}

// params returns the parameters of an affine pass, none of them nil.
func (i identity) params(scale, shift, slope []float32) affineParams {
	orElse := func(x, def []float32) []float32 {
		if x == nil {
			return def
		}
		return x[:len(def):len(def)]
	}
	return affineParams{orElse(scale, i.ones), orElse(shift, i.zeros), orElse(slope, i.ones)}
}

// reader reads a source.
type reader struct {
	Source
	params affineParams
}

func (i identity) reader(s Source) reader {
	return reader{s, i.params(s.Scale, s.Shift, s.Slope)}
}

// row writes pixels of row y of image n from x on to dst.
func (r *reader) row(dst []float32, n, y, x int) {
	at := r.Layout.Offset(n, y, x)
	src := dst
	if r.Half == nil {
		src = r.X[at:][:len(dst)]
	} else {
		expandPairs(dst, r.Half[at/2:])
	}
	if r.computed() {
		affineRun(dst, src, nil, &r.params)
	} else if r.Half == nil {
		copy(dst, src)
	}
}

// compact writes channels c0 to c0+channels of row y of image n, from pixel x0 on, to dst, where a pixel takes pitch floats; outside the
// image there are zeros.
func (r *reader) compact(dst []float32, n, y, x0, c0, channels, pitch int) {
	l := r.Layout
	if y < 0 || y >= l.H {
		clear(dst)
		return
	}
	var src []float32
	if r.plain() {
		src = r.X[l.Offset(n, y, 0):]
	} else {
		src = sumBuffers.get(l.W * l.C)
		defer sumBuffers.put(src)
		r.row(src, n, y, 0)
	}
	pixels := len(dst) / pitch
	first, last := min(pixels, max(0, -x0)), max(0, min(pixels, l.W-x0))
	clear(dst[:first*pitch])
	clear(dst[last*pitch:])
	if pitch == l.C && channels == l.C {
		copy(dst[first*pitch:last*pitch], src[(x0+first)*l.C:])
		return
	}
	for x := first; x < last; x++ {
		copy(dst[x*pitch:][:channels], src[(x0+x)*l.C+c0:])
	}
}

// view is some rows of an image as a kernel reads them: with zeros around them, and values computed. Pixel (y, x)
// is at Offset(n, y-y0, x).
type view struct {
	Layout
	x      []float32
	n, y0  int
	buffer []float32 // to give back
}

// at returns the place of a pixel.
func (v *view) at(y, x int) int { return v.Offset(v.n, y-v.y0, x) }

// view returns rows y0 to y1 of image n, where rows that are not in the image are zero, with a border of pad
// pixels at both ends of each row. It is the source in place where that is like this. Close it after use.
func (r *reader) view(n, y0, y1, pad int) view {
	l := r.Layout
	if r.plain() && l.Pad >= pad && y0 >= -l.Pad && y1 <= l.H+l.Pad {
		return view{Layout: l, x: r.X, n: n}
	}
	v := view{Layout: Layout{N: 1, H: y1 - y0, W: l.W, C: l.C, Pad: pad}, y0: y0}
	v.buffer = sumBuffers.get(v.Len())
	v.x = v.buffer
	for y := y0; y < y1; y++ {
		at := v.at(y, 0)
		dst := v.x[at:][:l.W*l.C]
		if y < 0 || y >= l.H {
			clear(dst)
		} else {
			r.row(dst, n, y, 0)
		}
		clear(v.x[at-pad*l.C : at])
		clear(v.x[at+l.W*l.C:][:pad*l.C])
	}
	return v
}

// close gives memory back.
func (v *view) close() {
	if v.buffer != nil {
		sumBuffers.put(v.buffer)
	}
}

// stripFloats is about how many floats of a source are computed at a time: they should stay in a second-level cache
// beside what they are multiplied with and what comes out.
const stripFloats = 48 << 10

// strips cuts rows y0 to y1 of outputs, each of which needs floats floats of a source with a border of pad, into
// strips, and calls f for each; where floats is 0 for one. Reading in place needs no strips.
func (r *reader) strips(y0, y1, floats, pad int, f func(y0, y1 int)) {
	parts := 1
	if (!r.plain() || r.Layout.Pad < pad) && y1 > y0 {
		parts = even(y1-y0, max(1, stripFloats/max(1, floats)))
	}
	for i := range parts {
		f(y0+i*(y1-y0)/parts, y0+(i+1)*(y1-y0)/parts)
	}
}
