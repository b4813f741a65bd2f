// Command activation writes the kernels that go through numbers one by one: apply a function, or take the larger of two. They serve counts that are
// multiples of the vector length; elementArgs in ../../activation.go defines the operands, and the generic
// functions there the results.
package main

import (
	"flag"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var isa = flag.String("isa", "", "avx2 or avx512")

// Offsets of the fields of elementArgs.
const (
	fieldOut   = 0
	fieldX     = 8
	fieldA     = 16
	fieldB     = 20
	fieldCount = 24
)

func main() {
	flag.Parse()
	ConstraintExpr("amd64,!purego")
	if *isa != "avx2" && *isa != "avx512" {
		panic("activation: -isa avx2 or avx512")
	}
	// A NaN in x must come through: VMAXPS and VMINPS return what Go's assembler writes first, if either is one.
	elements("clip", func(x, a, b, _, _ reg.VecVirtual, _ operand.Mem) reg.VecVirtual {
		VMAXPS(x, a, x)
		VMINPS(x, b, x)
		return x
	})
	elements("hardSwish", func(x, a, b, zero, one reg.VecVirtual, _ operand.Mem) reg.VecVirtual {
		z := vec()
		VMOVAPS(x, z)
		VFMADD213PS(b, a, z) // z = x a + b
		VMAXPS(z, zero, z)
		VMINPS(z, one, z)
		VMULPS(z, x, x)
		return x
	})
	elements("larger", func(x, _, _, _, _ reg.VecVirtual, out operand.Mem) reg.VecVirtual {
		y := vec()
		VMOVUPS(out, y)
		VMAXPS(x, y, x)
		return x
	})
	Generate()
}

func vec() reg.VecVirtual {
	if *isa == "avx2" {
		return YMM()
	}
	return ZMM()
}

func one() reg.VecVirtual {
	bits, v := GP32(), vec()
	MOVL(operand.U32(0x3f800000), bits)
	x := XMM()
	VMOVD(bits, x)
	VBROADCASTSS(x, v)
	return v
}

// elements writes a function that calls body for each vector; out is where the result will be.
func elements(name string, body func(x, a, b, zero, one reg.VecVirtual, out operand.Mem) reg.VecVirtual) {
	width := 16
	if *isa == "avx2" {
		width = 8
	}
	TEXT(name+"_"+*isa, NOSPLIT, "func(a *byte)")
	Pragma("noescape")
	args := Load(Param("a"), GP64())
	out, x, count := GP64(), GP64(), GP64()
	MOVQ(operand.Mem{Base: args, Disp: fieldOut}, out)
	MOVQ(operand.Mem{Base: args, Disp: fieldX}, x)
	MOVQ(operand.Mem{Base: args, Disp: fieldCount}, count)
	a, b := vec(), vec()
	VBROADCASTSS(operand.Mem{Base: args, Disp: fieldA}, a)
	VBROADCASTSS(operand.Mem{Base: args, Disp: fieldB}, b)
	zero := vec()
	VXORPS(zero, zero, zero)
	one := one()
	i := GP64()
	XORQ(i, i)
	Label("vector")
	v := vec()
	VMOVUPS(operand.Mem{Base: x, Index: i, Scale: 4}, v)
	y := operand.Mem{Base: out, Index: i, Scale: 4}
	VMOVUPS(body(v, a, b, zero, one, y), y)
	ADDQ(operand.Imm(uint64(width)), i)
	CMPQ(i, count)
	JLT(operand.LabelRef("vector"))
	VZEROUPPER()
	RET()
}
