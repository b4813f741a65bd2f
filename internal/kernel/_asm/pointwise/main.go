// Command pointwise writes the kernels that go through activations pixel by
// pixel: normalisation, activation and their gradients. They serve channel
// counts that are multiples of the vector length; rowArgs in ../../row.go
// defines the operands, and the generic functions there the results.
package main

import (
	"flag"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var isa = flag.String("isa", "", "avx2 or avx512")

// Offsets of the fields of rowArgs: ten pointers, then two counts.
const (
	ptr0        = 0
	fieldPixels = 80
	fieldC      = 88
)

// Pointers of rowArgs, by place.
const (
	out = iota
	x
	dy
	scale
	shift
	slope
	pa
	pb
	pc
	sums
)

func main() {
	flag.Parse()
	ConstraintExpr("amd64,!purego")
	if *isa != "avx2" && *isa != "avx512" {
		panic("pointwise: -isa avx2 or avx512")
	}
	affine("affine", false)
	affine("affineAdd", true)
	moments()
	affineSums()
	affineGrad("affineGrad", false)
	affineGrad("affineGradAdd", true)
	Generate()
}

func vec() reg.VecVirtual {
	if *isa == "avx2" {
		return YMM()
	}
	return ZMM()
}

func width() int {
	if *isa == "avx2" {
		return 8
	}
	return 16
}

func zero() reg.VecVirtual {
	z := vec()
	VXORPS(z, z, z)
	return z
}

// rows writes a function that calls body for each vector of channels of each
// pixel. at gives the operand of a pointer there: the pixels' pointers
// (pixel) move on from pixel to pixel, the others begin anew.
func rows(name string, pixel, channel []int, body func(at func(p, plane int) operand.Mem)) {
	TEXT(name+"_"+*isa, NOSPLIT, "func(a *byte)")
	Pragma("noescape")
	args := Load(Param("a"), GP64())
	ptr := map[int]reg.GPVirtual{}
	for _, p := range append(append([]int{}, pixel...), channel...) {
		ptr[p] = GP64()
		MOVQ(operand.Mem{Base: args, Disp: ptr0 + 8*p}, ptr[p])
	}
	pixels, bytes, c := GP64(), GP64(), GP64()
	MOVQ(operand.Mem{Base: args, Disp: fieldPixels}, pixels)
	MOVQ(operand.Mem{Base: args, Disp: fieldC}, bytes)
	SHLQ(operand.Imm(2), bytes)
	Label("pixel")
	XORQ(c, c)
	Label("channel")
	body(func(p, plane int) operand.Mem {
		if plane == 0 {
			return operand.Mem{Base: ptr[p], Index: c, Scale: 1}
		}
		// Planes of an accumulator are C apart: c + plane*bytes.
		i := GP64()
		MOVQ(c, i)
		for range plane {
			ADDQ(bytes, i)
		}
		return operand.Mem{Base: ptr[p], Index: i, Scale: 1}
	})
	ADDQ(operand.Imm(uint64(4*width())), c)
	CMPQ(c, bytes)
	JLT(operand.LabelRef("channel"))
	for _, p := range pixel {
		ADDQ(bytes, ptr[p])
	}
	DECQ(pixels)
	JNZ(operand.LabelRef("pixel"))
	VZEROUPPER()
	RET()
}

func load(m operand.Mem) reg.VecVirtual {
	v := vec()
	VMOVUPS(m, v)
	return v
}

// affine: out = prelu(x*scale + shift) [+ dy, which here is the residual].
func affine(name string, add bool) {
	pixel := []int{out, x}
	if add {
		pixel = append(pixel, dy)
	}
	rows(name, pixel, []int{scale, shift, slope}, func(at func(p, plane int) operand.Mem) {
		z := load(at(x, 0))
		s := load(at(scale, 0))
		VFMADD213PS(at(shift, 0), s, z) // z = s*z + shift
		neg, pos := vec(), vec()
		o := zero()
		// A NaN in z must come through: both return their first operand then.
		VMINPS(z, o, neg)
		VMAXPS(z, o, pos)
		VFMADD231PS(at(slope, 0), neg, pos)
		if add {
			VADDPS(at(dy, 0), pos, pos)
		}
		VMOVUPS(pos, at(out, 0))
	})
}

// moments: sums[0] += x - shift, sums[1] += (x - shift)^2.
func moments() {
	rows("moments", []int{x}, []int{shift, sums}, func(at func(p, plane int) operand.Mem) {
		v := load(at(x, 0))
		VSUBPS(at(shift, 0), v, v)
		s := load(at(sums, 0))
		VADDPS(v, s, s)
		VMOVUPS(s, at(sums, 0))
		m := at(sums, 1)
		q := load(m)
		VFMADD231PS(v, v, q)
		VMOVUPS(q, m)
	})
}

// gradient returns g = dy*prelu'(z), z = x*scale + shift, with x and dy, and
// min(z, 0).
func gradient(at func(p, plane int) operand.Mem) (g, xv, dyv, neg reg.VecVirtual) {
	xv = load(at(x, 0))
	dyv = load(at(dy, 0))
	z := load(at(scale, 0))
	VFMADD213PS(at(shift, 0), xv, z) // z = x*scale + shift
	o := zero()
	neg, g = vec(), vec()
	VMINPS(z, o, neg)
	sl := load(at(slope, 0))
	VMULPS(dyv, sl, sl)
	if *isa == "avx512" {
		k := K()
		VCMPPS(operand.Imm(14), o, z, k) // z > 0
		VMOVAPS(sl, g)
		VMOVAPS(dyv, k, g)
	} else {
		m := vec()
		VCMPPS(operand.Imm(14), o, z, m)
		VBLENDVPS(m, dyv, sl, g)
	}
	return g, xv, dyv, neg
}

// affineSums: sums[0] += g, sums[1] += g*(x*pa + pb), sums[2] += dy*min(z, 0).
func affineSums() {
	rows("affineSums", []int{x, dy}, []int{scale, shift, slope, pa, pb, sums}, func(at func(p, plane int) operand.Mem) {
		g, xv, dyv, neg := gradient(at)
		s := load(at(sums, 0))
		VADDPS(g, s, s)
		VMOVUPS(s, at(sums, 0))
		n := load(at(pa, 0))
		VFMADD213PS(at(pb, 0), n, xv) // xv = xv*pa + pb
		m := at(sums, 1)
		s = load(m)
		VFMADD231PS(g, xv, s)
		VMOVUPS(s, m)
		m = at(sums, 2)
		s = load(m)
		VFMADD231PS(dyv, neg, s)
		VMOVUPS(s, m)
	})
}

// affineGrad: out (=|+=) pa*g + pb*x + pc.
func affineGrad(name string, add bool) {
	rows(name, []int{out, x, dy}, []int{scale, shift, slope, pa, pb, pc}, func(at func(p, plane int) operand.Mem) {
		g, xv, _, _ := gradient(at)
		s := load(at(pc, 0))
		VFMADD231PS(at(pb, 0), xv, s)
		VFMADD231PS(at(pa, 0), g, s)
		if add {
			VADDPS(at(out, 0), s, s)
		}
		VMOVUPS(s, at(out, 0))
	})
}
