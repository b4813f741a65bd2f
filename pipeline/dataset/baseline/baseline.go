// Package baseline decodes the usual kind of JPEG file, to the bits that image/jpeg gives and in less than half its time.
//
// Usual is: baseline DCT (SOF0), 8 bits, grey or YCbCr with chroma at full resolution, a half, a quarter or an eighth, one scan, Huffman tables of 0 and 1, restart
// markers or none, and nothing between the last block and the end of the image. What is different, however slightly, or damaged in
// any way that can be told, is left to image/jpeg, which may still read it and whose errors say what is wrong.
package baseline

import (
	"bytes"
	"encoding/binary"
	"image"
	"sync"
)

// Decode returns the *image.Gray or *image.YCbCr that image/jpeg's Decode would return for data. It returns nil for a file
// that is not of the usual kind, that is damaged, or that has more than the given number of pixels; Decode of image/jpeg is then to be asked.
// It does not panic, whatever the bytes.
func Decode(data []byte, pixels int64) image.Image {
	d := decoders.Get().(*decoder)
	defer func() {
		d.frame = frame{} // which holds on to the image
		decoders.Put(d)
	}()
	scan := d.header(data, pixels)
	if scan == nil {
		return nil
	}
	return d.decodeScan(scan)
}

// decoders keep their Huffman tables, which most files have in common.
var decoders = sync.Pool{New: func() any { return new(decoder) }}

type decoder struct {
	frame
	block block
	huff  [2][2]huffman // of DC and AC
}

// frame is what a file says of itself before its scan.
type frame struct {
	width, height   int // of the image, in pixels
	across, down    int // MCUs
	components      []component
	storage         [3]component
	quant           [4][64]int32 // in zig-zag order
	quantDefined    [4]bool
	huffDefined     [2][2]bool
	restartInterval int // MCUs; 0: none
}

type component struct {
	id     byte
	h, v   int // blocks of an MCU
	quant  int
	dc, ac *huffman
	plane  []byte
	stride int
	last   int32 // DC coefficient of the block before
}

// Markers (T.81, table B.1).
const (
	startOfFrame0  = 0xc0
	huffmanTables  = 0xc4
	restart0       = 0xd0
	startOfImage   = 0xd8
	endOfImage     = 0xd9
	startOfScan    = 0xda
	quantTables    = 0xdb
	restartEvery   = 0xdd
	application0   = 0xe0
	application14  = 0xee
	application15  = 0xef
	comment        = 0xfe
	adobeTransform = 11 // where Adobe's segment says how colours are coded: 0 is RGB or CMYK
)

// header reads the segments up to the scan, and returns the rest of the file; nil if anything is unusual.
func (d *decoder) header(data []byte, pixels int64) []byte {
	if len(data) < 2 || data[0] != 0xff || data[1] != startOfImage {
		return nil
	}
	data = data[2:]
	for len(data) >= 4 && data[0] == 0xff {
		marker, size := data[1], int(binary.BigEndian.Uint16(data[2:]))
		if size < 2 || len(data) < 2+size {
			return nil
		}
		segment, rest := data[4:2+size], data[2+size:]
		ok := false
		switch {
		case marker == startOfFrame0:
			ok = d.readFrame(segment, pixels)
		case marker == huffmanTables:
			ok = d.readHuffman(segment)
		case marker == quantTables:
			ok = d.readQuant(segment)
		case marker == restartEvery:
			if ok = len(segment) == 2; ok {
				d.restartInterval = int(binary.BigEndian.Uint16(segment))
			}
		case marker == startOfScan:
			// Two bits are the least that a block can take. A file without room for them is not worth an image's memory.
			if d.readScan(segment) && d.blocks() <= 4*int64(len(rest)) {
				return rest
			}
		case marker == application14:
			ok = !(len(segment) > adobeTransform && bytes.HasPrefix(segment, []byte("Adobe")) && segment[adobeTransform] == 0)
		case application0 <= marker && marker <= application15, marker == comment:
			ok = true
		}
		if !ok {
			return nil
		}
		data = rest
	}
	return nil
}

