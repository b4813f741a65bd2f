package mpi

import (
	"errors"
	"slices"
	"time"
)

// Group is some processes, its ranks, that work together. Every rank calls the same methods in the same order; a call
// returns when its part is done. One goroutine at a time may use a Group; different Groups do not wait for each other.
//
// After an error, which wraps ErrBroken, a Group is of no further use.
type Group interface {
	Rank() int // of this process, from 0
	Size() int // ranks
	// AllGather fills recv with what all ranks send, one after the other. counts are the bytes that each sends.
	AllGather(recv, send []byte, counts []int) error
	// AllToAll sends the first to[0] bytes to rank 0, the next to[1] to rank 1 and so on, and fills recv with from[0] bytes of
	// rank 0, from[1] of rank 1 and so on.
	AllToAll(recv []byte, from []int, send []byte, to []int) error
	// Broadcast fills data with those of rank root.
	Broadcast(data []byte, root int) error
	// Dup returns another Group of the same ranks.
	Dup() (Group, error)
}

// ErrBroken is in the chain of errors of a Group: ranks have lost each other.
var ErrBroken = errors.New("the ranks have lost each other")

// ErrOpen is in the chain of World.Close's error where all ranks are done, and the library does not end.
var ErrOpen = errors.New("the MPI library does not end")

// World is all processes that a launcher started.
type World interface {
	Group
	// Library says which MPI library is used: its version and its file.
	Library() string
	// SetTimeout bounds the time that a call may take from then on, Close included; 0, as at the start, does not.
	SetTimeout(time.Duration)
	// Close ends the use of MPI. All ranks must call it. An error that wraps ErrBroken leaves MPI to Abort; one that wraps ErrOpen leaves
	// nothing to do but to end the process.
	Close() error
	// Abort makes the launcher end all ranks, as far as it can within some seconds. It does not end this process.
	Abort(code int)
}

// Single is the Group of a process alone.
var Single Group = single{}

type single struct{}

func (single) Rank() int { return 0 }
func (single) Size() int { return 1 }

func (single) AllGather(recv, send []byte, _ []int) error {
	copy(recv, send)
	return nil
}

func (single) AllToAll(recv []byte, _ []int, send []byte, _ []int) error {
	copy(recv, send)
	return nil
}

func (single) Broadcast([]byte, int) error { return nil }
func (single) Dup() (Group, error)         { return Single, nil }

// lengths returns how many bytes each rank is about to send.
func lengths(g Group, own int) ([]int, error) {
	n := g.Size()
	all := make([]byte, 8*n)
	if err := g.AllGather(all, order.AppendUint64(nil, uint64(own)), slices.Repeat([]int{8}, n)); err != nil {
		return nil, err
	}
	lengths := make([]int, n)
	for i := range lengths {
		lengths[i] = int(order.Uint64(all[8*i:]))
	}
	return lengths, nil
}

// Gather returns what each rank sends, of any length.
func Gather(g Group, send []byte) ([][]byte, error) {
	n := g.Size()
	counts, err := lengths(g, len(send))
	if err != nil {
		return nil, err
	}
	size := 0
	for _, c := range counts {
		size += c
	}
	all := make([]byte, size)
	if err := g.AllGather(all, send, counts); err != nil {
		return nil, err
	}
	parts := make([][]byte, n)
	for i, c := range counts {
		parts[i], all = all[:c:c], all[c:]
	}
	return parts, nil
}

// deliverBytes is the most that Deliver moves at a time.
const deliverBytes = 1 << 28

// Deliver hands what each of the other ranks sends, of any length, to take on rank 0, in the order of the ranks; rank 0 holds that of one
// rank at a time. On other ranks take is not called.
func Deliver(g Group, send []byte, take func(rank int, data []byte)) error {
	n, rank := g.Size(), g.Rank()
	lengths, err := lengths(g, len(send))
	if err != nil {
		return err
	}
	for from, length := range lengths {
		if from == 0 {
			continue
		}
		var data []byte
		if rank == 0 {
			data = make([]byte, length)
		}
		for at := 0; at < length; at += deliverBytes {
			piece := min(deliverBytes, length-at)
			in, out, counts, to := []byte(nil), []byte(nil), make([]int, n), make([]int, n)
			switch rank {
			case 0:
				in, counts[from] = data[at:][:piece], piece
			case from:
				out, to[0] = send[at:][:piece], piece
			}
			if err := g.AllToAll(in, counts, out, to); err != nil {
				return err
			}
		}
		if rank == 0 {
			take(from, data)
		}
	}
	return nil
}
