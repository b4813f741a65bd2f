package kernel

import "unsafe"

// Activations that the backward pass reads again may be stored in bfloat16: half of the memory, and half of what is moved
// to it and back. Where they are, pairs are those of neighbouring channels, so that value i of a Layout is in pair i/2; channels
// must be even.

// Halves returns memory for floats as memory for twice as many numbers in bfloat16.
func Halves(x []float32) []Pair {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*Pair)(unsafe.Pointer(&x[0])), len(x))
}

// expandPairsGeneric writes the numbers of pairs to dst.
func expandPairsGeneric(dst []float32, src []Pair) {
	for i := range len(dst) / 2 {
		dst[2*i], dst[2*i+1] = src[i].floats()
	}
}

// roundRowsOutGeneric moves sums of 32 columns to pixels: dst[p*ldc+j] is the pair of src[32p+2j] and the one after it.
func roundRowsOutGeneric(dst []Pair, src []float32, pixels, ldc int) {
	for p := range pixels {
		roundPairsGeneric(dst[p*ldc:][:pairBlock/2], src[p*pairBlock:])
	}
}

// raw returns row y of image n as it is stored, in buffer if that is in bfloat16.
func (s *Source) raw(buffer []float32, n, y int) []float32 {
	at, floats := s.Layout.Offset(n, y, 0), s.Layout.W*s.Layout.C
	if s.Half == nil {
		return s.X[at:][:floats]
	}
	expandPairs(buffer[:floats], s.Half[at/2:])
	return buffer[:floats]
}

// rawBuffer returns memory for raw, which is to be put back; none where it needs none.
func (s *Source) rawBuffer() []float32 {
	if s.Half == nil {
		return nil
	}
	return sumBuffers.get(s.Layout.W * s.Layout.C)
}

// roundTrip writes floats to dst in bfloat16, and what they have become to floats.
func roundTrip(dst []Pair, floats []float32) {
	dst = dst[:len(floats)/2]
	roundPairs(dst, floats)
	expandPairs(floats, dst)
}
