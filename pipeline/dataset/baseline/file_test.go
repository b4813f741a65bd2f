package baseline

import (
	"encoding/binary"
	"math/rand/v2"
)

// drawn says what kind of file to draw at random. Encoders write few of the files that the format allows.
type drawn struct {
	width, height int
	factors       []byte // of each component: horizontal in the upper half, vertical in the lower
	restart       int    // MCUs between restart markers
	step          byte   // of all quantization
	size          int    // most bits of a coefficient
	coefficients  int    // about so many of a block's 64 are not 0
}

// file returns a JPEG file of random coefficients and random Huffman codes.
func (f drawn) file(rng *rand.Rand) []byte {
	b := []byte{0xff, startOfImage}
	segment := func(marker byte, content ...byte) {
		b = append(b, 0xff, marker)
		b = binary.BigEndian.AppendUint16(b, uint16(2+len(content)))
		b = append(b, content...)
	}
	table := make([]byte, 65)
	for i := range table[1:] {
		table[1+i] = f.step
	}
	segment(quantTables, table...)
	frame := binary.BigEndian.AppendUint16([]byte{8}, uint16(f.height))
	frame = append(binary.BigEndian.AppendUint16(frame, uint16(f.width)), byte(len(f.factors)))
	scan := []byte{byte(len(f.factors))}
	for i, hv := range f.factors {
		frame = append(frame, byte(i+1), hv, 0)
		scan = append(scan, byte(i+1), byte(min(i, 1)*0x11))
	}
	segment(startOfFrame0, frame...)
	segment(application0+1, 'x', 0xff, endOfImage)
	var codes [2][2]codeBook
	for class := range codes {
		for id := range codes[class] {
			definition := append([]byte{byte(class<<4 | id)}, codes[class][id].draw(rng, class)...)
			segment(huffmanTables, definition...)
		}
	}
	if f.restart > 0 {
		segment(restartEvery, byte(f.restart>>8), byte(f.restart))
	}
	segment(startOfScan, append(scan, 0, 63, 0)...)

	h, v := int(f.factors[0]>>4), int(f.factors[0]&15)
	if len(f.factors) == 1 {
		h, v = 1, 1
	}
	mcus := ((f.width + 8*h - 1) / (8 * h)) * ((f.height + 8*v - 1) / (8 * v))
	w := bitWriter{b: b}
	for mcu := range mcus {
		if f.restart > 0 && mcu > 0 && mcu%f.restart == 0 {
			w.marker(restart0 | byte(mcu/f.restart-1)&7)
		}
		for i, hv := range f.factors {
			n := int(hv>>4) * int(hv&15)
			if len(f.factors) == 1 {
				n = 1
			}
			for range n {
				f.block(&w, rng, &codes[0][min(i, 1)], &codes[1][min(i, 1)])
			}
		}
	}
	w.marker(endOfImage)
	return w.b
}

// block writes random coefficients.
func (f drawn) block(w *bitWriter, rng *rand.Rand, dc, ac *codeBook) {
	coefficient := func(codes *codeBook, run, size int) {
		w.put(codes.code[run<<4|size], codes.length[run<<4|size])
		w.put(uint32(rng.Uint64N(1<<size)), size)
	}
	coefficient(dc, 0, rng.IntN(min(f.size, 11)+1))
	for k := 1; ; {
		run := rng.IntN(1 + 120/(f.coefficients+1))
		if k+run > 63 || f.coefficients == 0 {
			w.put(ac.code[0], ac.length[0])
			return
		}
		for k += run + 1; run > 15; run -= 16 {
			w.put(ac.code[0xf0], ac.length[0xf0])
		}
		coefficient(ac, run, 1+rng.IntN(min(f.size, 10)))
		if k > 63 {
			return
		}
	}
}

// codeBook is a Huffman code for writing.
type codeBook struct {
	code   [256]uint32
	length [256]int
}

// draw makes a code of the lengths of annex K's tables for luma, with symbols in random order, and returns what DHT says of it.
func (c *codeBook) draw(rng *rand.Rand, class int) []byte {
	counts := []byte{0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0}
	var symbols []byte
	if class == 0 {
		for size := range 12 {
			symbols = append(symbols, byte(size))
		}
	} else {
		counts = []byte{0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125}
		symbols = append(symbols, 0, 0xf0)
		for run := range 16 {
			for size := 1; size <= 10; size++ {
				symbols = append(symbols, byte(run<<4|size))
			}
		}
	}
	rng.Shuffle(len(symbols), func(i, k int) { symbols[i], symbols[k] = symbols[k], symbols[i] })
	code, n := uint32(0), 0
	for i, count := range counts {
		for range count {
			c.code[symbols[n]], c.length[symbols[n]] = code, i+1
			code, n = code+1, n+1
		}
		code <<= 1
	}
	return append(counts, symbols...)
}

// bitWriter appends bits to b, with a byte of 0 after each of 0xff.
type bitWriter struct {
	b     []byte
	bits  uint32
	count int
}

func (w *bitWriter) put(v uint32, n int) {
	for n--; n >= 0; n-- {
		w.bits = w.bits<<1 | v>>n&1
		if w.count++; w.count == 8 {
			w.b = append(w.b, byte(w.bits))
			if byte(w.bits) == 0xff {
				w.b = append(w.b, 0)
			}
			w.bits, w.count = 0, 0
		}
	}
}

// marker fills the last byte with ones and appends a marker.
func (w *bitWriter) marker(m byte) {
	for w.count > 0 {
		w.put(1, 1)
	}
	w.b = append(w.b, 0xff, m)
}

// face returns a file to time and to spoil, with about as many bits as a face of 112x112 has at quality 90.
func face(rng *rand.Rand) []byte {
	return drawn{width: 112, height: 112, factors: []byte{0x22, 0x11, 0x11}, step: 3, size: 5, coefficients: 9}.file(rng)
}
