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
		const r15 = 15
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

// round: dst[i/2] = pairs of src[i], rounded to nearest even; n a multiple of 32.
func round() {
	TEXT("roundPairs_avx512bf16", NOSPLIT, "func(dst *uint32, src *float32, n int)")
	Pragma("noescape")
	dst, src, n := Load(Param("dst"), reg.RDI), Load(Param("src"), reg.RSI), Load(Param("n"), reg.RCX)
	Label("round")
	VMOVUPS(mem(reg.RSI, 0), z[0])
	VMOVUPS(mem(reg.RSI, 64), z[1])
	vcvtne2ps2bf16(2, 1, 0)
	VMOVUPS(z[2], mem(reg.RDI, 0))
	ADDQ(operand.Imm(128), src)
	ADDQ(operand.Imm(64), dst)
	SUBQ(operand.Imm(32), n)
	JNZ(operand.LabelRef("round"))
	VZEROUPPER()
	RET()
}

// interleave: of pixels 2k and 2k+1 of src, words words each, one pair a channel; count pairs of pixels.
func interleave() {
	// Words 0 to 15 of both sources alternate in the first half, 16 to 31 in the second.
	table := GLOBL("interleaveIndex", RODATA|NOPTR)
	for i := range 64 {
		DATA(2*i, operand.U16(i/2+i%2*32))
	}
	TEXT("interleavePairs_avx512bf16", NOSPLIT, "func(dst, src *uint32, words, count int)")
	Pragma("noescape")
	Load(Param("dst"), reg.RDI)
	Load(Param("src"), reg.RSI)
	Load(Param("words"), reg.RDX)
	Load(Param("count"), reg.RCX)
	LEAQ(table, reg.RAX)
	VMOVDQU16(mem(reg.RAX, 0), z[30])
	VMOVDQU16(mem(reg.RAX, 64), z[31])
	SHLQ(operand.Imm(2), reg.RDX) // bytes of a pixel
	Label("pixels")
	XORQ(reg.RAX, reg.RAX)
	LEAQ(operand.Mem{Base: reg.RSI, Index: reg.RDX, Scale: 1}, reg.RBX)
	Label("channels")
	VMOVDQU16(operand.Mem{Base: reg.RSI, Index: reg.RAX, Scale: 1}, z[0])
	VMOVDQU16(operand.Mem{Base: reg.RBX, Index: reg.RAX, Scale: 1}, z[1])
	for h := range 2 {
		VMOVDQA64(z[30+h], z[2+h])
		VPERMI2W(z[1], z[0], z[2+h])
		VMOVDQU16(z[2+h], operand.Mem{Base: reg.RDI, Index: reg.RAX, Scale: 2, Disp: 64 * h})
	}
	ADDQ(operand.Imm(64), reg.RAX)
	CMPQ(reg.RAX, reg.RDX)
	JB(operand.LabelRef("channels"))
	LEAQ(operand.Mem{Base: reg.RSI, Index: reg.RDX, Scale: 2}, reg.RSI)
	LEAQ(operand.Mem{Base: reg.RDI, Index: reg.RDX, Scale: 2}, reg.RDI)
	DECQ(reg.RCX)
	JNZ(operand.LabelRef("pixels"))
	VZEROUPPER()
	RET()
}

// transpose: dst[i*dstRow+j] = src[j*srcRow+i] for i < 16, j < 16 blocks.
func transpose() {
	TEXT("transposePairs_avx512bf16", NOSPLIT, "func(dst, src *uint32, dstRow, srcRow, blocks int)")
	Pragma("noescape")
	Load(Param("dst"), reg.RDI)
	Load(Param("src"), reg.RSI)
	Load(Param("dstRow"), reg.RDX)
	Load(Param("srcRow"), reg.RCX)
	Load(Param("blocks"), reg.RBX)
	SHLQ(operand.Imm(2), reg.RDX)
	SHLQ(operand.Imm(2), reg.RCX)
	Label("block")
	for j := range 16 {
		VMOVUPS(mem(reg.RSI, 0), z[j])
		ADDQ(reg.RCX, reg.RSI)
	}
	// Four rounds exchange bits of row and column: single words, then two, four and eight.
	a, b := z[:16], z[16:]
	for j := range 8 { // rows 2j and 2j+1
		VUNPCKLPS(a[2*j+1], a[2*j], b[2*j])
		VUNPCKHPS(a[2*j+1], a[2*j], b[2*j+1])
	}
	for q := range 4 { // rows 4q to 4q+3: columns 0, 1, 2 and 3 of each lane
		r := b[4*q:]
		VUNPCKLPD(r[2], r[0], a[4*q])
		VUNPCKHPD(r[2], r[0], a[4*q+1])
		VUNPCKLPD(r[3], r[1], a[4*q+2])
		VUNPCKHPD(r[3], r[1], a[4*q+3])
	}
	for c := range 4 { // a[4q+c] holds column 4l+c of rows 4q.. in lane l
		VSHUFF32X4(operand.Imm(0x88), a[4+c], a[c], b[c])      // lanes 0, 2 of q = 0 and of q = 1
		VSHUFF32X4(operand.Imm(0xdd), a[4+c], a[c], b[4+c])    // lanes 1, 3
		VSHUFF32X4(operand.Imm(0x88), a[12+c], a[8+c], b[8+c]) // of q = 2 and q = 3
		VSHUFF32X4(operand.Imm(0xdd), a[12+c], a[8+c], b[12+c])
	}
	for c := range 4 {
		VSHUFF32X4(operand.Imm(0x88), b[8+c], b[c], a[c])       // lane 0 of q = 0, 1, 2, 3: column c
		VSHUFF32X4(operand.Imm(0xdd), b[8+c], b[c], a[8+c])     // lane 2
		VSHUFF32X4(operand.Imm(0x88), b[12+c], b[4+c], a[4+c])  // lane 1
		VSHUFF32X4(operand.Imm(0xdd), b[12+c], b[4+c], a[12+c]) // lane 3
	}
	MOVQ(reg.RDI, reg.RAX)
	for i := range 16 {
		VMOVUPS(a[i], mem(reg.RAX, 0))
		if i < 15 {
			ADDQ(reg.RDX, reg.RAX)
		}
	}
	ADDQ(operand.Imm(64), reg.RDI)
	DECQ(reg.RBX)
	JNZ(operand.LabelRef("block"))
	VZEROUPPER()
	RET()
}

