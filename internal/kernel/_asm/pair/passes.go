package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// round: dst[i/2] = pairs of src[i], rounded to nearest even; n a multiple of 32.
func round() {
	TEXT("roundPairs_"+*isa, NOSPLIT, "func(dst *uint32, src *float32, n int)")
	Pragma("noescape")
	dst, src, n := Load(Param("dst"), reg.RDI), Load(Param("src"), reg.RSI), Load(Param("n"), reg.RCX)
	prepareRounding()
	Label("round")
	storeRounded(reg.RSI, reg.RDI)
	ADDQ(operand.Imm(128), src)
	ADDQ(operand.Imm(64), dst)
	SUBQ(operand.Imm(32), n)
	JNZ(operand.LabelRef("round"))
	VZEROUPPER()
	RET()
}

// interleave: of pixels 2k and 2k+1 of src, words words each, one pair a channel; count pairs of pixels.
func interleave() {
	v := vectors()
	p, q, out := v[0], v[1], v[2:4]
	mix := func() { // p and q to out
		VPUNPCKLWD(q, p, v[4]) // channels 0 to 3 of both lanes
		VPUNPCKHWD(q, p, v[5]) // 4 to 7
		VPERM2I128(operand.Imm(0x20), v[5], v[4], out[0])
		VPERM2I128(operand.Imm(0x31), v[5], v[4], out[1])
	}
	var table operand.Mem
	if *isa == "avx512" {
		// Words 0 to 15 of both sources alternate in the first half, 16 to 31 in the second.
		table = GLOBL("interleaveIndex", RODATA|NOPTR)
		for i := range 64 {
			DATA(2*i, operand.U16(i/2+i%2*32))
		}
		mix = func() {
			for h, o := range out {
				VMOVDQA64(v[30+h], o)
				VPERMI2W(q, p, o)
			}
		}
	}
	TEXT("interleavePairs_"+*isa, NOSPLIT, "func(dst, src *uint32, words, count int)")
	Pragma("noescape")
	Load(Param("dst"), reg.RDI)
	Load(Param("src"), reg.RSI)
	Load(Param("words"), reg.RDX)
	Load(Param("count"), reg.RCX)
	if *isa == "avx512" {
		LEAQ(table, reg.RAX)
		VMOVDQU16(mem(reg.RAX, 0), v[30])
		VMOVDQU16(mem(reg.RAX, 64), v[31])
	}
	SHLQ(operand.Imm(2), reg.RDX) // bytes of a pixel
	Label("pixels")
	XORQ(reg.RAX, reg.RAX)
	LEAQ(operand.Mem{Base: reg.RSI, Index: reg.RDX, Scale: 1}, reg.RBX)
	Label("channels")
	VMOVUPS(operand.Mem{Base: reg.RSI, Index: reg.RAX, Scale: 1}, p)
	VMOVUPS(operand.Mem{Base: reg.RBX, Index: reg.RAX, Scale: 1}, q)
	mix()
	for h, o := range out {
		VMOVUPS(o, operand.Mem{Base: reg.RDI, Index: reg.RAX, Scale: 2, Disp: width() * h})
	}
	ADDQ(operand.Imm(uint64(width())), reg.RAX)
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
	beginTranspose()
	Label("block")
	for j := range 16 {
		VMOVUPS(mem(reg.RSI, 0), z[j])
		ADDQ(reg.RCX, reg.RSI)
	}
	// Four rounds exchange bits of row and column: single words, then two, four and eight.
	a, b := z[:16], z[16:]
	transposeLanes(a, b)
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

// beginTranspose loads the operands of both kinds: distances as bytes.
func beginTranspose() {
	TEXT("transposePairs_"+*isa, NOSPLIT, "func(dst, src *uint32, dstRow, srcRow, blocks int)")
	Pragma("noescape")
	Load(Param("dst"), reg.RDI)
	Load(Param("src"), reg.RSI)
	Load(Param("dstRow"), reg.RDX)
	Load(Param("srcRow"), reg.RCX)
	Load(Param("blocks"), reg.RBX)
	SHLQ(operand.Imm(2), reg.RDX)
	SHLQ(operand.Imm(2), reg.RCX)
}

// transposeLanes transposes, in each lane of four words, rows 4q to 4q+3 of a: a[4q+c] then holds their column c of the lane. b is room for as many vectors.
func transposeLanes(a, b []reg.VecPhysical) {
	for j := range len(a) / 2 { // rows 2j and 2j+1
		VUNPCKLPS(a[2*j+1], a[2*j], b[2*j])
		VUNPCKHPS(a[2*j+1], a[2*j], b[2*j+1])
	}
	for q := range len(a) / 4 {
		r := b[4*q:]
		VUNPCKLPD(r[2], r[0], a[4*q])
		VUNPCKHPD(r[2], r[0], a[4*q+1])
		VUNPCKLPD(r[3], r[1], a[4*q+2])
		VUNPCKHPD(r[3], r[1], a[4*q+3])
	}
}

// transpose8 is transpose by squares of 8 words, of which a block has two by two.
func transpose8() {
	beginTranspose()
	SHLQ(operand.Imm(1), reg.RBX) // of 8 rows of src
	a, b := y[:8], y[8:]
	Label("block")
	MOVQ(reg.RDI, reg.R8)
	for half := range 2 {
		MOVQ(reg.RSI, reg.RAX)
		for j := range 8 {
			VMOVUPS(mem(reg.RAX, 32*half), a[j])
			if j < 7 {
				ADDQ(reg.RCX, reg.RAX)
			}
		}
		transposeLanes(a, b)
		for c := range 4 { // the first lanes hold column c, the second ones column 4+c
			VPERM2F128(operand.Imm(0x20), a[4+c], a[c], b[c])
			VPERM2F128(operand.Imm(0x31), a[4+c], a[c], b[4+c])
		}
		for i := range 8 {
			VMOVUPS(b[i], mem(reg.R8, 0))
			ADDQ(reg.RDX, reg.R8)
		}
	}
	LEAQ(operand.Mem{Base: reg.RSI, Index: reg.RCX, Scale: 8}, reg.RSI)
	ADDQ(operand.Imm(32), reg.RDI)
	DECQ(reg.RBX)
	JNZ(operand.LabelRef("block"))
	VZEROUPPER()
	RET()
}

// rowsOut: dst[p*ldc+j] (= src[32p+j] + bias[j] | += src[32p+j]) for j < 32, bias nil for 0.
func rowsOut() {
	TEXT("rowsOut_"+*isa, NOSPLIT, "func(dst, src, bias *float32, pixels, ldc, add int)")
	Pragma("noescape")
	Load(Param("dst"), reg.RDI)
	Load(Param("src"), reg.RSI)
	Load(Param("bias"), reg.RBX)
	Load(Param("pixels"), reg.RCX)
	Load(Param("ldc"), reg.RDX)
	Load(Param("add"), reg.RAX)
	SHLQ(operand.Imm(2), reg.RDX)
	v, n := vectors(), 128/width()
	loop := func(label string, plus func(i int) operand.Op) {
		Label(label)
		for i := range n {
			VMOVUPS(mem(reg.RSI, i*width()), v[i])
		}
		for i := range n {
			VADDPS(plus(i), v[i], v[i])
		}
		for i := range n {
			VMOVUPS(v[i], mem(reg.RDI, i*width()))
		}
		ADDQ(operand.Imm(128), reg.RSI)
		ADDQ(reg.RDX, reg.RDI)
		DECQ(reg.RCX)
		JNZ(operand.LabelRef(label))
		VZEROUPPER()
		RET()
	}
	TESTQ(reg.RAX, reg.RAX)
	JNZ(operand.LabelRef("add"))
	for i := range n {
		zero(v[n+i])
	}
	TESTQ(reg.RBX, reg.RBX)
	JZ(operand.LabelRef("set"))
	for i := range n {
		VMOVUPS(mem(reg.RBX, i*width()), v[n+i])
	}
	loop("set", func(i int) operand.Op { return v[n+i] })
	loop("add", func(i int) operand.Op { return mem(reg.RDI, i*width()) })
}

// expand: dst[i] is number i of the pairs src; n is a multiple of 16.
func expand() {
	TEXT("expandPairs_"+*isa, NOSPLIT, "func(dst *float32, src *uint32, n int)")
	Pragma("noescape")
	dst, src, n := Load(Param("dst"), reg.RDI), Load(Param("src"), reg.RSI), Load(Param("n"), reg.RCX)
	Label("expand")
	for at := 0; at < 64; at += width() {
		v := vectors()[0]
		VPMOVZXWD(mem(reg.RSI, at/2), v)
		VPSLLD(operand.Imm(16), v, v)
		VMOVUPS(v, mem(reg.RDI, at))
	}
	ADDQ(operand.Imm(32), src)
	ADDQ(operand.Imm(64), dst)
	SUBQ(operand.Imm(16), n)
	JNZ(operand.LabelRef("expand"))
	VZEROUPPER()
	RET()
}

// roundRowsOut: the pixel at dst[p*ldc] is src[32p] to src[32p+31], rounded to nearest even.
func roundRowsOut() {
	TEXT("roundRowsOut_"+*isa, NOSPLIT, "func(dst *uint32, src *float32, pixels, ldc int)")
	Pragma("noescape")
	Load(Param("dst"), reg.RDI)
	Load(Param("src"), reg.RSI)
	Load(Param("pixels"), reg.RCX)
	Load(Param("ldc"), reg.RDX)
	SHLQ(operand.Imm(2), reg.RDX)
	prepareRounding()
	Label("pixel")
	storeRounded(reg.RSI, reg.RDI)
	ADDQ(operand.Imm(128), reg.RSI)
	ADDQ(reg.RDX, reg.RDI)
	DECQ(reg.RCX)
	JNZ(operand.LabelRef("pixel"))
	VZEROUPPER()
	RET()
}

// Registers of what rounding in integers needs, in every word.
func one() reg.VecPhysical   { return vectors()[13] }
func half() reg.VecPhysical  { return vectors()[14] } // of the last bit that stays, less one
func quiet() reg.VecPhysical { return vectors()[15] }

// prepareRounding fills them, where there is no instruction that rounds.
func prepareRounding() {
	if *isa == "avx512bf16" {
		return
	}
	for i, w := range []uint32{1, 0x7fff, 0x400000} {
		v := vectors()[13+i]
		MOVL(operand.U32(w), reg.EAX)
		VMOVD(reg.EAX, reg.X0)
		VPBROADCASTD(reg.X0, v)
	}
}

// storeRounded writes the 32 numbers at src, rounded to nearest even, to dst.
func storeRounded(src, dst reg.GPPhysical) {
	if *isa == "avx512bf16" {
		VMOVUPS(mem(src, 0), z[0])
		VMOVUPS(mem(src, 64), z[1])
		vcvtne2ps2bf16(2, 1, 0)
		VMOVUPS(z[2], mem(dst, 0))
		return
	}
	v := vectors()
	for i := range 128 / width() {
		x, sum := v[3*i], v[3*i+1]
		VMOVUPS(mem(src, width()*i), x)
		VPSRLD(operand.Imm(16), x, sum)
		and(one(), sum, sum)
		VPADDD(half(), sum, sum)
		VPADDD(x, sum, sum)
		if *isa == "avx2" {
			isNaN := v[3*i+2]
			VCMPPS(operand.Imm(3), x, x, isNaN)
			VPOR(quiet(), x, x)
			VPBLENDVB(isNaN, x, sum, sum)
			VPSRLD(operand.Imm(16), sum, sum)
			if i%2 == 1 {
				VPACKUSDW(sum, v[3*i-2], sum) // lanes of both alternate
				VPERMQ(operand.Imm(0xd8), sum, sum)
				VMOVDQU(sum, mem(dst, 32*(i/2)))
			}
			continue
		}
		VCMPPS(operand.Imm(3), x, x, reg.K1)
		VPORD(quiet(), x, reg.K1, sum)
		VPSRLD(operand.Imm(16), sum, sum)
		VPMOVDW(sum, mem(dst, 32*i))
	}
}
