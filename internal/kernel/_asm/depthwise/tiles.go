package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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

// tile is a number of neighbouring pixels, and a window with taps in a row
// that moves by pixels of x from each to the next.
type tile struct {
	name             string
	pixels, taps, by int
	field            func(field int) operand.Mem
	c                reg.GPVirtual // offset of the vector of channels
}

// pixelsAtOnce is what MobileFaceNet's images are multiples of. With the
// weights of one row of taps they fit in 16 registers.
const pixelsAtOnce = 7

// tiles writes a function that goes through its pixels in tiles, with pixels
// left over one by one, and in each tile through the channels in order, which
// is that of memory. body computes one vector of channels of a tile; fields
// move on from pixel to pixel by their strides.
func tiles(name string, taps, by int, strides map[int]int, body func(t tile)) {
	field := begin(name)
	for _, t := range []tile{{name: "tile", pixels: pixelsAtOnce}, {name: "one", pixels: 1}} {
		t.taps, t.by, t.field, t.c = taps, by, field, GP64()
		Label(t.name)
		CMPQ(field(fieldPixels), operand.Imm(uint64(t.pixels)))
		JLT(operand.LabelRef(t.name + "Done"))
		XORQ(t.c, t.c)
		Label(t.name + "Channel")
		body(t)
		ADDQ(operand.Imm(uint64(bytes())), t.c)
		CMPQ(t.c, field(fieldChannels))
		JLT(operand.LabelRef(t.name + "Channel"))
		moveOn(field, strides, t.pixels)
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
	columns := (t.pixels-1)*t.by + t.taps
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
				if tap := i - p*t.by; tap >= 0 && tap < t.taps {
					use(v, p, tap)
				}
			}
		})
	})
	ADDQ(t.field(fieldXRow), x)
	ADDQ(t.field(fieldWRow), w)
	DECQ(rows)
	JNZ(operand.LabelRef(t.name + "Row"))
	for i := range t.by {
		if i > 0 {
			ADDQ(t.field(fieldXRow), x)
		}
		eachColumn(t.pixels*t.by, func(_ int, m operand.Mem) { PREFETCHT1(m) })
	}
}

// windowTiles is window for rows of the given number of taps.
func windowTiles(name string, taps, by int) {
	tiles(name, taps, by, forwardStrides, func(t tile) {
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
func windowGradTiles(name string, taps, by int) {
	tiles(name, taps, by, gradStrides, func(t tile) {
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
