package baseline

import "bytes"

// look is the number of bits that are looked up at once: enough for nearly all codes, and for most together with their coefficient.
const look = 10

// huffman is a table of codes (T.81, annex C).
type huffman struct {
	// direct holds, for each value of the next look bits, a code and what follows it:
	//
	//	bits 0-7    what to skip; 0: the code is longer than look bits
	//	bits 8-15   the code's symbol: a run of zeros in the upper half, the size of a coefficient in the lower
	//	bits 16-31  the coefficient, signed, where it lies in the look bits too and is skipped with the code; 0: it does not
	direct [1 << look]uint32
	// Codes of n bits are below limit[n] when followed by further bits up to 16; their symbols stand at the code plus at[n].
	limit [17]uint32
	at    [17]int32

	symbols    [256]byte
	definition []byte // that the table was made of
}

// set makes the table of the 16 numbers of codes of each length and the symbols after them. It reports whether that is a
// table: more codes than there is room for are not.
func (h *huffman) set(definition []byte) bool {
	if bytes.Equal(h.definition, definition) {
		return true
	}
	h.definition = h.definition[:0] // nothing, should this fail
	clear(h.symbols[:])
	clear(h.direct[:])
	counts := definition[:16]
	symbols := h.symbols[:copy(h.symbols[:], definition[16:])]
	code, first := 0, 0 // the next code, and where its symbol is
	for n := 1; n <= 16; n++ {
		count := int(counts[n-1])
		if code+count > 1<<n {
			return false
		}
		h.at[n] = int32(first - code)
		if n <= look {
			for i, s := range symbols[first:][:count] {
				for low := range 1 << (look - n) {
					bits := (code+i)<<(look-n) | low
					h.direct[bits] = entry(s, n, bits)
				}
			}
		}
		code, first = code+count, first+count
		h.limit[n] = uint32(code) << (16 - n)
		code <<= 1
	}
	h.definition = append(h.definition, definition...)
	return true
}

// entry returns what direct holds for bits that begin with the n bits of symbol's code.
func entry(symbol byte, n, bits int) uint32 {
	size := int(symbol & 15)
	if size == 0 || n+size > look {
		return uint32(symbol)<<8 | uint32(n)
	}
	v := extend(uint64(bits)>>(look-n-size)&(1<<size-1), uint(size))
	return uint32(v)<<16 | uint32(symbol)<<8 | uint32(n+size)
}

// extend returns the coefficient that is coded as size bits of value v (T.81, F.2.2.1). size is 1 to 15.
func extend(v uint64, size uint) int32 {
	// Where the first bit is 0 the coefficient is negative.
	return int32(v) + (int32(v>>(size-1))-1)&(1-1<<size)
}

// long returns symbol and length of the code at the beginning of 16 bits, which is longer than look; length 0 if it is none.
func (h *huffman) long(bits uint32) (symbol byte, length uint) {
	for n := look + 1; n <= 16; n++ {
		if bits < h.limit[n] {
			return h.symbols[uint8(int32(bits>>(16-n))+h.at[n])], uint(n)
		}
	}
	return 0, 0
}
