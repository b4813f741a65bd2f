// Command pair writes the kernels on pairs of bfloat16: the micro-kernel of pairTile in
// ../../pair.go, which defines the operands, for AVX512-BF16, for AMX and, by multiply-adds of
// float32, for AVX-512 and AVX2 without either; and what prepares the pairs and takes the sums away.
package main

import (
	"flag"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var isa = flag.String("isa", "", "avx2, avx512, avx512bf16 or amx")

// Offsets of the fields of pairTile.
const (
	fieldA      = 8 * iota // pointers
	fieldB                 //
	fieldC                 //
	fieldOff               //
	fieldSteps             // counts
	fieldBlocks            //
	fieldARow              // distances, in words
	fieldABlock            //
	fieldBRow              //
	fieldBStep             //
	fieldLDC               //
	fieldCBlock            //
	fieldAdd
	fieldRows
)

func main() {
	flag.Parse()
	ConstraintExpr("amd64,!purego")
	switch *isa {
	case "avx2", "avx512":
		rowsTile(floatRows)
		round()
		roundRowsOut()
		interleave()
		if *isa == "avx2" {
			transpose8()
		} else {
			transpose()
		}
		rowsOut()
		expand()
	case "avx512bf16":
		rowsTile(dotRows)
		dotPeak()
		round()
		roundRowsOut()
	case "amx":
		matrixTile()
		matrixPeak()
	default:
		panic("pair: -isa avx2, avx512, avx512bf16 or amx")
	}
	Generate()
}

func mem(base reg.Register, disp int) operand.Mem { return operand.Mem{Base: base, Disp: disp} }

// words loads a field that counts words, as bytes.
func words(field int, r reg.GPPhysical) {
	MOVQ(mem(reg.RDI, field), r)
	SHLQ(operand.Imm(2), r)
}

var (
	z = []reg.VecPhysical{
		reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
	}
	y = []reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
	}
)

// vectors returns the registers of vectors, and width their bytes.
func vectors() []reg.VecPhysical {
	if *isa == "avx2" {
		return y
	}
	return z
}

func width() int {
	if *isa == "avx2" {
		return 32
	}
	return 64
}

// and: dst = x & v.
func and(x operand.Op, v, dst reg.VecPhysical) {
	if *isa == "avx2" {
		VPAND(x, v, dst)
	} else {
		VPANDD(x, v, dst)
	}
}

func zero(v reg.VecPhysical) {
	if *isa == "avx2" {
		VXORPS(v, v, v)
	} else {
		VPXORD(v, v, v)
	}
}

// matrixTile: a block of 32 x 32 sums is four tiles; a step multiplies two of rows by two of columns.
func matrixTile() {
	config := GLOBL("tileConfig", RODATA|NOPTR)
	DATA(0, operand.U64(1)) // palette 1
	DATA(8, operand.U64(0))
	for i := range 2 {
		DATA(16+8*i, operand.U64(0x0040_0040_0040_0040)) // 64 bytes a row
	}
	for i := range 2 {
		DATA(32+8*i, operand.U64(0))
	}
	DATA(48, operand.U64(0x1010_1010_1010_1010)) // 16 rows
	DATA(56, operand.U64(0))

	TEXT("pairTile_amx", NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	Load(Param("t"), reg.RDI)
	LEAQ(config, reg.RAX)
	ldtilecfg()
	MOVQ(mem(reg.RDI, fieldA), reg.R8)
	MOVQ(mem(reg.RDI, fieldC), reg.R10)
	words(fieldARow, reg.R11)
	words(fieldBRow, reg.R12)
	words(fieldLDC, reg.R13)
	words(fieldBStep, reg.R9)
	MOVQ(mem(reg.RDI, fieldBlocks), reg.RBX)

	Label("block")
	// The lower sums are at R15.
	MOVQ(reg.R13, reg.R15)
	SHLQ(operand.Imm(4), reg.R15)
	ADDQ(reg.R10, reg.R15)
	MOVQ(mem(reg.RDI, fieldAdd), reg.RAX)
	TESTQ(reg.RAX, reg.RAX)
	JZ(operand.LabelRef("zero"))
	sums := func(f func(t, base, index int, disp int8)) {
		f(0, r10, r13, 0)
		f(1, r10, r13, 64)
		f(2, r15, r13, 0)
		f(3, r15, r13, 64)
	}
	sums(tileload)
	JMP(operand.LabelRef("steps"))
	Label("zero")
	for t := range 4 {
		tilezero(t)
	}
	Label("steps")
	MOVQ(mem(reg.RDI, fieldB), reg.RDX)
	MOVQ(mem(reg.RDI, fieldOff), reg.RSI)
	MOVQ(mem(reg.RDI, fieldSteps), reg.RCX)
	Label("step")
	MOVQ(mem(reg.RSI, 0), reg.RAX)
	LEAQ(operand.Mem{Base: reg.R8, Index: reg.RAX, Scale: 4}, reg.RAX)
	tileload(6, rdx, r12, 0)
	tileload(4, rax, r11, 0)
	tdpbf16ps(0, 4, 6)
	tileload(7, rdx, r12, 64)
	tdpbf16ps(1, 4, 7)
	LEAQ(operand.Mem{Base: reg.RAX, Index: reg.R11, Scale: 8}, reg.RAX)
	LEAQ(operand.Mem{Base: reg.RAX, Index: reg.R11, Scale: 8}, reg.RAX)
	tileload(5, rax, r11, 0)
	tdpbf16ps(2, 5, 6)
	tdpbf16ps(3, 5, 7)
	ADDQ(reg.R9, reg.RDX)
	ADDQ(operand.Imm(8), reg.RSI)
	DECQ(reg.RCX)
	JNZ(operand.LabelRef("step"))

	sums(tilestore)
	words(fieldABlock, reg.RAX)
	ADDQ(reg.RAX, reg.R8)
	words(fieldCBlock, reg.RAX)
	ADDQ(reg.RAX, reg.R10)
	DECQ(reg.RBX)
	JNZ(operand.LabelRef("block"))
	tilerelease()
	RET()
}

// matrixPeak writes a loop of independent products of tiles: what the kernels' share of the machine is
// measured against.
func matrixPeak() {
	TEXT("dots_amx", NOSPLIT, "func(n int)")
	LEAQ(operand.NewDataAddr(operand.NewStaticSymbol("tileConfig"), 0), reg.RAX)
	Load(Param("n"), reg.RCX)
	ldtilecfg()
	for t := range 8 {
		tilezero(t)
	}
	Label("dots")
	tdpbf16ps(0, 4, 6)
	tdpbf16ps(1, 4, 7)
	tdpbf16ps(2, 5, 6)
	tdpbf16ps(3, 5, 7)
	DECQ(reg.RCX)
	JNZ(operand.LabelRef("dots"))
	tilerelease()
	RET()
}

// dotPeak is matrixPeak with dot products of pairs.
func dotPeak() {
	const chains = 12
	TEXT("dots_avx512bf16", NOSPLIT, "func(n int)")
	Load(Param("n"), reg.RCX)
	for i := range chains + 1 {
		VPXORD(z[i], z[i], z[i])
	}
	Label("dots")
	for i := range chains {
		vdpbf16ps(i, chains, chains)
	}
	DECQ(reg.RCX)
	JNZ(operand.LabelRef("dots"))
	VZEROUPPER()
	RET()
}
