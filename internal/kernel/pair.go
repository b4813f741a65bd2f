package kernel

import "math"

// Pair is two bfloat16 numbers, the first in the low half: a word of what the matrix instructions read.
type Pair uint32

// roundPair returns the pair of the numbers nearest to a and b, ties to even.
func roundPair(a, b float32) Pair { return Pair(bfloat16(a)) | Pair(bfloat16(b))<<16 }

func bfloat16(x float32) uint16 {
	b := math.Float32bits(x)
	if x != x {
		return uint16(b>>16) | 0x40 // a NaN stays one
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// floats returns the two numbers.
func (p Pair) floats() (a, b float32) {
	return math.Float32frombits(uint32(p) << 16), math.Float32frombits(uint32(p) &^ 0xffff)
}

// pairBlock is the number of rows, and of columns, that a block of pairTile has, and twice the
// number of pairs that a step multiplies.
const pairBlock = 32

// pairTile is one call of the micro-kernel of products of pairs. For each of blocks blocks of 32 rows i, and for
// 32 columns j, it computes
//
//	c[i*ldc+j] (= 0 | +=) sum over s < steps, k < 16 of
//	    a[off[s] + i*aRow + k] . b[s*bStep + k*bRow + j]
//
// where . adds the products of the first and of the second halves. From block to block a moves
// on by aBlock and c by cBlock. Only rows rows in all are wanted; of what is beyond them in the last block some may be
// computed, too. All distances are in words of four bytes. The assembly knows the order of the
// fields.
type pairTile struct {
	a, b          *Pair
	c             *float32
	off           *int
	steps, blocks int
	aRow, aBlock  int
	bRow, bStep   int
	ldc, cBlock   int
	add           int // 1: add to c
	rows          int // 0: all of the blocks
}

// pairOperands are the slices that a pairTile points into, for the generic kernel and the checks.
type pairOperands struct {
	a, b []Pair
	c    []float32
	off  []int
}

// run computes the tile over the operands from their start. It panics where they are too short.
func (t *pairTile) run(o pairOperands) {
	t.steps = len(o.off)
	if t.rows == 0 {
		t.rows = t.blocks * pairBlock
	}
	if t.steps < 1 || t.blocks < 1 || even(t.rows, pairBlock) != t.blocks {
		panic("kernel: empty tile of pairs")
	}
	last := (t.blocks - 1)
	_ = o.b[(t.steps-1)*t.bStep+(pairBlock/2-1)*t.bRow+pairBlock-1]
	_ = o.c[last*t.cBlock+(pairBlock-1)*t.ldc+pairBlock-1]
	for _, at := range o.off {
		_ = o.a[at]
		_ = o.a[at+last*t.aBlock+(pairBlock-1)*t.aRow+pairBlock/2-1]
	}
	if work := pairWork(); t.blocks*t.steps > work {
		t.cut(o, work)
	} else {
		t.dispatch(o)
	}
}

// cut is run by calls of at most work steps of a block. Their sums are the same bits: between calls they are float32 in c, as they are in
// registers.
func (t *pairTile) cut(o pairOperands, work int) {
	blocks := max(1, work/t.steps)
	for b := 0; b < t.blocks; b += blocks {
		for s := 0; s < t.steps; s += work {
			u := *t
			u.blocks, u.steps = min(blocks, t.blocks-b), min(work, t.steps-s)
			u.rows = min(t.rows-b*pairBlock, u.blocks*pairBlock)
			if s > 0 {
				u.add = 1
			}
			u.dispatch(pairOperands{o.a[b*t.aBlock:], o.b[s*t.bStep:], o.c[b*t.cBlock:], o.off[s:][:u.steps]})
		}
	}
}

// runGeneric is the definition of the micro-kernel.
func (t *pairTile) runGeneric(o pairOperands) {
	var row [pairBlock]float32
	for block := range t.blocks {
		for i := range min(pairBlock, t.rows-block*pairBlock) {
			c := o.c[block*t.cBlock+i*t.ldc:][:pairBlock]
			clear(row[:])
			if t.add != 0 {
				copy(row[:], c)
			}
			for s, at := range o.off {
				for k := range pairBlock / 2 {
					a0, a1 := o.a[at+block*t.aBlock+i*t.aRow+k].floats()
					b := o.b[s*t.bStep+k*t.bRow:][:pairBlock]
					for j := range row {
						b0, b1 := b[j].floats()
						row[j] += a0*b0 + a1*b1
					}
				}
			}
			copy(c, row[:])
		}
	}
}

// roundPairsGeneric: dst[i] is the pair of src[2i] and src[2i+1].
func roundPairsGeneric(dst []Pair, src []float32) {
	for i := range dst {
		dst[i] = roundPair(src[2*i], src[2*i+1])
	}
}

// interleavePairsGeneric makes of pixels of words words, two channels each, pairs of neighbouring
// pixels: of pixels 2k and 2k+1 one pair a channel.
func interleavePairsGeneric(dst, src []Pair, words, count int) {
	for k := range count {
		p, q := src[2*k*words:][:words], src[(2*k+1)*words:][:words]
		d := dst[2*k*words:][:2*words]
		for i := range p {
			d[2*i] = p[i]&0xffff | q[i]<<16
			d[2*i+1] = p[i]>>16 | q[i]&^0xffff
		}
	}
}

// transposePairsGeneric: dst[i*dstRow+j] = src[j*srcRow+i] for i < 16 and j < 16 blocks.
func transposePairsGeneric(dst, src []Pair, dstRow, srcRow, blocks int) {
	for j := range 16 * blocks {
		for i, v := range src[j*srcRow:][:16] {
			dst[i*dstRow+j] = v
		}
	}
}

// rowsOutGeneric moves sums of 32 columns to pixels: dst[p*ldc+j] (= src[32p+j] + bias[j] | += src[32p+j]).
func rowsOutGeneric(dst, src, bias []float32, pixels, ldc int, add bool) {
	for p := range pixels {
		s, d := src[p*pairBlock:][:pairBlock], dst[p*ldc:][:pairBlock]
		for j, v := range s {
			switch {
			case add:
				d[j] += v
			case bias != nil:
				d[j] = v + bias[j]
			default:
				d[j] = v
			}
		}
	}
}
