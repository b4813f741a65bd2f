// Command winograd writes the transforms of Winograd's convolution F(4x4, 3x3): dst = L src Lᵀ for a small
// matrix L, on vectors of lanes. ../../winograd_transform.go has the matrices and defines the operands.
package main

import (
	"flag"
	"math"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var isa = flag.String("isa", "", "avx2, avx512 or avx512bf16")

// Offsets of the fields of transformArgs.
const (
	fieldDst    = 8 * 0
	fieldSrc    = 8 * 1
	fieldBias   = 8 * 2
	fieldDstRow = 8 * 3
	fieldDstCol = 8 * 4
	fieldSrcRow = 8 * 5
	fieldSrcCol = 8 * 6
	fieldLanes  = 8 * 7
)

func main() {
	flag.Parse()
	ConstraintExpr("amd64,!purego")
	switch *isa {
	case "avx2", "avx512":
	case "avx512bf16":
		pairs()
		Generate()
		return
	default:
		panic("winograd: -isa avx2, avx512 or avx512bf16")
	}
	transform("winogradInput", 6, 6, input, nothing)
	transform("winogradOutput", 6, 4, output, nothing)
	transform("winogradOutputBias", 6, 4, output, bias)
	transform("winogradOutputAdd", 6, 4, output, old)
	transform("winogradGradient", 4, 6, gradient, nothing)
	transform("winogradWeights", 3, 6, weights, nothing)
	transform("winogradWeightsGradient", 6, 3, weightsGradient, nothing)
	rounding = GLOBL("rounding", RODATA|NOPTR)
	for i, v := range []uint32{1, 0x7fff, 0x400000} {
		for j := range 8 {
			DATA(32*i+4*j, operand.U32(v))
		}
	}
	pairs()
	Generate()
}

// pairs writes the transforms to pairs of bfloat16.
func pairs() {
	transform("winogradInputPairs", 6, 6, input, rounded)
	transform("winogradGradientPairs", 4, 6, gradient, rounded)
}

// What becomes of the result: what is added to it, or that it is rounded to bfloat16.
const (
	nothing = iota
	bias
	old // what dst holds
	rounded
)

// Coefficients: the points that polynomials are evaluated at are 0, ±a, ±b and infinity.
const (
	a = math.Sqrt2 / 2
	b = math.Sqrt2
)

func vec() reg.VecVirtual {
	if *isa == "avx2" {
		return YMM()
	}
	return ZMM()
}

func width() int {
	if *isa == "avx2" {
		return 32
	}
	return 64
}

// line is a product with L of one vector: x has as many elements as L has columns, and store is called
// for each row of L, with a register that may be overwritten.
type line func(x []reg.VecVirtual, store func(i int, v reg.VecVirtual))

// transform writes a function that applies f to every column of in x in vectors and then to every row of the
// result, out x out.
func transform(name string, in, out int, f line, plus int) {
	clear(constants)
	TEXT(name+"_"+*isa, 0, "func(t *byte)") // its frame is too large for NOSPLIT
	Pragma("noescape")
	t := Load(Param("t"), GP64())
	ints := func(field int) reg.GPVirtual {
		r := GP64()
		MOVQ(operand.Mem{Base: t, Disp: field}, r)
		SHLQ(operand.Imm(2), r)
		return r
	}
	load := func(field int) reg.GPVirtual {
		r := GP64()
		MOVQ(operand.Mem{Base: t, Disp: field}, r)
		return r
	}
	// Between the two steps vectors wait on the stack, each within a cache line.
	room := AllocLocal(out*in*width() + width())
	mid := GP64()
	LEAQ(room, mid)
	ADDQ(operand.Imm(uint64(width()-1)), mid)
	ANDQ(operand.I32(-width()), mid)
	at := func(i, j int) operand.Mem { return operand.Mem{Base: mid, Disp: (i*in + j) * width()} }

	dst, src, added := load(fieldDst), load(fieldSrc), load(fieldBias)
	dstRow, dstCol, srcRow, srcCol := ints(fieldDstRow), ints(fieldDstCol), ints(fieldSrcRow), ints(fieldSrcCol)
	n := ints(fieldLanes)
	p := GP64()
	f(nil, nil)
	Label("lanes")
	col := GP64()
	MOVQ(src, col)
	for j := range in {
		MOVQ(col, p)
		x := make([]reg.VecVirtual, in)
		for i := range x {
			x[i] = vec()
			VMOVUPS(operand.Mem{Base: p}, x[i])
			if i < in-1 {
				ADDQ(srcRow, p)
			}
		}
		f(x, func(i int, v reg.VecVirtual) { VMOVAPS(v, at(i, j)) })
		if j < in-1 {
			ADDQ(srcCol, col)
		}
	}
	row := GP64()
	MOVQ(dst, row)
	for i := range out {
		x := make([]reg.VecVirtual, in)
		for j := range x {
			x[j] = vec()
			VMOVAPS(at(i, j), x[j])
		}
		f(x, func(j int, v reg.VecVirtual) {
			if j == 0 {
				MOVQ(row, p)
			} else {
				ADDQ(dstCol, p)
			}
			switch plus {
			case bias:
				VADDPS(operand.Mem{Base: added}, v, v)
			case old:
				VADDPS(operand.Mem{Base: p}, v, v)
			}
			if plus == rounded {
				storeRounded(v, operand.Mem{Base: p})
			} else {
				VMOVUPS(v, operand.Mem{Base: p})
			}
		})
		if i < out-1 {
			ADDQ(dstRow, row)
		}
	}
	bytes := operand.Imm(uint64(width()))
	ADDQ(bytes, src)
	if plus == rounded {
		ADDQ(operand.Imm(uint64(width()/2)), dst)
	} else {
		ADDQ(bytes, dst)
	}
	if plus == bias {
		ADDQ(bytes, added)
	}
	SUBQ(bytes, n)
	JNZ(operand.LabelRef("lanes"))
	VZEROUPPER()
	RET()
}

// rounding holds the words 1, the half of the last bit that stays, less one, and the bit of a quiet NaN, eight times each.
var rounding operand.Mem

// storeRounded stores v as bfloat16, rounded to nearest even.
func storeRounded(v reg.VecVirtual, at operand.Mem) {
	if *isa == "avx512bf16" {
		// Neither avo nor Go's assembler knows the instruction that rounds, so it goes by way of fixed registers.
		VMOVAPS(v, reg.Z31)
		Comment("vcvtneps2bf16 %zmm31,%ymm31") // TestEncodings in ../../encoding_test.go holds the bytes to this
		for _, b := range []byte{0x62, 0x02, 0x7e, 0x48, 0x72, 0xff} {
			Instruction(&ir.Instruction{Opcode: "BYTE", Operands: []operand.Op{operand.U8(b)}})
		}
		VMOVDQU32(reg.Y31, at)
		return
	}
	word := func(i int) operand.Mem {
		m := rounding
		m.Disp = i * 32
		return m
	}
	sum := vec()
	VPSRLD(operand.Imm(16), v, sum)
	if *isa == "avx2" {
		VPAND(word(0), sum, sum)
		VPADDD(word(1), sum, sum)
		VPADDD(v, sum, sum)
		isNaN := vec()
		VCMPPS(operand.Imm(3), v, v, isNaN)
		VPOR(word(2), v, v)
		VPBLENDVB(isNaN, v, sum, sum)
		VPSRLD(operand.Imm(16), sum, sum)
		VPACKUSDW(sum, sum, sum) // each lane twice
		VPERMQ(operand.Imm(0x08), sum, sum)
		VMOVDQU(sum.AsX(), at)
		return
	}
	isNaN := K()
	VPANDD_BCST(word(0), sum, sum)
	VPADDD_BCST(word(1), sum, sum)
	VPADDD(v, sum, sum)
	VCMPPS(operand.Imm(3), v, v, isNaN)
	VPORD_BCST(word(2), v, isNaN, sum)
	VPSRLD(operand.Imm(16), sum, sum)
	VPMOVDW(sum, at)
}

var constants = map[float64]reg.VecVirtual{}

// constant returns a vector of c.
func constant(c float64) reg.VecVirtual {
	v, ok := constants[c]
	if !ok {
		v = vec()
		bits, x := GP32(), XMM()
		MOVL(operand.U32(math.Float32bits(float32(c))), bits)
		VMOVD(bits, x)
		VBROADCASTSS(x, v)
		constants[c] = v
	}
	return v
}

// combine returns x0 c0 + x1 c1 + ...
func combine(terms ...term) reg.VecVirtual {
	sum := vec()
	if terms[0].c == 1 {
		VMOVAPS(terms[0].x, sum)
	} else {
		VMULPS(terms[0].x, constant(terms[0].c), sum)
	}
	for _, t := range terms[1:] {
		switch {
		case t.c == 1:
			VADDPS(t.x, sum, sum)
		case t.c == -1:
			VSUBPS(t.x, sum, sum)
		case t.c < 0:
			VFNMADD231PS(t.x, constant(-t.c), sum)
		default:
			VFMADD231PS(t.x, constant(t.c), sum)
		}
	}
	return sum
}

type term struct {
	x reg.VecVirtual
	c float64
}

// pair stores even + odd as row i and even - odd as row i+1: those of two points that differ in sign.
func pair(i int, even, odd reg.VecVirtual, store func(int, reg.VecVirtual)) {
	sum := vec()
	VADDPS(odd, even, sum)
	VSUBPS(odd, even, even)
	store(i, sum)
	store(i+1, even)
}

// sides returns x + y and x - y.
func sides(x, y reg.VecVirtual) (sum, difference reg.VecVirtual) {
	sum, difference = vec(), vec()
	VADDPS(y, x, sum)
	VSUBPS(y, x, difference)
	return sum, difference
}

// preload makes constants before the loop that uses them, where a line is called without vectors.
func preload(cs ...float64) {
	for _, c := range cs {
		constant(c)
	}
}

// input is Bᵀ.
func input(d []reg.VecVirtual, store func(int, reg.VecVirtual)) {
	if d == nil {
		preload(2.5, 2, 0.5, a, b)
		return
	}
	store(0, combine(term{d[0], 1}, term{d[2], -2.5}, term{d[4], 1}))
	pair(1, combine(term{d[4], 1}, term{d[2], -2}), combine(term{d[3], a}, term{d[1], -b}), store)
	pair(3, combine(term{d[4], 1}, term{d[2], -0.5}), combine(term{d[3], b}, term{d[1], -a}), store)
	store(5, combine(term{d[1], 1}, term{d[3], -2.5}, term{d[5], 1}))
}

// output is Aᵀ.
func output(m []reg.VecVirtual, store func(int, reg.VecVirtual)) {
	if m == nil {
		preload(2, 0.5, a, b, a/2, 2*b)
		return
	}
	s1, t1 := sides(m[1], m[2])
	s2, t2 := sides(m[3], m[4])
	store(0, combine(term{m[0], 1}, term{s1, 1}, term{s2, 1}))
	store(1, combine(term{t1, a}, term{t2, b}))
	store(2, combine(term{s1, 0.5}, term{s2, 2}))
	store(3, combine(term{m[5], 1}, term{t1, a / 2}, term{t2, 2 * b}))
}

// gradient is A.
func gradient(y []reg.VecVirtual, store func(int, reg.VecVirtual)) {
	if y == nil {
		preload(2, 0.5, a, b, a/2, 2*b)
		return
	}
	store(0, combine(term{y[0], 1}))
	pair(1, combine(term{y[0], 1}, term{y[2], 0.5}), combine(term{y[1], a}, term{y[3], a / 2}), store)
	pair(3, combine(term{y[0], 1}, term{y[2], 2}), combine(term{y[1], b}, term{y[3], 2 * b}), store)
	store(5, combine(term{y[3], 1}))
}

// weights is G.
func weights(g []reg.VecVirtual, store func(int, reg.VecVirtual)) {
	if g == nil {
		preload(2./3, 1./3, 1./6, a*2/3, b/6)
		return
	}
	minus := vec() // -(2 g0 + g2)/3
	VXORPS(minus, minus, minus)
	VFNMADD231PS(g[0], constant(2./3), minus)
	VFNMADD231PS(g[2], constant(1./3), minus)
	odd := combine(term{g[1], a * 2 / 3})
	store(0, combine(term{g[0], 1}))
	difference := vec()
	VSUBPS(odd, minus, difference)
	VADDPS(odd, minus, minus)
	store(1, difference)
	store(2, minus)
	pair(3, combine(term{g[0], 1. / 6}, term{g[2], 1. / 3}), combine(term{g[1], b / 6}), store)
	store(5, combine(term{g[2], 1}))
}

// weightsGradient is Gᵀ.
func weightsGradient(u []reg.VecVirtual, store func(int, reg.VecVirtual)) {
	if u == nil {
		preload(2./3, 1./3, 1./6, a*2/3, b/6)
		return
	}
	s1, t1 := sides(u[1], u[2])
	s2, t2 := sides(u[3], u[4])
	store(0, combine(term{u[0], 1}, term{s1, -2. / 3}, term{s2, 1. / 6}))
	store(1, combine(term{t2, b / 6}, term{t1, -a * 2 / 3}))
	store(2, combine(term{u[5], 1}, term{s1, -1. / 3}, term{s2, 1. / 3}))
}
