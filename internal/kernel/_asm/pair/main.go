// Command pair writes the kernels on pairs of bfloat16: the micro-kernel of pairTile in
// ../../pair.go, which defines the operands, for AVX512-BF16 and for AMX, and with the former
// what prepares the pairs and takes the sums away.
package main

import (
	"flag"
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var isa = flag.String("isa", "", "avx512bf16 or amx")

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
	case "avx512bf16":
		dotTile()
		dotPeak()
		round()
		interleave()
		transpose()
		rowsOut()
		expand()
		roundRowsOut()
	case "amx":
		matrixTile()
		matrixPeak()
	default:
		panic("pair: -isa avx512bf16 or amx")
	}
	Generate()
}

func mem(base reg.Register, disp int) operand.Mem { return operand.Mem{Base: base, Disp: disp} }

// words loads a field that counts words, as bytes.
func words(field int, r reg.GPPhysical) {
	MOVQ(mem(reg.RDI, field), r)
	SHLQ(operand.Imm(2), r)
}

var z = []reg.VecPhysical{
	reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
	reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
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

// dotTile: a block's 32 rows are taken as 11, 11 and 10, whose sums fit the registers, until there are none left.
func dotTile() {
	TEXT("pairTile_avx512bf16", NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	left, first := AllocLocal(8), AllocLocal(8) // rows left, the first row of this block
	Load(Param("t"), reg.RDI)
	MOVQ(mem(reg.RDI, fieldA), reg.R8)
	MOVQ(reg.R8, first)
	MOVQ(mem(reg.RDI, fieldC), reg.R10)
	words(fieldARow, reg.R11)
	words(fieldBRow, reg.R12)
	words(fieldLDC, reg.R13)
	words(fieldBStep, reg.R9) // less the 16 rows that a step goes through
	MOVQ(reg.R12, reg.RAX)
	SHLQ(operand.Imm(4), reg.RAX)
	SUBQ(reg.RAX, reg.R9)
	MOVQ(mem(reg.RDI, fieldRows), reg.RAX)
	MOVQ(reg.RAX, left)

	Label("block")
	MOVQ(reg.R10, reg.R14)
	for i, rows := range []int{11, 11, 10} {
		dotRows(i, rows)
		SUBQ(operand.Imm(uint64(rows)), left)
		JLE(operand.LabelRef("done"))
	}
	words(fieldABlock, reg.R8)
	ADDQ(first, reg.R8)
	MOVQ(reg.R8, first)
	words(fieldCBlock, reg.RAX)
	ADDQ(reg.RAX, reg.R10)
	JMP(operand.LabelRef("block"))
	Label("done")
	VZEROUPPER()
	RET()
}

// dotRows writes the sums of rows rows from R8 on to R14, and moves both past them.
func dotRows(part, rows int) {
	const b0, b1, a0 = 22, 23, 24 // registers beyond the sums
	label := func(s string) string { return fmt.Sprintf("%s%d", s, part) }
	sums := func(f func(at operand.Mem, v reg.VecPhysical)) {
		MOVQ(reg.R14, reg.RAX)
		for i := range rows {
			f(mem(reg.RAX, 0), z[2*i])
			f(mem(reg.RAX, 64), z[2*i+1])
			ADDQ(reg.R13, reg.RAX)
		}
	}
	MOVQ(mem(reg.RDI, fieldAdd), reg.RAX)
	TESTQ(reg.RAX, reg.RAX)
	JZ(operand.LabelRef(label("zero")))
	sums(func(at operand.Mem, v reg.VecPhysical) { VMOVUPS(at, v) })
	JMP(operand.LabelRef(label("steps")))
	Label(label("zero"))
	for i := range 2 * rows {
		VPXORD(z[i], z[i], z[i])
	}
	Label(label("steps"))
	MOVQ(mem(reg.RDI, fieldB), reg.RDX)
	MOVQ(mem(reg.RDI, fieldOff), reg.RSI)
	MOVQ(mem(reg.RDI, fieldSteps), reg.RCX)
	Label(label("step"))
	MOVQ(mem(reg.RSI, 0), reg.RAX)
	LEAQ(operand.Mem{Base: reg.R8, Index: reg.RAX, Scale: 4}, reg.RAX)
	MOVQ(operand.U32(16), reg.R15)
	Label(label("pair"))
	VMOVUPS(mem(reg.RDX, 0), z[b0])
	VMOVUPS(mem(reg.RDX, 64), z[b1])
	ADDQ(reg.R12, reg.RDX)
	// BX is at every third row, the two after it are reached by index.
	MOVQ(reg.RAX, reg.RBX)
	for i := range rows {
		at := operand.Mem{Base: reg.RBX}
		if i%3 > 0 {
			at.Index, at.Scale = reg.R11, uint8(i%3)
		}
		a := a0 + i%4
		VPBROADCASTD(at, z[a])
		vdpbf16ps(2*i, a, b0)
		vdpbf16ps(2*i+1, a, b1)
		if i%3 == 2 && i < rows-1 {
			LEAQ(operand.Mem{Base: reg.RBX, Index: reg.R11, Scale: 2}, reg.RBX)
			ADDQ(reg.R11, reg.RBX)
		}
	}
	ADDQ(operand.Imm(4), reg.RAX)
	DECQ(reg.R15)
	JNZ(operand.LabelRef(label("pair")))
	ADDQ(reg.R9, reg.RDX)
	ADDQ(operand.Imm(8), reg.RSI)
	DECQ(reg.RCX)
	JNZ(operand.LabelRef(label("step")))

	sums(func(at operand.Mem, v reg.VecPhysical) { VMOVUPS(v, at) })
	MOVQ(reg.RAX, reg.R14)
	for range rows {
		ADDQ(reg.R11, reg.R8)
	}
}
