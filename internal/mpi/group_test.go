package mpi_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/faceverify/fv/internal/mpi"
	"github.com/faceverify/fv/internal/mpi/mpitest"
)

// eachGroup runs f on ranks that are goroutines, and on a process alone.
func eachGroup(t *testing.T, f func(mpi.Group) error) {
	t.Helper()
	if err := f(mpi.Single); err != nil {
		t.Error(err)
	}
	for _, size := range []int{2, 3, 5} {
		for r, err := range mpitest.Run(size, f) {
			if err != nil {
				t.Errorf("rank %d of %d: %v", r, size, err)
			}
		}
	}
}

func TestCollectives(t *testing.T) { eachGroup(t, conformance) }

// conformance tries everything that a Group does.
func conformance(g mpi.Group) error {
	for _, f := range []func(mpi.Group) error{gathers, deliveries, sums, ints, few, halves, broadcasts} {
		if err := f(g); err != nil {
			return err
		}
	}
	other, err := g.Dup()
	if err != nil {
		return err
	}
	// Calls on two groups may be under way at once, and end in any order.
	done := make(chan error, 1)
	go func() { done <- errors.Join(sums(other), gathers(other)) }()
	return errors.Join(gathers(g), few(g), gathers(g), <-done)
}

func gathers(g mpi.Group) error {
	said := func(r int) []byte { return bytes.Repeat([]byte{byte('a' + r)}, 3*r) } // rank 0 says nothing
	parts, err := mpi.Gather(g, said(g.Rank()))
	if err != nil {
		return err
	}
	for r, p := range parts {
		if !bytes.Equal(p, said(r)) {
			return fmt.Errorf("of rank %d: %q, want %q", r, p, said(r))
		}
	}
	return nil
}

func deliveries(g mpi.Group) error {
	said := func(r int) []byte { return bytes.Repeat([]byte{byte('a' + r)}, 3*(r-1)) } // rank 1 says nothing
	var send []byte
	if g.Rank() > 0 {
		send = said(g.Rank())
	}
	var from []int
	var wrong error
	err := mpi.Deliver(g, send, func(rank int, data []byte) {
		from = append(from, rank)
		if !bytes.Equal(data, said(rank)) {
			wrong = fmt.Errorf("delivered of rank %d: %q, want %q", rank, data, said(rank))
		}
	})
	var want []int
	for r := 1; r < g.Size() && g.Rank() == 0; r++ {
		want = append(want, r)
	}
	if !slices.Equal(from, want) {
		wrong = fmt.Errorf("rank %d was delivered what ranks %v said, want %v", g.Rank(), from, want)
	}
	return errors.Join(err, wrong)
}

func ints(g mpi.Group) error {
	for _, n := range []int{0, 1, 2, 1001} {
		x := make([]int, n)
		for i := range x {
			x[i] = 1<<60 + i*g.Rank() // no float64 holds it
		}
		if err := mpi.SumInts(g, x); err != nil {
			return err
		}
		for i, v := range x {
			if want := g.Size()<<60 + i*g.Size()*(g.Size()-1)/2; v != want {
				return fmt.Errorf("sum %d of %d is %d, want %d", i, n, v, want)
			}
		}
	}
	return nil
}

// numbers are those of a rank: their sums depend on the order in which they are added up.
func numbers(rank, n int) []float32 {
	r := rand.New(rand.NewPCG(uint64(rank), uint64(n)))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.Ldexp(r.NormFloat64(), r.IntN(20)))
	}
	return x
}

func sums(g mpi.Group) error {
	var sent atomic.Int64
	s := mpi.NewSummer(mpi.Counted(g, &sent))
	for _, n := range []int{0, 1, 7, 1000, 20001} {
		x, want := numbers(g.Rank(), n), make([]float32, n)
		for r := range g.Size() {
			for i, v := range numbers(r, n) {
				want[i] += v
			}
		}
		sent.Store(0)
		if err := s.Sum(x); err != nil {
			return err
		}
		if !slices.Equal(x, want) {
			return fmt.Errorf("sum of %d numbers differs from that in the order of the ranks", n)
		}
		if got, want := int(sent.Load()), 8*n*(g.Size()-1)/g.Size(); got > want+8*g.Size() || got < want-8*g.Size() {
			return fmt.Errorf("%d bytes sent for a sum of %d numbers, want about %d", got, n, want)
		}
	}
	return nil
}

func few(g mpi.Group) error {
	x := []float64{1 / float64(g.Rank()+3), 1e9, -float64(g.Rank())}
	want := make([]float64, 3)
	for r := range g.Size() {
		want[0] += 1 / float64(r+3)
		want[1] += 1e9
		want[2] -= float64(r)
	}
	if err := mpi.SumFew(g, x); err != nil {
		return err
	}
	if !slices.Equal(x, want) {
		return fmt.Errorf("sum %v, want %v", x, want)
	}
	return nil
}

// halves checks a sum that is exchanged in bfloat16: each number is rounded once before and once after, to a relative error of at most
// 2^-8 each, as bfloat16 has 8 significant bits.
func halves(g mpi.Group) error {
	if g.Size() == 1 {
		return nil
	}
	var sent atomic.Int64
	s := mpi.NewSummer(mpi.Counted(g, &sent))
	s.Half = true
	const n = 5003
	x := numbers(g.Rank(), n)
	if g.Rank() == 1 {
		x[17] = float32(math.NaN())
	}
	if err := s.Sum(x); err != nil {
		return err
	}
	if got, want := int(sent.Load()), 4*n*(g.Size()-1)/g.Size(); got > want+4*g.Size() {
		return fmt.Errorf("%d bytes sent, want about %d", got, want)
	}
	given := make([][]float32, g.Size())
	for r := range given {
		given[r] = numbers(r, n)
	}
	for i, v := range x {
		var sum, size float64
		for r := range g.Size() {
			y := float64(given[r][i])
			sum, size = sum+y, size+math.Abs(y)
		}
		switch {
		case i == 17:
			if v == v {
				return fmt.Errorf("NaN of one rank became %v", v)
			}
		case math.Abs(float64(v)-sum) > size/128:
			return fmt.Errorf("sum %d is %v, want %v", i, v, sum)
		}
	}
	all := make([]float32, g.Size()*n)
	if err := mpi.GatherFloats(g, all, x); err != nil {
		return err
	}
	for i, v := range all {
		if math.Float32bits(v) != math.Float32bits(x[i%n]) {
			return fmt.Errorf("rank %d has another sum: %v, not %v", i/n, v, x[i%n])
		}
	}
	return nil
}

func broadcasts(g mpi.Group) error {
	root := g.Size() - 1
	x := []float32{float32(g.Rank()), 5}
	if err := mpi.BroadcastFloats(g, x, root); err != nil {
		return err
	}
	if x[0] != float32(root) || x[1] != 5 {
		return fmt.Errorf("broadcast of rank %d gives %v", root, x)
	}
	return nil
}

// Who waits for a rank that has gone gets an error.
func TestRankLeaves(t *testing.T) {
	gone := errors.New("gone")
	for r, err := range mpitest.Run(3, func(g mpi.Group) error {
		if err := gathers(g); err != nil || g.Rank() == 1 {
			return errors.Join(err, gone)
		}
		return gathers(g)
	}) {
		if want := map[bool]error{true: gone, false: mpi.ErrBroken}[r == 1]; !errors.Is(err, want) {
			t.Errorf("rank %d: %v, want %v", r, err, want)
		}
	}
}
