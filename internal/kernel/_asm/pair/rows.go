package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rowsTile writes pairTile for registers of vectors. Columns are taken two vectors at a time, and a block's 32 rows in groups
// whose sums fit the registers. step writes a step of some rows: see dotRows.
func rowsTile(step func(label func(string) string, rows int)) {
	groups := []int{11, 11, 10}
	if *isa == "avx2" {
		groups = []int{6, 6, 6, 6, 4, 4}
	}
	TEXT("pairTile_"+*isa, 0, "func(t *byte)")
	Pragma("noescape")
	first, left := AllocLocal(8), AllocLocal(8)    // the first row of this block, and the rows from it on
	these, columns := AllocLocal(8), operand.Mem{} // rows left of these columns, which are at byte columns of a row
	if 2*width() < 128 {
		columns = AllocLocal(8)
	}
	Load(Param("t"), reg.RDI)
	if *isa != "avx512bf16" {
		prepareFloats(groups[0])
	}
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
	if columns.Base != nil {
		MOVQ(operand.U32(0), columns)
		Label("columns")
	}
	MOVQ(reg.R10, reg.R14)
	if columns.Base != nil {
		ADDQ(columns, reg.R14)
		MOVQ(first, reg.R8)
	}
	MOVQ(left, reg.RAX)
	MOVQ(reg.RAX, these)
	for i, rows := range groups {
		someRows(i, rows, columns, step)
		SUBQ(operand.Imm(uint64(rows)), these)
		JLE(operand.LabelRef("rowsDone"))
	}
	Label("rowsDone")
	if columns.Base != nil {
		ADDQ(operand.Imm(uint64(2*width())), columns)
		CMPQ(columns, operand.U32(128))
		JB(operand.LabelRef("columns"))
	}
	SUBQ(operand.Imm(32), left)
	JLE(operand.LabelRef("done"))
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

// someRows writes the sums of rows rows from R8 on to R14, and moves both past them.
func someRows(part, rows int, columns operand.Mem, step func(label func(string) string, rows int)) {
	v := vectors()
	label := func(s string) string { return fmt.Sprintf("%s%d", s, part) }
	sums := func(f func(at operand.Mem, v reg.VecPhysical)) {
		MOVQ(reg.R14, reg.RAX)
		for i := range rows {
			f(mem(reg.RAX, 0), v[2*i])
			f(mem(reg.RAX, width()), v[2*i+1])
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
		zero(v[i])
	}
	Label(label("steps"))
	MOVQ(mem(reg.RDI, fieldB), reg.RDX)
	if columns.Base != nil {
		ADDQ(columns, reg.RDX)
	}
	MOVQ(mem(reg.RDI, fieldOff), reg.RSI)
	MOVQ(mem(reg.RDI, fieldSteps), reg.RCX)
	Label(label("step"))
	MOVQ(mem(reg.RSI, 0), reg.RAX)
	LEAQ(operand.Mem{Base: reg.R8, Index: reg.RAX, Scale: 4}, reg.RAX)
	step(label, rows)
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

// eachRow calls f for each of rows rows of a at base, with the place of what is at its start; it moves base.
func eachRow(base reg.GPPhysical, rows int, f func(i int, at operand.Mem)) {
	// base is at every third row, the two after it are reached by index.
	for i := range rows {
		at := operand.Mem{Base: base}
		if i%3 > 0 {
			at.Index, at.Scale = reg.R11, uint8(i%3)
		}
		f(i, at)
		if i%3 == 2 && i < rows-1 {
			LEAQ(operand.Mem{Base: base, Index: reg.R11, Scale: 2}, base)
			ADDQ(reg.R11, base)
		}
	}
}

// dotRows is a step by products of pairs: of rows rows of a, from RAX on, whose sums are in the first 2 rows registers. It moves RDX past
// its 16 rows of b, and may use RAX, RBX, R15 and the other registers of vectors.
func dotRows(label func(string) string, rows int) {
	const b0, b1, a0 = 22, 23, 24 // registers beyond the sums
	MOVQ(operand.U32(16), reg.R15)
	Label(label("pair"))
	VMOVUPS(mem(reg.RDX, 0), z[b0])
	VMOVUPS(mem(reg.RDX, 64), z[b1])
	ADDQ(reg.R12, reg.RDX)
	MOVQ(reg.RAX, reg.RBX)
	eachRow(reg.RBX, rows, func(i int, at operand.Mem) {
		a := a0 + i%4
		VPBROADCASTD(at, z[a])
		vdpbf16ps(2*i, a, b0)
		vdpbf16ps(2*i+1, a, b1)
	})
	ADDQ(operand.Imm(4), reg.RAX)
	DECQ(reg.R15)
	JNZ(operand.LabelRef(label("pair")))
}

// Of floatRows: where its numbers are, on the stack, and the register that is 0xffff0000 everywhere.
var (
	floats operand.Mem
	high   reg.VecPhysical
)

// prepareFloats makes them, once in a call.
func prepareFloats(mostRows int) {
	floats = AllocLocal(8)
	room := AllocLocal(mostRows*128 + 64)
	LEAQ(room, reg.RAX)
	ADDQ(operand.Imm(63), reg.RAX)
	ANDQ(operand.I32(-64), reg.RAX) // each row within two cache lines
	MOVQ(reg.RAX, floats)
	high = vectors()[2*mostRows+2]
	VPCMPEQD(reg.Y0, reg.Y0, reg.Y0)
	VPSLLD(operand.Imm(16), reg.Y0, reg.Y0)
	if *isa == "avx2" {
		VMOVAPS(reg.Y0, high)
	} else {
		VBROADCASTSS(reg.X0, high)
	}
}

// floatRows is dotRows by multiply-adds of float32, those of the second halves first, as the instruction of dotRows has it. The numbers of
// the rows are written to the stack as float32 before, the first halves and then the second ones, since one instruction makes a vector
// of them; those of b are made as they are read.
func floatRows(label func(string) string, rows int) {
	v, sums := vectors(), 2*rows
	shift := func(at operand.Mem, to reg.VecPhysical) {
		if *isa == "avx2" {
			VMOVDQU(at, to)
			VPSLLD(operand.Imm(16), to, to)
		} else {
			VPSLLD(operand.Imm(16), at, to)
		}
	}
	b := v[sums : sums+2]
	MOVQ(floats, reg.RBX)
	eachRow(reg.RAX, rows, func(i int, at operand.Mem) {
		for part := 0; part < 64; part += width() {
			at.Disp = part
			shift(at, b[0])
			and(at, high, b[1])
			VMOVAPS(b[0], mem(reg.RBX, 128*i+part))
			VMOVAPS(b[1], mem(reg.RBX, 128*i+64+part))
		}
	})
	var spare []reg.VecPhysical // for a
	for _, r := range v[sums+2:] {
		if r != high {
			spare = append(spare, r)
		}
	}
	MOVQ(operand.U32(16), reg.R15)
	Label(label("pair"))
	for second := 1; second >= 0; second-- {
		for j := range 2 {
			at := mem(reg.RDX, width()*j)
			if second == 1 {
				and(at, high, b[j])
			} else {
				shift(at, b[j])
			}
		}
		for i := range rows {
			a := spare[i%len(spare)]
			VBROADCASTSS(mem(reg.RBX, 128*i+64*second), a)
			VFMADD231PS(b[0], a, v[2*i])
			VFMADD231PS(b[1], a, v[2*i+1])
		}
	}
	ADDQ(reg.R12, reg.RDX)
	ADDQ(operand.Imm(4), reg.RBX)
	DECQ(reg.R15)
	JNZ(operand.LabelRef(label("pair")))
}
