//go:build amd64 && !purego

package kernel

import "github.com/faceverify/fv/internal/cpu"

// windowArgs are the operands of the assembly, strides and channels in bytes.
// xNext and wNext lead from the end of one row of taps to the start of the
// next. The assembly knows the order of the fields, and counts in them: a call
// leaves other values behind.
type windowArgs struct {
	y, x, w, from                *float32
	pixels, channels, rows, cols int
	yStride, fromStride, xStride int
	xRow, xCol, xNext            int
	wRow, wCol, wNext            int
}

func (t *window) args(y, x, w []float32, w0 int) windowArgs {
	// The assembly checks nothing: here, the last values that it touches.
	last := t.channels - 1
	_ = y[(t.pixels-1)*t.yStride+last]
	_ = x[(t.pixels-1)*t.xStride+(t.rows-1)*t.xRow+(t.cols-1)*t.xCol+last]
	_ = w[w0+last]
	_ = w[w0+(t.rows-1)*t.wRow+(t.cols-1)*t.wCol+last]
	return windowArgs{
		y: &y[0], x: &x[0], w: &w[w0],
		pixels: t.pixels, channels: 4 * t.channels, rows: t.rows, cols: t.cols,
		yStride: 4 * t.yStride, fromStride: 4 * t.fromStride, xStride: 4 * t.xStride,
		xRow: 4 * t.xRow, xCol: 4 * t.xCol, xNext: 4 * (t.xRow - t.cols*t.xCol),
		wRow: 4 * t.wRow, wCol: 4 * t.wCol, wNext: 4 * (t.wRow - t.cols*t.wCol),
	}
}

// vectors cuts t into whole vectors of channels, which the assembly serves,
// and rest, which begins at channel c.
func (t *window) vectors() (whole, rest window, c int) {
	whole, rest = *t, *t
	if t.rows*t.cols > 0 {
		switch single() {
		case cpu.AVX512:
			c = t.channels &^ 15
		case cpu.AVX2:
			c = t.channels &^ 7
		}
	}
	whole.channels, rest.channels = c, t.channels-c
	return whole, rest, c
}

func windowRun(t *window, y, x, w []float32, w0 int, from []float32) {
	whole, rest, c := t.vectors()
	if c > 0 {
		a := whole.args(y, x, w, w0)
		a.from = &from[:(t.pixels-1)*t.fromStride+c][0]
		wide := single() == cpu.AVX512
		switch {
		case t.pixels == 1:
			a.window(wide)
		case t.cols == 1:
			// No tap's neighbour is needed, but each pixel's.
			a.xCol = a.xStride
			a.window1(wide)
		case t.cols == 2 && t.xStride == t.xCol:
			a.window2(wide)
		case t.cols == 3 && t.xStride == t.xCol:
			a.window3(wide)
		case t.cols == 3 && t.xStride == 2*t.xCol:
			a.window3by2(wide)
		default:
			a.window(wide)
		}
	}
	if rest.channels > 0 {
		windowGeneric(&rest, y[c:], x[c:], w, w0+c, from[c:])
	}
}

func windowGradRun(t *window, y, x, w []float32, w0 int) {
	whole, rest, c := t.vectors()
	if c > 0 {
		a := whole.args(y, x, w, w0)
		wide := single() == cpu.AVX512
		switch {
		case t.cols == 3 && t.xStride == t.xCol:
			a.windowGrad3(wide)
		case t.cols == 3 && t.xStride == 2*t.xCol:
			a.windowGrad3by2(wide)
		default:
			a.windowGrad(wide)
		}
	}
	if rest.channels > 0 {
		windowGradGeneric(&rest, y[c:], x[c:], w, w0+c)
	}
}

func (a *windowArgs) window(wide bool) {
	if wide {
		window_avx512(a)
	} else {
		window_avx2(a)
	}
}

func (a *windowArgs) window1(wide bool) {
	if wide {
		window1_avx512(a)
	} else {
		window1_avx2(a)
	}
}

func (a *windowArgs) window2(wide bool) {
	if wide {
		window2_avx512(a)
	} else {
		window2_avx2(a)
	}
}

func (a *windowArgs) window3(wide bool) {
	if wide {
		window3_avx512(a)
	} else {
		window3_avx2(a)
	}
}

func (a *windowArgs) window3by2(wide bool) {
	if wide {
		window3by2_avx512(a)
	} else {
		window3by2_avx2(a)
	}
}

func (a *windowArgs) windowGrad(wide bool) {
	if wide {
		windowGrad_avx512(a)
	} else {
		windowGrad_avx2(a)
	}
}

func (a *windowArgs) windowGrad3(wide bool) {
	if wide {
		windowGrad3_avx512(a)
	} else {
		windowGrad3_avx2(a)
	}
}

func (a *windowArgs) windowGrad3by2(wide bool) {
	if wide {
		windowGrad3by2_avx512(a)
	} else {
		windowGrad3by2_avx2(a)
	}
}

//go:noescape
func window_avx2(a *windowArgs)

//go:noescape
func window_avx512(a *windowArgs)

//go:noescape
func window1_avx2(a *windowArgs)

//go:noescape
func window1_avx512(a *windowArgs)

//go:noescape
func window2_avx2(a *windowArgs)

//go:noescape
func window2_avx512(a *windowArgs)

//go:noescape
func window3_avx2(a *windowArgs)

//go:noescape
func window3_avx512(a *windowArgs)

//go:noescape
func window3by2_avx2(a *windowArgs)

//go:noescape
func window3by2_avx512(a *windowArgs)

//go:noescape
func windowGrad_avx2(a *windowArgs)

//go:noescape
func windowGrad_avx512(a *windowArgs)

//go:noescape
func windowGrad3_avx2(a *windowArgs)

//go:noescape
func windowGrad3_avx512(a *windowArgs)

//go:noescape
func windowGrad3by2_avx2(a *windowArgs)

//go:noescape
func windowGrad3by2_avx512(a *windowArgs)
