package kernel

// window are the strides of the kernels of depthwise convolution, in floats:
// each of pixels pixels sees a rectangle of taps, of which tap (a, b) lies
// a*xRow + b*xCol after the pixel's first one in x, and a*wRow + b*wCol after
// it in the weights, where the strides may be negative.
type window struct {
	pixels, channels             int
	rows, cols                   int
	yStride, fromStride, xStride int // from pixel to pixel
	xRow, xCol, wRow, wCol       int
}

// windowGeneric: y[p,c] = from[p,c] + sum over a < rows, b < cols of
// w[w0 + a*wRow + b*wCol + c] * x[p*xStride + a*xRow + b*xCol + c].
func windowGeneric(t *window, y, x, w []float32, w0 int, from []float32) {
	for p := range t.pixels {
		y, from := y[p*t.yStride:][:t.channels], from[p*t.fromStride:][:t.channels]
		copy(y, from)
		for a := range t.rows {
			for b := range t.cols {
				x := x[p*t.xStride+a*t.xRow+b*t.xCol:][:t.channels]
				w := w[w0+a*t.wRow+b*t.wCol:][:t.channels]
				for c, v := range x {
					y[c] += w[c] * v
				}
			}
		}
	}
}

// windowGradGeneric: w[w0 + a*wRow + b*wCol + c] += sum over p of
// y[p*yStride + c] * x[p*xStride + a*xRow + b*xCol + c].
func windowGradGeneric(t *window, y, x, w []float32, w0 int) {
	for p := range t.pixels {
		y := y[p*t.yStride:][:t.channels]
		for a := range t.rows {
			for b := range t.cols {
				x := x[p*t.xStride+a*t.xRow+b*t.xCol:][:t.channels]
				w := w[w0+a*t.wRow+b*t.wCol:][:t.channels]
				for c, v := range x {
					w[c] += y[c] * v
				}
			}
		}
	}
}
