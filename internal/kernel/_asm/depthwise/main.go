// Command depthwise writes the kernels of depthwise convolution: windows of
// taps that move over the pixels of a row. They work on whole vectors of
// channels; windowArgs in ../../window_amd64.go defines the operands, and the
// generic functions of ../../window.go the results. Here are those for windows
// of any size, in tiles.go faster ones for common sizes.
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
	windowTiles("window1", 1, 1)
	windowTiles("window2", 2, 1)
	windowTiles("window3", 3, 1)
	windowTiles("window3by2", 3, 2)
	windowGrad()
	windowGradTiles("windowGrad3", 3, 1)
	windowGradTiles("windowGrad3by2", 3, 2)
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

// eachTap calls body for each tap of the window, with pointers into x and w
// offset by c.
func eachTap(name string, field func(int) operand.Mem, c reg.GPVirtual, body func(x, w reg.GPVirtual)) {
	x, w, rows, cols := pointer(field(fieldX), c), pointer(field(fieldW), c), GP64(), GP64()
	MOVQ(field(fieldRows), rows)
	Label(name + "Row")
	MOVQ(field(fieldCols), cols)
	Label(name + "Col")
	body(x, w)
	ADDQ(field(fieldXCol), x)
	ADDQ(field(fieldWCol), w)
	DECQ(cols)
	JNZ(operand.LabelRef(name + "Col"))
	ADDQ(field(fieldXNext), x)
	ADDQ(field(fieldWNext), w)
	DECQ(rows)
	JNZ(operand.LabelRef(name + "Row"))
}

// moveOn adds to each pointer its stride, n times.
func moveOn(field func(int) operand.Mem, strides map[int]int, n int) {
	for _, p := range []int{fieldY, fieldX, fieldFrom} {
		if stride, ok := strides[p]; ok {
			d := GP64()
			MOVQ(field(stride), d)
			IMUL3Q(operand.Imm(uint64(n)), d, d)
			ADDQ(d, field(p))
		}
	}
}

var (
	forwardStrides = map[int]int{fieldY: fieldYStride, fieldX: fieldXStride, fieldFrom: fieldFromStride}
	gradStrides    = map[int]int{fieldY: fieldYStride, fieldX: fieldXStride}
)

// window: y = from + sum over the taps of w*x, for windows of any size, pixel
// by pixel and some vectors of channels at a time.
func window() {
	field := begin("window")
	Label("pixel")
	c := GP64()
	XORQ(c, c)
	for _, vectors := range []int{4, 1} {
		name := map[int]string{4: "four", 1: "one"}[vectors]
		Label(name)
		next := GP64()
		LEAQ(at(c, vectors*bytes()), next)
		CMPQ(next, field(fieldChannels))
		JGT(operand.LabelRef(name + "Done"))
		acc := make([]reg.VecVirtual, vectors)
		from := pointer(field(fieldFrom), c)
		for i := range acc {
			acc[i] = load(at(from, i*bytes()))
		}
		eachTap(name, field, c, func(x, w reg.GPVirtual) {
			for i := range acc {
				VFMADD231PS(at(x, i*bytes()), load(at(w, i*bytes())), acc[i])
			}
		})
		y := pointer(field(fieldY), c)
		for i := range acc {
			VMOVUPS(acc[i], at(y, i*bytes()))
		}
		MOVQ(next, c)
		JMP(operand.LabelRef(name))
		Label(name + "Done")
	}
	moveOn(field, forwardStrides, 1)
	DECQ(field(fieldPixels))
	JNZ(operand.LabelRef("pixel"))
	end()
}

// windowGrad: w += sum over pixels of y*x, for windows of any size, tap by tap.
func windowGrad() {
	field := begin("windowGrad")
	none, xs, ys := GP64(), GP64(), GP64()
	XORQ(none, none)
	MOVQ(field(fieldXStride), xs)
	MOVQ(field(fieldYStride), ys)
	eachTap("tap", field, none, func(x, w reg.GPVirtual) {
		c := GP64()
		XORQ(c, c)
		Label("channels")
		y, xp, pixels := pointer(field(fieldY), c), GP64(), GP64()
		LEAQ(operand.Mem{Base: x, Index: c, Scale: 1}, xp)
		MOVQ(field(fieldPixels), pixels)
		sum, to := zero(), operand.Mem{Base: w, Index: c, Scale: 1}
		Label("pixel")
		VFMADD231PS(at(xp, 0), load(at(y, 0)), sum)
		ADDQ(ys, y)
		ADDQ(xs, xp)
		DECQ(pixels)
		JNZ(operand.LabelRef("pixel"))
		VADDPS(to, sum, sum)
		VMOVUPS(sum, to)
		ADDQ(operand.Imm(uint64(bytes())), c)
		CMPQ(c, field(fieldChannels))
		JLT(operand.LabelRef("channels"))
	})
	end()
}
