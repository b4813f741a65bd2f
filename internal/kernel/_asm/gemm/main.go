// Command gemm writes the micro-kernels of the matrix products and
// convolutions: one function for each number of rows, all of the form
//
//	c[i*ldc+j] (= bias[j] | +=) sum over img, seg, k of a[i*aRow + k*aK] * b[k*bK + j]
//
// where a and b move on by aSeg and bSeg after each segment of k and a by aNext
// after each image. See tile in ../../tile.go for the fields.
package main

import (
	"flag"
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var isa = flag.String("isa", "", "avx2 or avx512")

// Offsets of the fields of tile.
const (
	fieldA     = 0
	fieldB     = 24
	fieldC     = 48
	fieldBias  = 72
	fieldInts  = 96
	fieldARow  = fieldInts + 8*0
	fieldAK    = fieldInts + 8*1
	fieldASeg  = fieldInts + 8*2
	fieldANext = fieldInts + 8*3
	fieldBK    = fieldInts + 8*4
	fieldBSeg  = fieldInts + 8*5
	fieldLDC   = fieldInts + 8*6
	fieldK     = fieldInts + 8*7
	fieldSegs  = fieldInts + 8*8
	fieldImgs  = fieldInts + 8*9
	fieldCols  = fieldInts + 8*10
	fieldAdd   = fieldInts + 8*11
)

func main() {
	flag.Parse()
	ConstraintExpr("amd64,!purego")
	var rows int
	switch *isa {
	case "avx2":
		rows = 6
	case "avx512":
		rows = 14
	default:
		panic("gemm: -isa avx2 or avx512")
	}
	for m := 1; m <= rows; m++ {
		kernel(m)
	}
	peak()
	Generate()
}

func vec() reg.VecVirtual {
	if *isa == "avx2" {
		return YMM()
	}
	return ZMM()
}

func vecBytes() int {
	if *isa == "avx2" {
		return 32
	}
	return 64
}

// ints loads a field that counts floats, as bytes.
func ints(t reg.Register, field int) reg.GPVirtual {
	r := GP64()
	MOVQ(operand.Mem{Base: t, Disp: field}, r)
	SHLQ(operand.Imm(2), r)
	return r
}

func kernel(rows int) {
	TEXT(fmt.Sprintf("tile%d_%s", rows, *isa), NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	t := Load(Param("t"), GP64())
	mem := func(field int) operand.Mem { return operand.Mem{Base: t, Disp: field} }

	acc := make([][2]reg.VecVirtual, rows)
	for i := range acc {
		acc[i] = [2]reg.VecVirtual{vec(), vec()}
	}
	start(rows, t, acc)

	a, b := GP64(), GP64()
	MOVQ(mem(fieldA), a)
	MOVQ(mem(fieldB), b)
	aRow, aK, bK := ints(t, fieldARow), ints(t, fieldAK), ints(t, fieldBK)
	imgs := AllocLocal(8)
	segs := GP64()
	n := GP64()
	MOVQ(mem(fieldImgs), n)
	MOVQ(n, imgs)

	label := func(s string) string { return fmt.Sprintf("%s%d", s, rows) }
	Label(label("image"))
	MOVQ(mem(fieldSegs), segs)
	Label(label("segment"))
	// Every third row has a register; the two below it are reached by index.
	base := make([]reg.GPVirtual, (rows+2)/3)
	for g := range base {
		base[g] = GP64()
		if g == 0 {
			MOVQ(a, base[g])
		} else {
			LEAQ(operand.Mem{Base: base[g-1], Index: aRow, Scale: 2}, base[g])
			ADDQ(aRow, base[g])
		}
	}
	bp := GP64()
	MOVQ(b, bp)
	MOVQ(mem(fieldK), n)
	Label(label("k"))
	bv := [2]reg.VecVirtual{vec(), vec()}
	VMOVUPS(operand.Mem{Base: bp}, bv[0])
	VMOVUPS(operand.Mem{Base: bp, Disp: vecBytes()}, bv[1])
	for i := range rows {
		x := vec()
		m := operand.Mem{Base: base[i/3]}
		if i%3 > 0 {
			m.Index, m.Scale = aRow, uint8(i%3)
		}
		VBROADCASTSS(m, x)
		VFMADD231PS(x, bv[0], acc[i][0])
		VFMADD231PS(x, bv[1], acc[i][1])
	}
	for _, p := range base {
		ADDQ(aK, p)
	}
	ADDQ(bK, bp)
	DECQ(n)
	JNZ(operand.LabelRef(label("k")))

	step := func(p reg.GPVirtual, field int) {
		s := ints(t, field)
		ADDQ(s, p)
	}
	step(a, fieldASeg)
	step(b, fieldBSeg)
	DECQ(segs)
	JNZ(operand.LabelRef(label("segment")))
	step(a, fieldANext)
	DECQ(imgs)
	JNZ(operand.LabelRef(label("image")))

	finish(rows, t, acc)
	VZEROUPPER()
	RET()
}

// start sets the accumulators to zero, or each row to the bias.
func start(rows int, t reg.Register, acc [][2]reg.VecVirtual) {
	bias := GP64()
	MOVQ(operand.Mem{Base: t, Disp: fieldBias}, bias)
	for h := range 2 {
		VXORPS(acc[0][h], acc[0][h], acc[0][h])
	}
	none := fmt.Sprintf("nobias%d", rows)
	TESTQ(bias, bias)
	JZ(operand.LabelRef(none))
	m := masks(t)
	for h := range 2 {
		m.load(operand.Mem{Base: bias, Disp: h * vecBytes()}, acc[0][h], h)
	}
	Label(none)
	for i := 1; i < rows; i++ {
		for h := range 2 {
			VMOVAPS(acc[0][h], acc[i][h])
		}
	}
}

// finish stores the accumulators, added to what is there if the tile says so.
func finish(rows int, t reg.Register, acc [][2]reg.VecVirtual) {
	c, ldc, add := GP64(), ints(t, fieldLDC), GP64()
	MOVQ(operand.Mem{Base: t, Disp: fieldC}, c)
	MOVQ(operand.Mem{Base: t, Disp: fieldAdd}, add)
	m := masks(t)
	store := fmt.Sprintf("store%d", rows)
	TESTQ(add, add)
	JZ(operand.LabelRef(store))
	old, p := vec(), GP64()
	MOVQ(c, p)
	for i := range rows {
		for h := range 2 {
			at := operand.Mem{Base: p, Disp: h * vecBytes()}
			m.load(at, old, h)
			VADDPS(old, acc[i][h], acc[i][h])
		}
		ADDQ(ldc, p)
	}
	Label(store)
	for i := range rows {
		for h := range 2 {
			m.store(acc[i][h], operand.Mem{Base: c, Disp: h * vecBytes()}, h)
		}
		if i < rows-1 {
			ADDQ(ldc, c)
		}
	}
}

// columns masks a tile's two vectors to its first cols columns.
type columns struct {
	k [2]reg.OpmaskVirtual
	y [2]reg.VecVirtual
}

func masks(t reg.Register) columns {
	var m columns
	cols := GP64()
	MOVQ(operand.Mem{Base: t, Disp: fieldCols}, cols)
	if *isa == "avx2" {
		table := ones()
		p := GP64()
		LEAQ(table, p)
		NEGQ(cols)
		for h := range 2 {
			m.y[h] = YMM()
			VMOVUPS(operand.Mem{Base: p, Index: cols, Scale: 4, Disp: 64 + 32*h}, m.y[h])
		}
		return m
	}
	// (1 << cols) - 1, split into two masks of 16 bits.
	x := GP64()
	MOVQ(cols, reg.RCX)
	MOVQ(operand.U32(1), x)
	SHLQ(reg.CL, x)
	DECQ(x)
	for h := range 2 {
		m.k[h] = K()
		KMOVW(x.As32(), m.k[h])
		if h == 0 {
			SHRQ(operand.Imm(16), x)
		}
	}
	return m
}

func (m columns) load(at operand.Mem, v reg.VecVirtual, half int) {
	if *isa == "avx2" {
		VMASKMOVPS(at, m.y[half], v)
		return
	}
	VMOVUPS_Z(at, m.k[half], v)
}

func (m columns) store(v reg.VecVirtual, at operand.Mem, half int) {
	if *isa == "avx2" {
		VMASKMOVPS(v, m.y[half], at)
		return
	}
	VMOVUPS(v, m.k[half], at)
}

var onesTable *operand.Mem

// ones returns 16 words of all ones followed by 16 of zero.
func ones() operand.Mem {
	if onesTable == nil {
		m := GLOBL("columns_avx2", RODATA|NOPTR)
		for i := range 32 {
			var w operand.U32
			if i < 16 {
				w = 0xffffffff
			}
			DATA(4*i, w)
		}
		onesTable = &m
	}
	return *onesTable
}

// peak writes a loop of independent multiply-adds on registers: what the
// kernels' share of the machine is measured against.
func peak() {
	const chains = 10
	TEXT("fma_"+*isa, NOSPLIT, "func(n int)")
	n := Load(Param("n"), GP64())
	acc := make([]reg.VecVirtual, chains)
	for i := range acc {
		acc[i] = vec()
		VXORPS(acc[i], acc[i], acc[i])
	}
	x := vec()
	VXORPS(x, x, x)
	Label("fma")
	for i := range acc {
		VFMADD231PS(x, x, acc[i])
	}
	DECQ(n)
	JNZ(operand.LabelRef("fma"))
	VZEROUPPER()
	RET()
}
