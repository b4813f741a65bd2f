package mpi

import (
	"encoding/binary"
	"math"
	"slices"
	"unsafe"
)

// order is the byte order of the machines that MPI libraries are loaded on: memory is sent as it is.
var order = binary.LittleEndian

// bytesOf returns the memory of numbers.
func bytesOf[T float32 | float64 | uint16 | int](x []T) []byte {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), len(x)*int(unsafe.Sizeof(x[0])))
}

// GatherFloats fills dst with the numbers of all ranks, which have equally many, one rank's after the other's.
func GatherFloats[T float32 | float64](g Group, dst, x []T) error {
	counts := make([]int, g.Size())
	for i := range counts {
		counts[i] = len(bytesOf(x))
	}
	return g.AllGather(bytesOf(dst), bytesOf(x), counts)
}

// BroadcastFloats fills x with the numbers of rank root.
func BroadcastFloats(g Group, x []float32, root int) error { return g.Broadcast(bytesOf(x), root) }

// MoveFloats fills x of rank to with x of rank from, which has as many numbers. The other ranks call it with from and to alone.
func MoveFloats(g Group, x []float32, from, to int) error {
	if from == to {
		return nil
	}
	receives, sends := make([]int, g.Size()), make([]int, g.Size())
	var recv, send []byte
	switch g.Rank() {
	case from:
		send, sends[to] = bytesOf(x), 4*len(x)
	case to:
		recv, receives[from] = bytesOf(x), 4*len(x)
	}
	return g.AllToAll(recv, receives, send, sends)
}

// SumFew makes x the sum of the ranks' x, added up in the order of the ranks: for some thousand numbers at most, which
// every rank gets of every other.
func SumFew(g Group, x []float64) error {
	all := make([]float64, g.Size()*len(x))
	if err := GatherFloats(g, all, x); err != nil {
		return err
	}
	copy(x, all)
	for r := 1; r < g.Size(); r++ {
		for i, v := range all[r*len(x):][:len(x)] {
			x[i] += v
		}
	}
	return nil
}

// Summer makes sums of many numbers. Each rank adds up a part of them, in the order of the ranks, and all get all parts:
// every rank sends and receives 2 (p-1)/p of the numbers, p being the ranks, and gets the same bits.
type Summer struct {
	group Group
	// Half sends bfloat16, the float32 numbers rounded to nearest and even, and adds up in float32. Half of the bytes are
	// exchanged, and a sum has 8 significant bits.
	Half bool

	received, part []float32
	halves, sent   []uint16
}

// NewSummer returns a Summer that is alone in using the group.
func NewSummer(g Group) *Summer { return &Summer{group: g} }

// parts returns how many of n numbers each of some ranks adds up.
func parts(size, n int) []int {
	parts := make([]int, size)
	for i := range parts {
		parts[i] = (i+1)*n/size - i*n/size
	}
	return parts
}

// SumInts makes x the sum of the ranks' x, which is exact. They share the work as those of a Summer do.
func SumInts(g Group, x []int) error {
	size, rank := g.Size(), g.Rank()
	if size == 1 {
		return nil
	}
	const width = int(unsafe.Sizeof(0))
	of := parts(size, len(x))
	part, received := make([]int, of[rank]), make([]int, size*of[rank])
	if err := g.AllToAll(bytesOf(received), scaled(slices.Repeat(of[rank:rank+1], size), width), bytesOf(x), scaled(of, width)); err != nil {
		return err
	}
	for i, v := range received {
		part[i%len(part)] += v
	}
	return g.AllGather(bytesOf(x), bytesOf(part), scaled(of, width))
}

// scaled returns counts of numbers as bytes.
func scaled(counts []int, width int) []int {
	bytes := make([]int, len(counts))
	for i, c := range counts {
		bytes[i] = c * width
	}
	return bytes
}

func grow[T any](x *[]T, n int) []T {
	if cap(*x) < n {
		*x = make([]T, n)
	}
	return (*x)[:n]
}

// Sum makes x the sum of the ranks' x.
func (s *Summer) Sum(x []float32) error {
	size, rank := s.group.Size(), s.group.Rank()
	if size == 1 {
		return nil
	}
	parts := parts(size, len(x))
	own := parts[rank]
	from := make([]int, size)
	for i := range from {
		from[i] = own
	}
	received, part := grow(&s.received, own*size), grow(&s.part, own)
	var err error
	if s.Half {
		err = s.exchangeHalf(received, from, x, parts)
	} else {
		err = s.group.AllToAll(bytesOf(received), scaled(from, 4), bytesOf(x), scaled(parts, 4))
	}
	if err != nil {
		return err
	}
	copy(part, received)
	for r := 1; r < size; r++ {
		for i, v := range received[r*own:][:own] {
			part[i] += v
		}
	}
	if s.Half {
		return s.gatherHalf(x, part, parts)
	}
	return s.group.AllGather(bytesOf(x), bytesOf(part), scaled(parts, 4))
}

// exchangeHalf is the first half of a sum.
func (s *Summer) exchangeHalf(received []float32, from []int, x []float32, parts []int) error {
	out, in := grow(&s.halves, len(x)), grow(&s.sent, len(received))
	toHalves(out, x)
	if err := s.group.AllToAll(bytesOf(in), scaled(from, 2), bytesOf(out), scaled(parts, 2)); err != nil {
		return err
	}
	toFloats(received, in)
	return nil
}

// gatherHalf is the other one.
func (s *Summer) gatherHalf(x, part []float32, parts []int) error {
	own, all := grow(&s.sent, len(part)), grow(&s.halves, len(x))
	toHalves(own, part)
	if err := s.group.AllGather(bytesOf(all), bytesOf(own), scaled(parts, 2)); err != nil {
		return err
	}
	toFloats(x, all)
	return nil
}

// toHalves rounds to bfloat16, ties to even; NaN stays NaN.
func toHalves(dst []uint16, x []float32) {
	for i, v := range x {
		b := math.Float32bits(v)
		if v != v {
			dst[i] = uint16(b>>16) | 1<<6
			continue
		}
		dst[i] = uint16((b + 0x7fff + b>>16&1) >> 16)
	}
}

func toFloats(dst []float32, x []uint16) {
	for i, v := range x {
		dst[i] = math.Float32frombits(uint32(v) << 16)
	}
}

// GatherParts returns the numbers of all ranks, of which each has as many as it likes, one rank's after the other's.
func GatherParts(g Group, x []float32) ([]float32, error) {
	parts, err := Gather(g, bytesOf(x))
	if err != nil {
		return nil, err
	}
	bytes := slices.Concat(parts...)
	all := make([]float32, len(bytes)/4)
	copy(bytesOf(all), bytes)
	return all, nil
}
