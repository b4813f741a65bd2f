package baseline

import "encoding/binary"

// block is 8x8 coefficients, row by row.
type block struct {
	coefficients [64]int32
	nonzero      uint64 // a bit for each place, that of the first (the DC coefficient) excepted, that is not 0
}

func (b *block) clear() { *b = block{} }

// Cosines and sines of the angles of the transform, times 2 to the given power.
const (
	cos1x12  = 4017 // cos π/16
	sin1x12  = 799
	cos3x12  = 3406 // cos 3π/16
	sin3x12  = 2276
	cos6x12  = 1108 // cos 6π/16 / √2
	sin6x12  = 2676
	cos6x18  = 70936
	sin6x18  = 171254
	rootx8   = 181 // 1/√2
	rootx14  = 11585
	midrange = 128
)

// inverse writes the inverse cosine transform of the block, rounded and moved up by 128, to the 8x8 bytes that begin at dst[0] and have rows stride apart.
//
// The transform is that of Loeffler, Ligtenberg and Moschytz (1989), of rows and then of columns, and rounds where image/jpeg (of Go 1.26) does: where that
// shifts right, this does. Additions and products between may be regrouped without a difference, also where they overflow.
func (b *block) inverse(dst []byte, stride int) {
	x := &b.coefficients
	if b.nonzero == 0 {
		v := 0x0101010101010101 * uint64(pixel((x[0]<<17+1<<19)>>20))
		for y := range 8 {
			binary.LittleEndian.PutUint64(dst[y*stride:], v)
		}
		return
	}
	for y := range 8 {
		row := (*[8]int32)(x[8*y:])
		switch uint8(b.nonzero >> (8 * y)) {
		case 0: // but for a first column that is perhaps the DC coefficient's
			if y == 0 {
				fillRow(row)
			}
		case 1:
			fillRow(row)
		default:
			inverseRow(row)
		}
	}
	var out [64]byte
	inverseColumns(x, &out)
	for y := range 8 {
		copy(dst[y*stride:][:8], out[8*y:][:8])
	}
}

// pixel returns v + 128, made to fit into a byte.
func pixel(v int32) byte {
	v += midrange
	if uint32(v) > 255 {
		v = ^(v >> 31)
	}
	return byte(v)
}

// fillRow is inverseRow where only x[0] is not 0.
func fillRow(x *[8]int32) {
	v := x[0] << 17
	*x = [8]int32{v, v, v, v, v, v, v, v}
}

// inverseRow transforms a row, to values times 2 to the power of 20.
func inverseRow(x *[8]int32) {
	e0, e1 := (x[0]+x[4])<<17, (x[0]-x[4])<<17
	e2, e3 := cos6x18*x[2]-sin6x18*x[6], cos6x18*x[6]+sin6x18*x[2]
	a0, a1, a2, a3 := e0+e3, e1+e2, e1-e2, e0-e3

	p, q := (x[1]+x[7])<<7, (x[1]-x[7])<<7
	r, s := rootx8*x[3], rootx8*x[5]
	o7, o5, o4, o6 := (p+r)>>2, (p-r)>>2, (q+s)>>2, (q-s)>>2
	b3, b0 := cos3x12*o4-sin3x12*o7, cos3x12*o7+sin3x12*o4
	b2, b1 := cos1x12*o5-sin1x12*o6, cos1x12*o6+sin1x12*o5

	x[0], x[7] = a0+b0, a0-b0
	x[1], x[6] = a1+b1, a1-b1
	x[2], x[5] = a2+b2, a2-b2
	x[3], x[4] = a3+b3, a3-b3
}

// inverseColumns transforms the columns of transformed rows to pixels.
func inverseColumns(x *[64]int32, out *[64]byte) {
	for i := range 8 {
		half := x[i] + 1<<19
		e0, e1 := (half+x[i+32])>>2, (half-x[i+32])>>2
		u, v := x[i+16]>>13, x[i+48]>>13
		e2, e3 := cos6x12*u-sin6x12*v, cos6x12*v+sin6x12*u
		a0, a1, a2, a3 := e0+e3, e1+e2, e1-e2, e0-e3

		p, q := x[i+8]+x[i+56], x[i+8]-x[i+56]
		r, s := rootx14*(x[i+24]>>13), rootx14*(x[i+40]>>13)
		o7, o5, o4, o6 := (p+r)>>14, (p-r)>>14, (q+s)>>14, (q-s)>>14
		b3, b0 := cos3x12*o4-sin3x12*o7, cos3x12*o7+sin3x12*o4
		b2, b1 := cos1x12*o5-sin1x12*o6, cos1x12*o6+sin1x12*o5

		out[i], out[i+56] = pixel((a0+b0)>>18), pixel((a0-b0)>>18)
		out[i+8], out[i+48] = pixel((a1+b1)>>18), pixel((a1-b1)>>18)
		out[i+16], out[i+40] = pixel((a2+b2)>>18), pixel((a2-b2)>>18)
		out[i+24], out[i+32] = pixel((a3+b3)>>18), pixel((a3-b3)>>18)
	}
}
