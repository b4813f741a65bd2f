package baseline

import (
	"encoding/binary"
	"image"
)

// decodeScan decodes what follows the header. It returns nil if that is not exactly the blocks, the restart
// markers between them, and the end of the image.
func (d *decoder) decodeScan(data []byte) image.Image {
	img := d.allocate()
	r := reader{data: data}
	expected, left := byte(restart0), d.restartInterval
	for y := range d.down {
		for x := range d.across {
			if d.restartInterval > 0 {
				if left == 0 {
					if !r.marker(expected) {
						return nil
					}
					expected, left = restart0|(expected+1)&7, d.restartInterval
					for i := range d.components {
						d.components[i].last = 0
					}
				}
				left--
			}
			for i := range d.components {
				c := &d.components[i]
				for v := range c.v {
					for h := range c.h {
						if !d.decodeBlock(&r, c) {
							return nil
						}
						d.block.inverse(c.plane[8*((y*c.v+v)*c.stride+x*c.h+h):], c.stride)
					}
				}
			}
		}
	}
	if !r.marker(endOfImage) {
		return nil
	}
	return img
}

// ratios are the ways to sample chroma, by the blocks that luma has in an MCU.
var ratios = [5][3]image.YCbCrSubsampleRatio{
	1: {1: image.YCbCrSubsampleRatio444, 2: image.YCbCrSubsampleRatio440},
	2: {1: image.YCbCrSubsampleRatio422, 2: image.YCbCrSubsampleRatio420},
	4: {1: image.YCbCrSubsampleRatio411, 2: image.YCbCrSubsampleRatio410},
}

// allocate makes the image, of whole MCUs, and returns the part of it that is shown.
func (d *decoder) allocate() image.Image {
	c := d.components
	all := image.Rect(0, 0, 8*c[0].h*d.across, 8*c[0].v*d.down)
	shown := image.Rect(0, 0, d.width, d.height)
	if len(c) == 1 {
		img := image.NewGray(all)
		c[0].plane, c[0].stride = img.Pix, img.Stride
		return img.SubImage(shown)
	}
	img := image.NewYCbCr(all, ratios[c[0].h][c[0].v])
	c[0].plane, c[0].stride = img.Y, img.YStride
	c[1].plane, c[1].stride = img.Cb, img.CStride
	c[2].plane, c[2].stride = img.Cr, img.CStride
	return img.SubImage(shown)
}

// reader reads the bits of a scan.
type reader struct {
	data []byte
	pos  int    // of the next byte that is not in bits
	bits uint64 // the next bits, from the top; what is beyond n of them is 0
	n    int    // below 0 when more bits were used than there are
}

// fill makes n at least 32, unless a marker or the end of the data comes before.
func (r *reader) fill() {
	for r.n >= 0 && r.n <= 56 && r.pos < len(r.data) {
		b := r.data[r.pos]
		if b == 0xff {
			if r.pos+1 == len(r.data) || r.data[r.pos+1] != 0 {
				return
			}
			r.pos++ // a byte of 0xff is followed by one of 0
		}
		r.pos++
		r.bits |= uint64(b) << (56 - r.n)
		r.n += 8
	}
}

// marker goes past a marker, and reports whether it is the next thing after the bits of the last byte.
func (r *reader) marker(m byte) bool {
	if r.n < 0 || r.n >= 8 || len(r.data)-r.pos < 2 || r.data[r.pos] != 0xff || r.data[r.pos+1] != m {
		return false
	}
	r.pos += 2
	r.bits, r.n = 0, 0
	return true
}

// decodeBlock reads the coefficients of the next block of c and multiplies them by the steps of their quantization. It returns false where the bits are no
// block, or none that an encoder writes.
func (d *decoder) decodeBlock(r *reader, c *component) bool {
	b := &d.block
	b.clear()
	quant := &d.quant[c.quant]
	bits, n, pos, data := r.bits, r.n, r.pos, r.data

	table := c.dc
	for k := uint(0); k < 64; {
		if n < 32 {
			// Four bytes at once, if none of them is 0xff.
			if v := next4(data, pos); v != 0 {
				bits |= uint64(v) << (uint(32-n) & 63)
				n, pos = n+32, pos+4
			} else {
				r.bits, r.n, r.pos = bits, n, pos
				r.fill()
				bits, n, pos = r.bits, r.n, r.pos
			}
		}
		e := table.direct[bits>>(64-look)]
		symbol, length := uint(e>>8&255), uint(e&255)
		value := int32(e) >> 16
		if value == 0 {
			if length == 0 {
				s, l := table.long(uint32(bits >> 48))
				if l == 0 {
					return false
				}
				symbol, length = uint(s), l
			}
			if size := symbol & 15; size > 0 {
				value = extend(bits<<(length&63)>>(64-size), size)
				length += size
			}
		}
		bits <<= length & 63
		n -= int(length)
		if k == 0 {
			if symbol > 15 {
				return false
			}
			c.last += value
			b.coefficients[0] = c.last * quant[0]
			table = c.ac
			k = 1
			continue
		}
		k += symbol >> 4
		if value == 0 {
			if symbol == 0 {
				break
			}
			if symbol != 0xf0 || k >= 63 { // sixteen zeros, and something after them
				return false
			}
			k++
			continue
		}
		if k > 63 {
			return false
		}
		at := zigzag[k]
		b.coefficients[at&63] = value * quant[k]
		b.nonzero |= 1 << (at & 63)
		k++
	}
	r.bits, r.n, r.pos = bits, n, pos
	return n >= 0
}

// next4 returns the four bytes at pos, the first on top; 0 if one of them is 0xff, or all are 0, or there are fewer.
func next4(data []byte, pos int) uint32 {
	if pos < 0 || pos+4 > len(data) {
		return 0
	}
	v := binary.BigEndian.Uint32(data[pos:])
	if (^v-0x01010101)&v&0x80808080 != 0 {
		return 0
	}
	return v
}

// zigzag holds where the coefficients belong in a block, in the order of the file (T.81, figure A.6).
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10,
	17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34,
	27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36,
	29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46,
	53, 60, 61, 54, 47, 55, 62, 63,
}
