package kernel

// windows reads and writes size x size windows of images for transforms, side by side at distances of winogradTile: in
// place where it can, by way of a copy where windows reach beyond or values are computed.
type windows struct {
	Layout
	size int
	copy []float32 // [size][width][C]
}

func newWindows(l Layout, size int) *windows { return &windows{Layout: l, size: size} }

// free gives the memory back.
func (w *windows) free() {
	if w.copy != nil {
		sumBuffers.put(w.copy)
	}
}

// width is the number of pixels that a row of windows has.
func (w *windows) width(tiles int) int { return (tiles-1)*winogradTile + w.size }

// room makes a copy large enough for so many pixels in a row.
func (w *windows) room(width int) {
	if n := w.size * width * w.C; len(w.copy) < n {
		w.free()
		w.copy = sumBuffers.get(n)
	}
}

// visible returns what of so many pixels from x on is in the image.
func (w *windows) visible(x, width int) (left, right int) {
	return max(0, x), max(0, x, min(w.W, x+width))
}

// read transforms the windows of a run of a, with zeros outside the image. The first goes to the destination
// of c, the next c.dstTile further on.
func (w *windows) read(t transform, c transformCall, a *reader, r winogradRun) {
	l := a.Layout
	c.lanes = w.C
	if !a.plain() {
		w.readCopy(t, c, a, r)
		return
	}
	// In place as far as windows lie in the image.
	inRows := r.y >= -l.Pad && r.y+w.size <= l.H+l.Pad
	for i := range r.tiles {
		one := winogradRun{r.n, r.y, r.x + i*winogradTile, 1}
		if inRows && one.x >= -l.Pad && one.x+w.size <= l.W+l.Pad {
			c.src, c.srcRow, c.srcCol = a.X[l.Offset(one.n, one.y, one.x):], l.RowStride(), w.C
			c.run(t)
		} else {
			w.readCopy(t, c, a, one)
		}
		c.next()
	}
}

func (w *windows) readCopy(t transform, c transformCall, a *reader, r winogradRun) {
	width := w.width(r.tiles)
	w.room(width)
	left, right := w.visible(r.x, width)
	for i := range w.size {
		row := w.copy[i*width*w.C:][:width*w.C]
		if y := r.y + i; y < 0 || y >= w.H || left == right {
			clear(row)
			continue
		}
		from, to := (left-r.x)*w.C, (right-r.x)*w.C
		clear(row[:from])
		a.row(row[from:to], r.n, r.y+i, left)
		clear(row[to:])
	}
	c.srcRow, c.srcCol = width*w.C, w.C
	for i := range r.tiles {
		c.src = w.copy[i*winogradTile*w.C:]
		c.run(t)
		c.next()
	}
}

// write transforms products to the windows of a run of a, or adds them to it, as far as it is in the image. The first's are the source
// of c, the next one's are c.srcTile further on.
func (w *windows) write(a []float32, c transformCall, r winogradRun) {
	c.lanes = w.C
	for i := range r.tiles {
		x := r.x + i*winogradTile
		if r.y+w.size <= w.H && x+w.size <= w.W {
			c.dst, c.dstRow, c.dstCol = a[w.Offset(r.n, r.y, x):], w.RowStride(), w.C
			c.run(outputTransform)
		} else {
			w.writeCopy(a, c, r.n, r.y, x)
		}
		c.src = c.src[min(len(c.src), c.srcTile):]
	}
}

// writeCopy writes one window of which a part is in the image.
func (w *windows) writeCopy(a []float32, c transformCall, n, y, x int) {
	w.room(w.size)
	c.dst, c.dstRow, c.dstCol = w.copy, w.size*w.C, w.C
	left, right := w.visible(x, w.size)
	rows := func(f func(inImage, inCopy []float32)) {
		for i := range min(w.size, w.H-y) {
			f(a[w.Offset(n, y+i, left):][:(right-left)*w.C], w.copy[i*w.size*w.C:])
		}
	}
	if c.add {
		rows(func(inImage, inCopy []float32) { copy(inCopy, inImage) })
	}
	c.run(outputTransform)
	rows(func(inImage, inCopy []float32) { copy(inImage, inCopy) })
}

// writeHalf transforms products to the windows of a run of a, which is in bfloat16, as far as it is in the image, and
// calls f with each row of that.
func (w *windows) writeHalf(a []Pair, c transformCall, r winogradRun, f func(y int, floats []float32)) {
	width := w.width(r.tiles)
	w.room(width)
	c.lanes, c.dstRow, c.dstCol = w.C, width*w.C, w.C
	for i := range r.tiles {
		c.dst = w.copy[i*winogradTile*w.C:]
		c.run(outputTransform)
		c.src = c.src[min(len(c.src), c.srcTile):]
	}
	for i := range min(w.size, w.H-r.y) {
		floats := w.copy[i*width*w.C:][:min(width, w.W-r.x)*w.C]
		roundTrip(a[w.Offset(r.n, r.y+i, r.x)/2:], floats)
		f(r.y+i, floats)
	}
}
