package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A block's 32 rows are taken as 11, 11 and 10, whose sums fit the registers.
const mostRows = 11

// rowsTile writes pairTile for registers of vectors; step writes one step of rows rows from RAX on, whose sums are in
// the first 2 rows registers, and moves RDX past its 16 rows of b. It may use RAX, RBX, R15 and the other registers of vectors.
func rowsTile(step func(label func(string) string, rows int)) {
	TEXT("pairTile_"+*isa, 0, "func(t *byte)")
	Pragma("noescape")
	left, first := AllocLocal(8), AllocLocal(8) // rows left, the first row of this block
	Load(Param("t"), reg.RDI)
	prepare()
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
	for i, rows := range []int{mostRows, mostRows, 32 - 2*mostRows} {
		someRows(i, rows, step)
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

// someRows writes the sums of rows rows from R8 on to R14, and moves both past them.
func someRows(part, rows int, step func(label func(string) string, rows int)) {
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

// eachRow calls f for each of rows rows at base, with the place of what is at its start; it moves base.
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

// dotRows is a step by products of pairs.
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

// high is the register of multiplyRows that is 0xffff0000 everywhere.
const high = 26

// floats is the address of multiplyRows' numbers on the stack.
var floats operand.Mem

// prepare writes what a step needs once in a call.
func prepare() {
	if *isa != "avx512" {
		return
	}
	floats = AllocLocal(8)
	room := AllocLocal(mostRows*128 + 64)
	LEAQ(room, reg.RAX)
	ADDQ(operand.Imm(63), reg.RAX)
	ANDQ(operand.I32(-64), reg.RAX) // each within a cache line
	MOVQ(reg.RAX, floats)
	VPTERNLOGD(operand.Imm(0xff), z[high], z[high], z[high])
	VPSLLD(operand.Imm(16), z[high], z[high])
}

// multiplyRows is a step by multiply-adds of float32, those of the second halves first, as dotRows' instruction has it. The numbers of
// the rows are written to the stack as float32 first, since that takes one instruction for 16 of them; those of b are
// made while they are read.
func multiplyRows(label func(string) string, rows int) {
	const (
		first, second = 22, 24 // registers of the halves of b, two each
		a0            = 27     // and of a
	)
	MOVQ(floats, reg.RBX)
	eachRow(reg.RAX, rows, func(i int, at operand.Mem) {
		VPSLLD(operand.Imm(16), at, z[a0])
		VPANDD(at, z[high], z[a0+1])
		VMOVAPS(z[a0], mem(reg.RBX, 128*i))
		VMOVAPS(z[a0+1], mem(reg.RBX, 128*i+64))
	})
	MOVQ(operand.U32(16), reg.R15)
	Label(label("pair"))
	for j := range 2 {
		VPANDD(mem(reg.RDX, 64*j), z[high], z[second+j])
		VPSLLD(operand.Imm(16), mem(reg.RDX, 64*j), z[first+j])
	}
	ADDQ(reg.R12, reg.RDX)
	for half, b := range []int{second, first} {
		for i := range rows {
			a := a0 + i%5
			VBROADCASTSS(mem(reg.RBX, 128*i+64*(1-half)), z[a])
			VFMADD231PS(z[b], z[a], z[2*i])
			VFMADD231PS(z[b+1], z[a], z[2*i+1])
		}
	}
	ADDQ(operand.Imm(4), reg.RBX)
	DECQ(reg.R15)
	JNZ(operand.LabelRef(label("pair")))
}
