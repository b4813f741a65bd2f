// Command softmax writes the kernels that go through a matrix of logits, a row for
// each class and a column for each sample. They serve column counts that are
// multiples of the vector length; softmaxArgs in ../../softmax.go defines
// the operands, and the generic functions there the results.
package main

import (
	"flag"
	"math"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var isa = flag.String("isa", "", "avx2 or avx512")

// Offsets of the fields of softmaxArgs.
const (
	fieldOut    = 0
	fieldX      = 8
	fieldY      = 16
	fieldScale  = 24
	fieldShift  = 32
	fieldCol    = 40
	fieldSum    = 48
	fieldRows   = 56
	fieldCols   = 64
	fieldStride = 72
	fieldFactor = 80
)

func main() {
	flag.Parse()
	ConstraintExpr("amd64,!purego")
	if *isa != "avx2" && *isa != "avx512" {
		panic("softmax: -isa avx2 or avx512")
	}
	constants()
	scaleRows()
	maxRows()
	sumExpRows()
	softmaxRows()
	dotRows()
	addScaledRows()
	Generate()
}

func wide() bool { return *isa == "avx512" }

func vec() reg.VecVirtual {
	if wide() {
		return ZMM()
	}
	return YMM()
}

func bytes() uint64 {
	if wide() {
		return 64
	}
	return 32
}

// Constants of e^x, as exp32 in ../../exp.go has them, each a whole vector.
var values = []struct {
	name string
	v    float32
}{
	{"low", -87}, {"log2e", math.Log2E}, {"ln2Hi", 0.693359375}, {"ln2Lo", -2.12194440e-4},
	{"c6", 1. / 720}, {"c5", 1. / 120}, {"c4", 1. / 24}, {"c3", 1. / 6}, {"c2", 1. / 2}, {"one", 1},
}

var constant = map[string]operand.Mem{}

func constants() {
	for _, c := range values {
		constant[c.name] = GLOBL("exp_"+c.name+"_"+*isa, RODATA|NOPTR)
		for i := range int(bytes() / 4) {
			DATA(4*i, operand.U32(math.Float32bits(c.v)))
		}
	}
}

// exponent is e^x with its constants in registers where there are enough.
type exponent map[string]operand.Op

func newExponent() exponent {
	e := exponent{}
	for _, c := range values {
		if !wide() {
			e[c.name] = constant[c.name]
			continue
		}
		r := vec()
		VMOVUPS(constant[c.name], r)
		e[c.name] = r
	}
	return e
}

// of returns e^v. v is kept.
func (e exponent) of(v reg.VecVirtual) reg.VecVirtual {
	low := vec()
	VMOVUPS(e["low"], low)
	x, n, t, p := vec(), vec(), vec(), vec()
	VMAXPS(v, low, x) // of NaN and a number the first, v
	VMULPS(e["log2e"], x, t)
	VCVTPS2DQ(t, n)
	VCVTDQ2PS(n, t)
	VFNMADD231PS(e["ln2Hi"], t, x)
	VFNMADD231PS(e["ln2Lo"], t, x)
	VMOVUPS(e["c6"], p)
	for _, c := range []string{"c5", "c4", "c3", "c2", "one", "one"} {
		VFMADD213PS(e[c], x, p)
	}
	VPSLLD(operand.Imm(23), n, n)
	VPADDD(n, p, p)
	// What is below low is 0; NaN is not.
	const notLess = 5
	if wide() {
		k := K()
		VCMPPS(operand.Imm(notLess), low, v, k)
		VMOVAPS_Z(p, k, p)
	} else {
		m := vec()
		VCMPPS(operand.Imm(notLess), low, v, m)
		VANDPS(m, p, p)
	}
	return p
}

// matrix is the operands of a function under way.
type matrix struct {
	args                      reg.Register
	rows, cols, stride, at, j reg.GPVirtual // the last three in bytes but j, the row
	ptr                       map[int]reg.GPVirtual
}

// begin starts a function with the pointers of the given fields.
func begin(name string, fields ...int) *matrix {
	TEXT(name+"_"+*isa, NOSPLIT, "func(a *byte)")
	Pragma("noescape")
	m := &matrix{args: Load(Param("a"), GP64()), ptr: map[int]reg.GPVirtual{}}
	get := func(field int) reg.GPVirtual {
		r := GP64()
		MOVQ(operand.Mem{Base: m.args, Disp: field}, r)
		return r
	}
	for _, f := range fields {
		m.ptr[f] = get(f)
	}
	m.rows, m.cols, m.stride = get(fieldRows), get(fieldCols), get(fieldStride)
	SHLQ(operand.Imm(2), m.cols)
	SHLQ(operand.Imm(2), m.stride)
	m.at, m.j = GP64(), GP64()
	return m
}

func end() {
	VZEROUPPER()
	RET()
}

// cell returns the operand of a row-major pointer at the present row and column.
func (m *matrix) cell(field int) operand.Mem {
	return operand.Mem{Base: m.ptr[field], Index: m.at, Scale: 1}
}

// column returns the operand of a pointer that has a number for each column.
func (m *matrix) column(field int, c reg.Register) operand.Mem {
	return operand.Mem{Base: m.ptr[field], Index: c, Scale: 1}
}

// row returns the number of the present row, in each lane.
func (m *matrix) row(field int) reg.VecVirtual {
	v := vec()
	VBROADCASTSS(operand.Mem{Base: m.ptr[field], Index: m.j, Scale: 4}, v)
	return v
}

// byColumns goes through the rows for a vector of columns, then for the next.
func (m *matrix) byColumns(before func(c reg.Register), body func(), after func(c reg.Register)) {
	c := GP64()
	XORQ(c, c)
	Label("column")
	before(c)
	MOVQ(c, m.at)
	XORQ(m.j, m.j)
	Label("row")
	body()
	ADDQ(m.stride, m.at)
	INCQ(m.j)
	CMPQ(m.j, m.rows)
	JLT(operand.LabelRef("row"))
	after(c)
	ADDQ(operand.Imm(bytes()), c)
	CMPQ(c, m.cols)
	JLT(operand.LabelRef("column"))
	end()
}

func nothing(reg.Register) {}

func scaleRows() {
	m := begin("scaleRows", fieldOut, fieldX, fieldScale, fieldShift)
	m.byColumns(nothing, func() {
		v, shift := m.row(fieldScale), m.row(fieldShift)
		VFMADD132PS(m.cell(fieldX), shift, v) // v = v x + shift
		VMOVUPS(v, m.cell(fieldOut))
	}, nothing)
}

func maxRows() {
	m := begin("maxRows", fieldX, fieldCol)
	top := vec()
	m.byColumns(func(c reg.Register) {
		VMOVUPS(m.column(fieldCol, c), top)
	}, func() {
		x := vec()
		VMOVUPS(m.cell(fieldX), x)
		VMAXPS(top, x, top) // of NaN and a number the first, top
	}, func(c reg.Register) {
		VMOVUPS(top, m.column(fieldCol, c))
	})
}

// half returns the lower or upper half of v's numbers as float64.
func half(v reg.VecVirtual, upper bool) reg.VecVirtual {
	d := vec()
	switch {
	case wide() && upper:
		h := YMM()
		VEXTRACTF64X4(operand.Imm(1), v, h)
		VCVTPS2PD(h, d)
	case wide():
		VCVTPS2PD(v.AsY(), d)
	case upper:
		h := XMM()
		VEXTRACTF128(operand.Imm(1), v, h)
		VCVTPS2PD(h, d)
	default:
		VCVTPS2PD(v.AsX(), d)
	}
	return d
}

func sumExpRows() {
	m := begin("sumExpRows", fieldX, fieldCol, fieldSum)
	e := newExponent()
	top, low, high := vec(), vec(), vec()
	sum := func(c reg.Register, disp uint64) operand.Mem {
		return operand.Mem{Base: m.ptr[fieldSum], Index: c, Scale: 2, Disp: int(disp)}
	}
	m.byColumns(func(c reg.Register) {
		VMOVUPS(m.column(fieldCol, c), top)
		VMOVUPS(sum(c, 0), low)
		VMOVUPS(sum(c, bytes()), high)
	}, func() {
		x := vec()
		VMOVUPS(m.cell(fieldX), x)
		VSUBPS(top, x, x)
		y := e.of(x)
		VADDPD(half(y, false), low, low)
		VADDPD(half(y, true), high, high)
	}, func(c reg.Register) {
		VMOVUPS(low, sum(c, 0))
		VMOVUPS(high, sum(c, bytes()))
	})
}

func softmaxRows() {
	m := begin("softmaxRows", fieldOut, fieldX, fieldScale, fieldShift, fieldCol)
	e := newExponent()
	lse, factor := vec(), vec()
	VBROADCASTSS(operand.Mem{Base: m.args, Disp: fieldFactor}, factor)
	m.byColumns(func(c reg.Register) {
		VMOVUPS(m.column(fieldCol, c), lse)
	}, func() {
		scale, z := m.row(fieldScale), m.row(fieldShift)
		VSUBPS(lse, z, z)
		VFMADD231PS(m.cell(fieldX), scale, z)
		y := e.of(z)
		VMULPS(factor, scale, scale)
		VMULPS(scale, y, y)
		VMOVUPS(y, m.cell(fieldOut))
	}, nothing)
}

func dotRows() {
	m := begin("dotRows", fieldOut, fieldX, fieldY)
	XORQ(m.j, m.j)
	Label("row")
	sum := vec()
	VXORPS(sum, sum, sum)
	XORQ(m.at, m.at)
	Label("column")
	x := vec()
	VMOVUPS(m.cell(fieldX), x)
	VFMADD231PS(m.cell(fieldY), x, sum)
	ADDQ(operand.Imm(bytes()), m.at)
	CMPQ(m.at, m.cols)
	JLT(operand.LabelRef("column"))
	y := sum.AsY()
	if wide() {
		h := YMM()
		VEXTRACTF64X4(operand.Imm(1), sum, h)
		VADDPS(h, y, y)
	}
	h := XMM()
	VEXTRACTF128(operand.Imm(1), y, h)
	s := sum.AsX()
	VADDPS(h, s, s)
	VHADDPS(s, s, s)
	VHADDPS(s, s, s)
	VMOVSS(s, operand.Mem{Base: m.ptr[fieldOut], Index: m.j, Scale: 4})
	ADDQ(m.stride, m.ptr[fieldX])
	ADDQ(m.stride, m.ptr[fieldY])
	INCQ(m.j)
	CMPQ(m.j, m.rows)
	JLT(operand.LabelRef("row"))
	end()
}

func addScaledRows() {
	m := begin("addScaledRows", fieldOut, fieldX, fieldScale)
	XORQ(m.j, m.j)
	Label("row")
	a := m.row(fieldScale)
	XORQ(m.at, m.at)
	Label("column")
	y := vec()
	VMOVUPS(m.cell(fieldOut), y)
	VFMADD231PS(m.cell(fieldX), a, y)
	VMOVUPS(y, m.cell(fieldOut))
	ADDQ(operand.Imm(bytes()), m.at)
	CMPQ(m.at, m.cols)
	JLT(operand.LabelRef("column"))
	ADDQ(m.stride, m.ptr[fieldOut])
	ADDQ(m.stride, m.ptr[fieldX])
	INCQ(m.j)
	CMPQ(m.j, m.rows)
	JLT(operand.LabelRef("row"))
	end()
}
