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

// steps is a register with a stride and those with some of its multiples, which
// reach up to 8 strides from a pointer.
type steps struct{ one, three, five, seven reg.GPVirtual }

func multiples(stride operand.Mem, most int) (s steps) {
	s.one = GP64()
	MOVQ(stride, s.one)
	for _, m := range []struct {
		r     *reg.GPVirtual
		n     int
		scale uint8
	}{{&s.three, 3, 2}, {&s.five, 5, 4}} {
		if most >= m.n {
			*m.r = GP64()
			LEAQ(operand.Mem{Base: s.one, Index: s.one, Scale: m.scale}, *m.r)
		}
	}
	if most >= 7 {
		s.seven = GP64()
		LEAQ(operand.Mem{Base: s.three, Index: s.one, Scale: 4}, s.seven)
	}
	return s
}

// from is the operand n strides after p.
func (s steps) from(p reg.GPVirtual, n int) operand.Mem {
	switch n {
	case 0:
		return operand.Mem{Base: p}
	case 1, 2, 4, 8:
		return operand.Mem{Base: p, Index: s.one, Scale: uint8(n)}
	case 3, 6:
		return operand.Mem{Base: p, Index: s.three, Scale: uint8(n / 3)}
	case 5:
		return operand.Mem{Base: p, Index: s.five, Scale: 1}
	case 7:
		return operand.Mem{Base: p, Index: s.seven, Scale: 1}
	}
	panic("depthwise: out of reach")
}

// tile is a number of neighbouring pixels, and a window with taps in a row,
// that moves by stride pixels of x.
type tile struct {
	name                  string
	pixels, taps, strides int
	field                 func(field int) operand.Mem
	c                     reg.GPVirtual // offset of the vector of channels
}

// pixelsAtOnce is what MobileFaceNet's images are multiples of. With the
// weights of one row of taps they fit in 16 registers.
const pixelsAtOnce = 7

// tiles writes a function that goes through its pixels in tiles, with pixels
// left over one by one, and in each tile through the channels in order, which
// is that of memory. body computes one vector of channels of a tile; fields
// move on from pixel to pixel by their strides.
func tiles(name string, taps, strides int, fields map[int]int, body func(t tile)) {
	field := begin(name)
	for _, t := range []tile{{name: "tile", pixels: pixelsAtOnce}, {name: "one", pixels: 1}} {
		t.taps, t.strides, t.field, t.c = taps, strides, field, GP64()
		Label(t.name)
		CMPQ(field(fieldPixels), operand.Imm(uint64(t.pixels)))
		JLT(operand.LabelRef(t.name + "Done"))
		XORQ(t.c, t.c)
		Label(t.name + "Channel")
		body(t)
		ADDQ(operand.Imm(uint64(bytes())), t.c)
		CMPQ(t.c, field(fieldChannels))
		JLT(operand.LabelRef(t.name + "Channel"))
		for _, f := range []int{fieldY, fieldX, fieldFrom} {
			if stride, ok := fields[f]; ok {
				d := GP64()
				MOVQ(field(stride), d)
				IMUL3Q(operand.Imm(uint64(t.pixels)), d, d)
				ADDQ(d, field(f))
			}
		}
		SUBQ(operand.Imm(uint64(t.pixels)), field(fieldPixels))
		JMP(operand.LabelRef(t.name))
		Label(t.name + "Done")
	}
	end()
}

// eachRow calls body for each row of taps, with the pointer to its weights and
// the stride between them; body calls each for every pair of a pixel of x and a
// tap, in the order of x, which is loaded once. The rows below, which the next
// row of pixels is the first to need, are fetched into the second-level cache.
func (t tile) eachRow(body func(w reg.GPVirtual, wCol steps, each func(use func(x reg.VecVirtual, pixel, tap int)))) {
	columns := (t.pixels-1)*t.strides + t.taps
	xCol, wCol := multiples(t.field(fieldXCol), min(columns-1, 8)), multiples(t.field(fieldWCol), 0)
	x, w, rows := pointer(t.field(fieldX), t.c), pointer(t.field(fieldW), t.c), GP64()
	eachColumn := func(count int, f func(i int, x operand.Mem)) {
		far := x
		if count > 9 {
			far = GP64()
			LEAQ(xCol.from(x, 8), far)
		}
		for i := range count {
			if i <= 8 {
				f(i, xCol.from(x, i))
			} else {
				f(i, xCol.from(far, i-8))
			}
		}
	}
	MOVQ(t.field(fieldRows), rows)
	Label(t.name + "Row")
	body(w, wCol, func(use func(x reg.VecVirtual, pixel, tap int)) {
		eachColumn(columns, func(i int, m operand.Mem) {
			v := load(m)
			for p := range t.pixels {
				if tap := i - p*t.strides; tap >= 0 && tap < t.taps {
					use(v, p, tap)
				}
			}
		})
	})
	ADDQ(t.field(fieldXRow), x)
	ADDQ(t.field(fieldWRow), w)
	DECQ(rows)
	JNZ(operand.LabelRef(t.name + "Row"))
	for range t.strides {
		eachColumn(t.pixels*t.strides, func(_ int, m operand.Mem) { PREFETCHT1(m) })
		if t.strides > 1 {
			ADDQ(t.field(fieldXRow), x)
		}
	}
}

// windowTiles is window for rows of the given number of taps.
func windowTiles(name string, taps, strides int) {
	fields := map[int]int{fieldY: fieldYStride, fieldX: fieldXStride, fieldFrom: fieldFromStride}
	tiles(name, taps, strides, fields, func(t tile) {
		from, stride := pointer(t.field(fieldFrom), t.c), multiples(t.field(fieldFromStride), t.pixels-1)
		acc := make([]reg.VecVirtual, t.pixels)
		for i := range acc {
			acc[i] = load(stride.from(from, i))
		}
		t.eachRow(func(w reg.GPVirtual, wCol steps, each func(func(x reg.VecVirtual, pixel, tap int))) {
			weights := make([]reg.VecVirtual, t.taps)
			for i := range weights {
				weights[i] = load(wCol.from(w, i))
			}
			each(func(x reg.VecVirtual, pixel, tap int) { VFMADD231PS(x, weights[tap], acc[pixel]) })
		})
		y, stride := pointer(t.field(fieldY), t.c), multiples(t.field(fieldYStride), t.pixels-1)
		for i := range acc {
			VMOVUPS(acc[i], stride.from(y, i))
		}
	})
}

// windowGradTiles is windowGrad for rows of the given number of taps. Sums over
// a tile are added to w, which rounds less than one long sum.
func windowGradTiles(name string, taps, strides int) {
	fields := map[int]int{fieldY: fieldYStride, fieldX: fieldXStride}
	tiles(name, taps, strides, fields, func(t tile) {
		yp, stride := pointer(t.field(fieldY), t.c), multiples(t.field(fieldYStride), t.pixels-1)
		y := make([]reg.VecVirtual, t.pixels)
		for i := range y {
			y[i] = load(stride.from(yp, i))
		}
		t.eachRow(func(w reg.GPVirtual, wCol steps, each func(func(x reg.VecVirtual, pixel, tap int))) {
			sum := make([]reg.VecVirtual, t.taps)
			for i := range sum {
				sum[i] = zero()
			}
			each(func(x reg.VecVirtual, pixel, tap int) { VFMADD231PS(x, y[pixel], sum[tap]) })
			for i := range sum {
				m := wCol.from(w, i)
				VADDPS(m, sum[i], sum[i])
				VMOVUPS(sum[i], m)
			}
		})
	})
}
