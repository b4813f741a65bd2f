package kernel

// cutout reads and writes size x size windows of images for transforms: in place where it can, by way
// of a copy where the window reaches beyond.
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

// visible calls f for each row of the window at (y, x) of image n that is in the image: its part there has
// pixels pixels, from at in the images' memory and from copied in the copy.
func (c *cutout) visible(n, y, x int, f func(at, copied, floats int)) {
	left, right := max(0, -x), min(c.size, c.W-x)
	if left >= right {
		return
	}
	for r := max(0, -y); r < min(c.size, c.H-y); r++ {
		f(c.Offset(n, y+r, x+left), (r*c.size+left)*c.C, (right-left)*c.C)
	}
}

// read transforms the window at (y, x) of image n of a, with zeros outside the image, to dst, where point i
// lies at i*plane.
func (c *cutout) read(t transform, dst []float32, plane int, a []float32, n, y, x int) {
	call := transformCall{dst: dst, dstRow: winogradPatch * plane, dstCol: plane, lanes: c.C}
	if min(y, x) >= -c.Pad && y+c.size <= c.H+c.Pad && x+c.size <= c.W+c.Pad {
		call.src, call.srcRow, call.srcCol = a[c.Offset(n, y, x):], c.RowStride(), c.C
	} else {
		clear(c.copy)
		c.visible(n, y, x, func(at, copied, floats int) { copy(c.copy[copied:][:floats], a[at:]) })
		call.src, call.srcRow, call.srcCol = c.copy, c.size*c.C, c.C
	}
	call.run(t)
}

// write transforms products, of which point i lies at i*plane, to the window at (y, x) of image n of a, or adds
// them to it, as far as it is in the image.
func (c *cutout) write(a []float32, n, y, x int, src []float32, plane int, bias []float32, add bool) {
	call := transformCall{src: src, srcRow: winogradPatch * plane, srcCol: plane, bias: bias, lanes: c.C, add: add}
	if y+c.size <= c.H && x+c.size <= c.W {
		call.dst, call.dstRow, call.dstCol = a[c.Offset(n, y, x):], c.RowStride(), c.C
		call.run(outputTransform)
		return
	}
	call.dst, call.dstRow, call.dstCol = c.copy, c.size*c.C, c.C
	if add {
		c.visible(n, y, x, func(at, copied, floats int) { copy(c.copy[copied:][:floats], a[at:]) })
	}
	call.run(outputTransform)
	c.visible(n, y, x, func(at, copied, floats int) { copy(a[at:][:floats], c.copy[copied:]) })
}