// readFrame reads SOF0 (T.81, B.2.2).
func (d *decoder) readFrame(s []byte, pixels int64) bool {
	if len(s) < 6 || s[0] != 8 || d.components != nil {
		return false
	}
	d.height, d.width = int(binary.BigEndian.Uint16(s[1:])), int(binary.BigEndian.Uint16(s[3:]))
	n := int(s[5])
	if n != 1 && n != 3 || len(s) != 6+3*n || d.width == 0 || d.height == 0 || int64(d.width) > pixels/int64(d.height) {
		return false
	}
	d.components = d.storage[:n]
	for i := range d.components {
		c := &d.components[i]
		*c = component{id: s[6+3*i], h: int(s[7+3*i] >> 4), v: int(s[7+3*i] & 15), quant: int(s[8+3*i])}
		if c.quant > 3 {
			return false
		}
	}
	y := &d.storage[0]
	switch cb, cr := &d.storage[1], &d.storage[2]; {
	case n == 1:
		// The blocks of a single component go row by row, whatever its factors say.
		if y.h < 1 || y.v < 1 || y.h == 3 || y.v == 3 || y.h > 4 || y.v > 4 {
			return false
		}
		y.h, y.v = 1, 1
	case y.id == cb.id || y.id == cr.id || cb.id == cr.id, y.id == 'R' && cb.id == 'G' && cr.id == 'B':
		return false
	case cb.h != 1 || cb.v != 1 || cr.h != 1 || cr.v != 1, y.h != 1 && y.h != 2 && y.h != 4, y.v != 1 && y.v != 2:
		return false
	}
	d.across, d.down = (d.width+8*y.h-1)/(8*y.h), (d.height+8*y.v-1)/(8*y.v)
	return true
}

// blocks returns the number of blocks of the image.
func (d *decoder) blocks() int64 {
	n := 0
	for _, c := range d.components {
		n += c.h * c.v
	}
	return int64(n) * int64(d.across) * int64(d.down)
}

// readQuant reads DQT (T.81, B.2.4.1) with numbers of 8 bits.
func (d *decoder) readQuant(s []byte) bool {
	for len(s) > 0 {
		t := s[0]
		if t > 3 || len(s) < 1+64 {
			return false
		}
		for i, v := range s[1:][:64] {
			d.quant[t][i] = int32(v)
		}
		d.quantDefined[t] = true
		s = s[1+64:]
	}
	return true
}

// readHuffman reads DHT (T.81, B.2.4.2).
func (d *decoder) readHuffman(s []byte) bool {
	for len(s) > 0 {
		class, t := s[0]>>4, s[0]&15
		if class > 1 || t > 1 || len(s) < 1+16 {
			return false
		}
		n := 0
		for _, v := range s[1:][:16] {
			n += int(v)
		}
		if n == 0 || n > 256 || len(s) < 1+16+n || !d.huff[class][t].set(s[1:][:16+n]) {
			return false
		}
		d.huffDefined[class][t] = true
		s = s[1+16+n:]
	}
	return true
}

// readScan reads SOS (T.81, B.2.3), which is to name all components in their order.
func (d *decoder) readScan(s []byte) bool {
	n := len(d.components)
	if n == 0 || len(s) != 1+2*n+3 || int(s[0]) != n || !bytes.Equal(s[1+2*n:], []byte{0, 63, 0}) {
		return false
	}
	for i := range d.components {
		c := &d.components[i]
		dc, ac := s[2+2*i]>>4, s[2+2*i]&15
		if s[1+2*i] != c.id || dc > 1 || ac > 1 || !d.huffDefined[0][dc] || !d.huffDefined[1][ac] || !d.quantDefined[c.quant] {
			return false
		}
		c.dc, c.ac = &d.huff[0][dc], &d.huff[1][ac]
	}
	return true
}
