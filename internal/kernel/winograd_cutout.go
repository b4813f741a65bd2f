package kernel

// cutout reads and writes size x size windows of images for transforms: in place where it can, by way
// of a copy where the window reaches beyond or values are computed.
type cutout struct {
	Layout
	size int
	copy []float32 // [size][size][C]
}

func newCutout(l Layout, size int) *cutout {
	return &cutout{l, size, sumBuffers.get(size * size * l.C)}
}

// free gives the memory back.
func (c *cutout) free() { sumBuffers.put(c.copy) }

// visible calls f for each row of the window at (y, x) that is in the image, with its part there: it begins at
// pixel (row, col) of the image and at copied in the copy, and has so many floats.
func (c *cutout) visible(y, x int, f func(row, col, copied, floats int)) {
	left, right := max(0, -x), min(c.size, c.W-x)
	if left >= right {
		return
	}
	for r := max(0, -y); r < min(c.size, c.H-y); r++ {
		f(y+r, x+left, (r*c.size+left)*c.C, (right-left)*c.C)
	}
}

// read transforms the window at (y, x) of image n of a, with zeros outside the image, to dst, where point i
// lies at i*plane.
func (c *cutout) read(t transform, dst []float32, plane int, a *reader, n, y, x int) {
	call := transformCall{dst: dst, dstRow: winogradPatch * plane, dstCol: plane, lanes: c.C}
	if l := a.Layout; a.plain() && min(y, x) >= -l.Pad && y+c.size <= l.H+l.Pad && x+c.size <= l.W+l.Pad {
		call.src, call.srcRow, call.srcCol = a.X[l.Offset(n, y, x):], l.RowStride(), c.C
	} else {
		clear(c.copy)
		c.visible(y, x, func(row, col, copied, floats int) { a.row(c.copy[copied:][:floats], n, row, col) })
		call.src, call.srcRow, call.srcCol = c.copy, c.size*c.C, c.C
	}
	call.run(t)
}

// write transforms products, of which point i lies at i*plane, to the window at (y, x) of image n of a, or adds
// them to it, as far as it is in the image.
func (c *cutout) write(a []float32, n, y, x int, src []float32, plane int, bias []float32, add bool) {
	at := func(row, col, floats int) []float32 { return a[c.Offset(n, row, col):][:floats] }
	call := transformCall{src: src, srcRow: winogradPatch * plane, srcCol: plane, bias: bias, lanes: c.C, add: add}
	if y+c.size <= c.H && x+c.size <= c.W {
		call.dst, call.dstRow, call.dstCol = a[c.Offset(n, y, x):], c.RowStride(), c.C
		call.run(outputTransform)
		return
	}
	call.dst, call.dstRow, call.dstCol = c.copy, c.size*c.C, c.C
	if add {
		c.visible(y, x, func(row, col, copied, floats int) { copy(c.copy[copied:], at(row, col, floats)) })
	}
	call.run(outputTransform)
	c.visible(y, x, func(row, col, copied, floats int) { copy(at(row, col, floats), c.copy[copied:]) })
}
