//go:build amd64 && !purego

package kernel

import "github.com/faceverify/fv/internal/cpu"

// vector sets cols to as many of the columns as the current variant's kernel serves, and returns the
// variant, or Generic where they are none.
func (a *softmaxArgs) vector() cpu.Variant {
	v := single()
	switch v {
	case cpu.AVX512:
		a.cols = a.stride &^ 15
	case cpu.AVX2:
		a.cols = a.stride &^ 7
	}
	if a.cols == 0 {
		return cpu.Generic
	}
	return v
}

func scaleRowsVector(z, x, scale, shift []float32, cols int) int {
	a := softmaxArgs{out: &z[0], x: &x[0], scale: &scale[0], shift: &shift[0], rows: len(scale), stride: cols}
	switch a.vector() {
	case cpu.AVX2:
		scaleRows_avx2(&a)
	case cpu.AVX512:
		scaleRows_avx512(&a)
	}
	return a.cols
}

func maxRowsVector(top, z []float32, rows int) int {
	a := softmaxArgs{x: &z[0], col: &top[0], rows: rows, stride: len(top)}
	switch a.vector() {
	case cpu.AVX2:
		maxRows_avx2(&a)
	case cpu.AVX512:
		maxRows_avx512(&a)
	}
	return a.cols
}

func sumExpRowsVector(sum []float64, z, top []float32, rows int) int {
	a := softmaxArgs{x: &z[0], col: &top[0], sum: &sum[0], rows: rows, stride: len(top)}
	switch a.vector() {
	case cpu.AVX2:
		sumExpRows_avx2(&a)
	case cpu.AVX512:
		sumExpRows_avx512(&a)
	}
	return a.cols
}

func softmaxRowsVector(g, x, scale, shift, lse []float32, factor float32) int {
	a := softmaxArgs{out: &g[0], x: &x[0], scale: &scale[0], shift: &shift[0], col: &lse[0], rows: len(scale), stride: len(lse), factor: factor}
	switch a.vector() {
	case cpu.AVX2:
		softmaxRows_avx2(&a)
	case cpu.AVX512:
		softmaxRows_avx512(&a)
	}
	return a.cols
}

func dotRowsVector(dot, x, y []float32, cols int) int {
	a := softmaxArgs{out: &dot[0], x: &x[0], y: &y[0], rows: len(dot), stride: cols}
	switch a.vector() {
	case cpu.AVX2:
		dotRows_avx2(&a)
	case cpu.AVX512:
		dotRows_avx512(&a)
	}
	return a.cols
}

func addScaledRowsVector(y, x, scale []float32, cols int) int {
	a := softmaxArgs{out: &y[0], x: &x[0], scale: &scale[0], rows: len(scale), stride: cols}
	switch a.vector() {
	case cpu.AVX2:
		addScaledRows_avx2(&a)
	case cpu.AVX512:
		addScaledRows_avx512(&a)
	}
	return a.cols
}

//go:noescape
func scaleRows_avx2(a *softmaxArgs)

//go:noescape
func scaleRows_avx512(a *softmaxArgs)

//go:noescape
func maxRows_avx2(a *softmaxArgs)

//go:noescape
func maxRows_avx512(a *softmaxArgs)

//go:noescape
func sumExpRows_avx2(a *softmaxArgs)

//go:noescape
func sumExpRows_avx512(a *softmaxArgs)

//go:noescape
func softmaxRows_avx2(a *softmaxArgs)

//go:noescape
func softmaxRows_avx512(a *softmaxArgs)

//go:noescape
func dotRows_avx2(a *softmaxArgs)

//go:noescape
func dotRows_avx512(a *softmaxArgs)

//go:noescape
func addScaledRows_avx2(a *softmaxArgs)

//go:noescape
func addScaledRows_avx512(a *softmaxArgs)
