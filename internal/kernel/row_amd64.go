//go:build amd64 && !purego

package kernel

import "github.com/faceverify/fv/internal/cpu"

// rowVector returns whether the assembly of the current variant serves this
// number of channels.
func rowVector(channels int) bool {
	switch single() {
	case cpu.AVX512:
		return channels%16 == 0
	case cpu.AVX2:
		return channels%8 == 0
	}
	return false
}

func first(x []float32) *float32 {
	if len(x) == 0 {
		return nil
	}
	return &x[0]
}

func (p *affineParams) args(x []float32) rowArgs {
	n := len(p.scale)
	return rowArgs{
		x: first(x), scale: first(p.scale), shift: first(p.shift[:n]), slope: first(p.slope[:n]),
		pixels: len(x) / n, channels: n,
	}
}

// affineRun is affineGeneric on whole pixels.
func affineRun(y, x, res []float32, p *affineParams) {
	if !rowVector(len(p.scale)) {
		affineGeneric(y, x, res, p)
		return
	}
	x = x[:len(y)]
	a := p.args(x)
	a.out = first(y)
	switch {
	case res == nil && single() == cpu.AVX512:
		affine_avx512(&a)
	case res == nil:
		affine_avx2(&a)
	default:
		a.dy = first(res[:len(y)])
		if single() == cpu.AVX512 {
			affineAdd_avx512(&a)
		} else {
			affineAdd_avx2(&a)
		}
	}
}

func momentsRun(sums, x, pivot []float32) {
	n := len(pivot)
	if !rowVector(n) {
		momentsGeneric(sums, x, pivot)
		return
	}
	a := rowArgs{x: first(x), shift: first(pivot), sums: first(sums[:2*n]), pixels: len(x) / n, channels: n}
	if single() == cpu.AVX512 {
		moments_avx512(&a)
	} else {
		moments_avx2(&a)
	}
}

func affineSumsRun(sums, x, dy []float32, p *affineParams, pa, pb []float32) {
	n := len(p.scale)
	if !rowVector(n) {
		affineSumsGeneric(sums, x, dy, p, pa, pb)
		return
	}
	a := p.args(x)
	a.dy, a.a, a.b, a.sums = first(dy[:len(x)]), first(pa[:n]), first(pb[:n]), first(sums[:3*n])
	if single() == cpu.AVX512 {
		affineSums_avx512(&a)
	} else {
		affineSums_avx2(&a)
	}
}

func affineGradRun(dx, x, dy []float32, p *affineParams, pa, pb, pc []float32, add bool) {
	n := len(p.scale)
	if !rowVector(n) {
		affineGradGeneric(dx, x, dy, p, pa, pb, pc, add)
		return
	}
	x = x[:len(dx)]
	a := p.args(x)
	a.out, a.dy, a.a, a.b, a.c = first(dx), first(dy[:len(dx)]), first(pa[:n]), first(pb[:n]), first(pc[:n])
	switch {
	case add && single() == cpu.AVX512:
		affineGradAdd_avx512(&a)
	case add:
		affineGradAdd_avx2(&a)
	case single() == cpu.AVX512:
		affineGrad_avx512(&a)
	default:
		affineGrad_avx2(&a)
	}
}

//go:noescape
func affine_avx2(a *rowArgs)

//go:noescape
func affine_avx512(a *rowArgs)

//go:noescape
func affineAdd_avx2(a *rowArgs)

//go:noescape
func affineAdd_avx512(a *rowArgs)

//go:noescape
func moments_avx2(a *rowArgs)

//go:noescape
func moments_avx512(a *rowArgs)

//go:noescape
func affineSums_avx2(a *rowArgs)

//go:noescape
func affineSums_avx512(a *rowArgs)

//go:noescape
func affineGrad_avx2(a *rowArgs)

//go:noescape
func affineGrad_avx512(a *rowArgs)

//go:noescape
func affineGradAdd_avx2(a *rowArgs)

//go:noescape
func affineGradAdd_avx512(a *rowArgs)
