package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
)

// Neither avo nor Go's assembler knows AVX512-BF16 and AMX; these functions emit their bytes.

// emit writes an instruction's bytes below the instruction as objdump prints it, to which TestEncodings in
// ../../encoding_test.go holds them.
func emit(instruction string, code ...byte) {
	build.Comment(instruction)
	for _, b := range code {
		build.Instruction(&ir.Instruction{Opcode: "BYTE", Operands: []operand.Op{operand.U8(b)}})
	}
}

// Mandatory prefixes as EVEX and VEX number them.
const (
	prefixF3 = 2
	prefixF2 = 3
)

// evex emits a 512-bit instruction of opcode map 0F38 on vector registers: reg, vvvv and rm of the manual.
func evex(name string, prefix, opcode byte, reg, vvvv, rm int) {
	not := func(n, bit int) byte { return byte(^n>>bit) & 1 }
	emit(fmt.Sprintf("%s %%zmm%d,%%zmm%d,%%zmm%d", name, rm, vvvv, reg), 0x62,
		not(reg, 3)<<7|not(rm, 4)<<6|not(rm, 3)<<5|not(reg, 4)<<4|2,
		byte(^vvvv&15)<<3|4|prefix,
		2<<5|not(vvvv, 4)<<3,
		opcode,
		byte(3<<6|reg&7<<3|rm&7))
}

// vdpbf16ps: z[acc] += products of z[a] and z[b], pair by pair.
func vdpbf16ps(acc, a, b int) { evex("vdpbf16ps", prefixF3, 0x52, acc, a, b) }

// vcvtne2ps2bf16: z[dst] = 16 floats of z[low], rounded, then 16 of z[high].
func vcvtne2ps2bf16(dst, high, low int) { evex("vcvtne2ps2bf16", prefixF2, 0x72, dst, high, low) }

// Numbers of general registers, and their names.
const (
	rax = 0
	rdx = 2
	r10 = 10
	r11 = 11
	r12 = 12
	r13 = 13
	r15 = 15
)

var general = map[int]string{rax: "rax", rdx: "rdx", r10: "r10", r11: "r11", r12: "r12", r13: "r13", r15: "r15"}

// tile emits an instruction that moves a tile from or to rows at base + disp with the stride index.
func tile(format string, prefix byte, t, base, index int, disp int8) {
	not := func(n int) byte { return byte(^n>>3) & 1 }
	at := fmt.Sprintf("%#x(%%%s,%%%s,1)", disp, general[base], general[index])
	emit(fmt.Sprintf(format, at, t), 0xc4, 1<<7|not(index)<<6|not(base)<<5|2, 0x78|prefix, 0x4b,
		byte(1<<6|t<<3|4), byte(index&7<<3|base&7), byte(disp))
}

func tileload(t, base, index int, disp int8) {
	tile("tileloadd %[1]s,%%tmm%[2]d", prefixF2, t, base, index, disp)
}

func tilestore(t, base, index int, disp int8) {
	tile("tilestored %%tmm%[2]d,%[1]s", prefixF3, t, base, index, disp)
}

func tilezero(t int) {
	emit(fmt.Sprintf("tilezero %%tmm%d", t), 0xc4, 0xe2, 0x7b, 0x49, byte(3<<6|t<<3))
}
func tilerelease() { emit("tilerelease", 0xc4, 0xe2, 0x78, 0x49, 0xc0) }

// ldtilecfg reads the configuration at RAX.
func ldtilecfg() { emit("ldtilecfg (%rax)", 0xc4, 0xe2, 0x78, 0x49, 0x00) }

// tdpbf16ps: tile acc += tile a times tile b.
func tdpbf16ps(acc, a, b int) {
	emit(fmt.Sprintf("tdpbf16ps %%tmm%d,%%tmm%d,%%tmm%d", b, a, acc), 0xc4, 0xe2, byte(^b&15)<<3|prefixF3, 0x5c, byte(3<<6|acc<<3|a))
}
