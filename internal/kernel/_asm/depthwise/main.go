// Command depthwise writes the kernels of depthwise convolution: windows of
// taps that move over the pixels of a row. They work on whole vectors of
// channels; windowArgs in ../../window_amd64.go defines the operands, and the
// generic functions of ../../window.go the results.
package main

import (
	"flag"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var isa = flag.String("isa", "", "avx2 or avx512")

// Offsets of the fields of windowArgs.
const (
	fieldY = 8 * iota
	fieldX
	fieldW
	fieldFrom
	fieldPixels
	fieldChannels
	fieldRows
	fieldCols
	fieldYStride
	fieldFromStride
	fieldXStride
	fieldXRow
	fieldXCol
	fieldXNext
	fieldWRow
	fieldWCol
	fieldWNext
)

func main() {
	flag.Parse()
	ConstraintExpr("amd64,!purego")
	if *isa != "avx2" && *isa != "avx512" {
		panic("depthwise: -isa avx2 or avx512")
	}
	window()
	window3x3()
	windowGrad()
	windowGrad3x3()
	Generate()
}

func vec() reg.VecVirtual {
	if *isa == "avx2" {
		return YMM()
	}
	return ZMM()
}

// bytes is the length of a vector.
func bytes() int {
	if *isa == "avx2" {
		return 32
	}
	return 64
}

func load(m operand.Mem) reg.VecVirtual {
	v := vec()
	VMOVUPS(m, v)
	return v
}

func zero() reg.VecVirtual {
	z := vec()
	VXORPS(z, z, z)
	return z
}

// at is the operand disp bytes after p.
func at(p reg.GPVirtual, disp int) operand.Mem { return operand.Mem{Base: p, Disp: disp} }

// begin opens a function and returns its fields, as operands.
func begin(name string) func(field int) operand.Mem {
	TEXT(name+"_"+*isa, NOSPLIT, "func(a *byte)")
	Pragma("noescape")
	args := Load(Param("a"), GP64())
	return func(field int) operand.Mem { return operand.Mem{Base: args, Disp: field} }
}

func end() {
	VZEROUPPER()
	RET()
}

// pointer returns the field plus the channel's offset c.
func pointer(field operand.Mem, c reg.GPVirtual) reg.GPVirtual {
	p := GP64()
	MOVQ(field, p)
	ADDQ(c, p)
	return p
}

// eachTap calls body for each tap of the window, with pointers that start at x
// and w.
func eachTap(name string, field func(int) operand.Mem, x, w reg.GPVirtual, body func(x, w reg.GPVirtual)) {
	xt, wt, rows, cols := GP64(), GP64(), GP64(), GP64()
	MOVQ(x, xt)
	MOVQ(w, wt)
	MOVQ(field(fieldRows), rows)
	Label(name + "Row")
	MOVQ(field(fieldCols), cols)
	Label(name + "Col")
	body(xt, wt)
	ADDQ(field(fieldXCol), xt)
	ADDQ(field(fieldWCol), wt)
	DECQ(cols)
	JNZ(operand.LabelRef(name + "Col"))
	ADDQ(field(fieldXNext), xt)
	ADDQ(field(fieldWNext), wt)
	DECQ(rows)
	JNZ(operand.LabelRef(name + "Row"))
}

// window: y = from + sum over the taps of w*x. A single pixel goes through
// its channels several vectors at a time, so that they are read in order;
// several pixels share the loads of the weights of one vector of channels.
func window() {
	field := begin("window")
	c, xs, xs3 := GP64(), GP64(), GP64()
	MOVQ(field(fieldXStride), xs)
	LEAQ(operand.Mem{Base: xs, Index: xs, Scale: 2}, xs3)
	XORQ(c, c)

	// block computes neighbouring pixels, and vectors of channels, from y, x and
	// from on.
	block := func(name string, pixels, vectors int, y, x, w, from reg.GPVirtual) {
		pixel := func(p reg.GPVirtual, i int) operand.Mem {
			return []operand.Mem{
				{Base: p}, {Base: p, Index: xs, Scale: 1}, {Base: p, Index: xs, Scale: 2}, {Base: p, Index: xs3, Scale: 1},
			}[i]
		}
		acc := make([]reg.VecVirtual, pixels*vectors)
		for i := range acc {
			if i > 0 && vectors == 1 {
				ADDQ(field(fieldFromStride), from)
			}
			acc[i] = load(at(from, i%vectors*bytes()))
		}
		eachTap(name, field, x, w, func(x, w reg.GPVirtual) {
			for v := range vectors {
				weight := load(at(w, v*bytes()))
				for i := range pixels {
					m := pixel(x, i)
					m.Disp = v * bytes()
					VFMADD231PS(m, weight, acc[i*vectors+v])
				}
			}
		})
		for i := range acc {
			if i > 0 && vectors == 1 {
				ADDQ(field(fieldYStride), y)
			}
			VMOVUPS(acc[i], at(y, i%vectors*bytes()))
		}
	}

	CMPQ(field(fieldPixels), operand.Imm(1))
	JNE(operand.LabelRef("several"))

	const wide = 4
	Label("wide")
	next := GP64()
	LEAQ(at(c, wide*bytes()), next)
	CMPQ(next, field(fieldChannels))
	JGT(operand.LabelRef("several"))
	block("wide", 1, wide, pointer(field(fieldY), c), pointer(field(fieldX), c), pointer(field(fieldW), c), pointer(field(fieldFrom), c))
	MOVQ(next, c)
	JMP(operand.LabelRef("wide"))

	Label("several")
	CMPQ(c, field(fieldChannels))
	JGE(operand.LabelRef("done"))
	y, x, w, from := pointer(field(fieldY), c), pointer(field(fieldX), c), pointer(field(fieldW), c), pointer(field(fieldFrom), c)
	pixels := GP64()
	MOVQ(field(fieldPixels), pixels)
	step := func() {
		ADDQ(field(fieldFromStride), from)
		ADDQ(field(fieldYStride), y)
	}
	Label("four")
	CMPQ(pixels, operand.Imm(4))
	JLT(operand.LabelRef("one"))
	block("four", 4, 1, y, x, w, from)
	step()
	LEAQ(operand.Mem{Base: x, Index: xs, Scale: 4}, x)
	SUBQ(operand.Imm(4), pixels)
	JMP(operand.LabelRef("four"))
	Label("one")
	TESTQ(pixels, pixels)
	JZ(operand.LabelRef("next"))
	block("one", 1, 1, y, x, w, from)
	step()
	ADDQ(xs, x)
	DECQ(pixels)
	JMP(operand.LabelRef("one"))
	Label("next")
	ADDQ(operand.Imm(uint64(bytes())), c)
	JMP(operand.LabelRef("several"))
	Label("done")
	end()
}

// nine calls body for each tap of a 3 x 3 window, with the operand of that tap
// for three row pointers.
func nine(rows []reg.GPVirtual, col reg.GPVirtual, body func(tap int, m operand.Mem)) {
	for i, r := range rows {
		body(3*i, operand.Mem{Base: r})
		body(3*i+1, operand.Mem{Base: r, Index: col, Scale: 1})
		body(3*i+2, operand.Mem{Base: r, Index: col, Scale: 2})
	}
}

// threeRows returns p and the two rows after it.
func threeRows(p reg.GPVirtual, stride operand.Mem) []reg.GPVirtual {
	rows := []reg.GPVirtual{p, GP64(), GP64()}
	for i := 1; i < 3; i++ {
		MOVQ(rows[i-1], rows[i])
		ADDQ(stride, rows[i])
	}
	return rows
}

// window3x3 is window with three rows and columns of taps, whose weights stay
// in registers. The row of x that comes below is fetched into the cache.
func window3x3() {
	field := begin("window3x3")
	c := GP64()
	XORQ(c, c)
	Label("channels")
	w := make([]reg.VecVirtual, 9)
	wCol := GP64()
	MOVQ(field(fieldWCol), wCol)
	nine(threeRows(pointer(field(fieldW), c), field(fieldWRow)), wCol, func(tap int, m operand.Mem) { w[tap] = load(m) })
	rows := threeRows(pointer(field(fieldX), c), field(fieldXRow))
	below := GP64()
	MOVQ(rows[2], below)
	ADDQ(field(fieldXRow), below)
	y, from := pointer(field(fieldY), c), pointer(field(fieldFrom), c)
	pixels, xCol, xs := GP64(), GP64(), GP64()
	MOVQ(field(fieldPixels), pixels)
	MOVQ(field(fieldXCol), xCol)
	MOVQ(field(fieldXStride), xs)
	Label("pixel")
	acc := load(at(from, 0))
	nine(rows, xCol, func(tap int, m operand.Mem) { VFMADD231PS(m, w[tap], acc) })
	PREFETCHT0(at(below, 0))
	VMOVUPS(acc, at(y, 0))
	for _, r := range append(rows, below) {
		ADDQ(xs, r)
	}
	ADDQ(field(fieldYStride), y)
	ADDQ(field(fieldFromStride), from)
	DECQ(pixels)
	JNZ(operand.LabelRef("pixel"))
	ADDQ(operand.Imm(uint64(bytes())), c)
	CMPQ(c, field(fieldChannels))
	JLT(operand.LabelRef("channels"))
	end()
}

// windowGrad: w += sum over pixels of y*x, tap by tap.
func windowGrad() {
	field := begin("windowGrad")
	x, w := GP64(), GP64()
	MOVQ(field(fieldX), x)
	MOVQ(field(fieldW), w)
	c, xs, ys := GP64(), GP64(), GP64()
	MOVQ(field(fieldXStride), xs)
	MOVQ(field(fieldYStride), ys)
	eachTap("tap", field, x, w, func(x, w reg.GPVirtual) {
		XORQ(c, c)
		Label("channels")
		y, xp, wp, pixels := pointer(field(fieldY), c), GP64(), GP64(), GP64()
		MOVQ(x, xp)
		ADDQ(c, xp)
		MOVQ(w, wp)
		ADDQ(c, wp)
		MOVQ(field(fieldPixels), pixels)
		acc := []reg.VecVirtual{load(at(wp, 0)), zero(), zero(), zero()}
		one := func(i int) {
			v := load(at(y, 0))
			VFMADD231PS(at(xp, 0), v, acc[i])
			ADDQ(ys, y)
			ADDQ(xs, xp)
		}
		Label("four")
		CMPQ(pixels, operand.Imm(4))
		JLT(operand.LabelRef("one"))
		for i := range acc {
			one(i)
		}
		SUBQ(operand.Imm(4), pixels)
		JMP(operand.LabelRef("four"))
		Label("one")
		TESTQ(pixels, pixels)
		JZ(operand.LabelRef("store"))
		one(0)
		DECQ(pixels)
		JMP(operand.LabelRef("one"))
		Label("store")
		VADDPS(acc[1], acc[0], acc[0])
		VADDPS(acc[3], acc[2], acc[2])
		VADDPS(acc[2], acc[0], acc[0])
		VMOVUPS(acc[0], at(wp, 0))
		ADDQ(operand.Imm(uint64(bytes())), c)
		CMPQ(c, field(fieldChannels))
		JLT(operand.LabelRef("channels"))
	})
	end()
}

// windowGrad3x3 is windowGrad with three rows and columns of taps, all nine
// sums of a vector of channels in registers. They start at zero and are added
// to w at the end, which rounds less than one long sum.
func windowGrad3x3() {
	field := begin("windowGrad3x3")
	c := GP64()
	XORQ(c, c)
	Label("channels")
	rows := threeRows(pointer(field(fieldX), c), field(fieldXRow))
	below := GP64()
	MOVQ(rows[2], below)
	ADDQ(field(fieldXRow), below)
	y := pointer(field(fieldY), c)
	pixels, xCol, xs, ys := GP64(), GP64(), GP64(), GP64()
	MOVQ(field(fieldPixels), pixels)
	MOVQ(field(fieldXCol), xCol)
	MOVQ(field(fieldXStride), xs)
	MOVQ(field(fieldYStride), ys)
	acc := make([]reg.VecVirtual, 9)
	for i := range acc {
		acc[i] = zero()
	}
	Label("pixel")
	v := load(at(y, 0))
	nine(rows, xCol, func(tap int, m operand.Mem) { VFMADD231PS(m, v, acc[tap]) })
	PREFETCHT0(at(below, 0))
	for _, r := range append(rows, below) {
		ADDQ(xs, r)
	}
	ADDQ(ys, y)
	DECQ(pixels)
	JNZ(operand.LabelRef("pixel"))
	wCol := GP64()
	MOVQ(field(fieldWCol), wCol)
	nine(threeRows(pointer(field(fieldW), c), field(fieldWRow)), wCol, func(tap int, m operand.Mem) {
		VADDPS(m, acc[tap], acc[tap])
		VMOVUPS(acc[tap], m)
	})
	ADDQ(operand.Imm(uint64(bytes())), c)
	CMPQ(c, field(fieldChannels))
	JLT(operand.LabelRef("channels"))
	end()
}