// rowsOut: dst[p*ldc+j] (= src[32p+j] + bias[j] | += src[32p+j]) for j < 32, bias nil for 0.
func rowsOut() {
	TEXT("rowsOut_avx512bf16", NOSPLIT, "func(dst, src, bias *float32, pixels, ldc, add int)")
	Pragma("noescape")
	Load(Param("dst"), reg.RDI)
	Load(Param("src"), reg.RSI)
	Load(Param("bias"), reg.RBX)
	Load(Param("pixels"), reg.RCX)
	Load(Param("ldc"), reg.RDX)
	Load(Param("add"), reg.RAX)
	SHLQ(operand.Imm(2), reg.RDX)
	loop := func(label string, v0, v1 operand.Op) {
		Label(label)
		VMOVUPS(mem(reg.RSI, 0), z[0])
		VMOVUPS(mem(reg.RSI, 64), z[1])
		VADDPS(v0, z[0], z[0])
		VADDPS(v1, z[1], z[1])
		VMOVUPS(z[0], mem(reg.RDI, 0))
		VMOVUPS(z[1], mem(reg.RDI, 64))
		ADDQ(operand.Imm(128), reg.RSI)
		ADDQ(reg.RDX, reg.RDI)
		DECQ(reg.RCX)
		JNZ(operand.LabelRef(label))
		VZEROUPPER()
		RET()
	}
	TESTQ(reg.RAX, reg.RAX)
	JNZ(operand.LabelRef("add"))
	VPXORD(z[2], z[2], z[2])
	VPXORD(z[3], z[3], z[3])
	TESTQ(reg.RBX, reg.RBX)
	JZ(operand.LabelRef("set"))
	VMOVUPS(mem(reg.RBX, 0), z[2])
	VMOVUPS(mem(reg.RBX, 64), z[3])
	loop("set", z[2], z[3])
	loop("add", mem(reg.RDI, 0), mem(reg.RDI, 64))
}

// expand: dst[i] is number i of the pairs src; n is a multiple of 16.
func expand() {
	TEXT("expandPairs_avx512bf16", NOSPLIT, "func(dst *float32, src *uint32, n int)")
	Pragma("noescape")
	dst, src, n := Load(Param("dst"), reg.RDI), Load(Param("src"), reg.RSI), Load(Param("n"), reg.RCX)
	Label("expand")
	VPMOVZXWD(mem(reg.RSI, 0), z[0])
	VPSLLD(operand.Imm(16), z[0], z[0])
	VMOVUPS(z[0], mem(reg.RDI, 0))
	ADDQ(operand.Imm(32), src)
	ADDQ(operand.Imm(64), dst)
	SUBQ(operand.Imm(16), n)
	JNZ(operand.LabelRef("expand"))
	VZEROUPPER()
	RET()
}

// roundRowsOut: the pixel at dst[p*ldc] is src[32p] to src[32p+31], rounded to nearest even.
func roundRowsOut() {
	TEXT("roundRowsOut_avx512bf16", NOSPLIT, "func(dst *uint32, src *float32, pixels, ldc int)")
	Pragma("noescape")
	Load(Param("dst"), reg.RDI)
	Load(Param("src"), reg.RSI)
	Load(Param("pixels"), reg.RCX)
	Load(Param("ldc"), reg.RDX)
	SHLQ(operand.Imm(2), reg.RDX)
	Label("pixel")
	VMOVUPS(mem(reg.RSI, 0), z[0])
	VMOVUPS(mem(reg.RSI, 64), z[1])
	vcvtne2ps2bf16(2, 1, 0)
	VMOVUPS(z[2], mem(reg.RDI, 0))
	ADDQ(operand.Imm(128), reg.RSI)
	ADDQ(reg.RDX, reg.RDI)
	DECQ(reg.RCX)
	JNZ(operand.LabelRef("pixel"))
	VZEROUPPER()
	RET()
}
