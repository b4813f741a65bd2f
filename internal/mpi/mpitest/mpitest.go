// Package mpitest has ranks that are goroutines, for tests.
package mpitest

import (
	"fmt"
	"sync"

	"github.com/faceverify/fv/internal/mpi"
)

// New returns the ranks of a group of so many.
func New(size int) []mpi.Group {
	s := &shared{size: size, dups: map[int]*shared{}}
	s.moved.L = &s.mu
	return s.ranks()
}

// Run calls f for each of so many ranks, at the same time, and returns their errors. A rank that has an error, or ends the goroutine,
// leaves: calls of the others that wait for it fail.
func Run(size int, f func(mpi.Group) error) []error {
	errs := make([]error, size)
	var wg sync.WaitGroup
	for i, g := range New(size) {
		wg.Go(func() {
			defer g.(*rank).leave()
			errs[i] = f(g)
		})
	}
	wg.Wait()
	return errs
}

// shared is what the ranks of a group share. A call has two meetings: when all have come each can read what the others brought, and
// when all have read each may go.
type shared struct {
	size int

	mu      sync.Mutex
	moved   sync.Cond
	calls   []func(to int) []byte // what each rank sends to another one, while a call is under way
	arrived int
	meeting int
	left    bool // a rank has gone for good
	dups    map[int]*shared
}

func (s *shared) ranks() []mpi.Group {
	s.calls = make([]func(int) []byte, s.size)
	var ranks []mpi.Group
	for i := range s.size {
		ranks = append(ranks, &rank{shared: s, number: i})
	}
	return ranks
}

type rank struct {
	*shared
	number int
	dupped int
}

func (r *rank) Rank() int { return r.number }
func (r *rank) Size() int { return r.size }

// meet waits for all ranks.
func (r *rank) meet() error {
	s := r.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.meeting
	if s.arrived++; s.arrived == s.size {
		s.arrived = 0
		s.meeting++
		s.moved.Broadcast()
		return nil
	}
	for s.meeting == now && !s.left {
		s.moved.Wait()
	}
	if s.meeting == now {
		return fmt.Errorf("%w: one has left", mpi.ErrBroken)
	}
	return nil
}

// leave makes calls that wait for this rank fail.
func (r *rank) leave() {
	s := r.shared
	s.mu.Lock()
	s.left = true
	dups := s.dups
	s.moved.Broadcast()
	s.mu.Unlock()
	for _, d := range dups {
		(&rank{shared: d}).leave()
	}
}

// call brings what send says and takes what the others bring.
func (r *rank) call(send func(to int) []byte, take func(from int, data []byte)) error {
	r.mu.Lock()
	r.calls[r.number] = send
	r.mu.Unlock()
	if err := r.meet(); err != nil {
		return err
	}
	for from := range r.size {
		r.mu.Lock()
		brought := r.calls[from]
		r.mu.Unlock()
		take(from, brought(r.number))
	}
	return r.meet()
}

// AllGather implements mpi.Group.
func (r *rank) AllGather(recv, send []byte, counts []int) error {
	return r.call(func(int) []byte { return send }, func(from int, data []byte) {
		if len(data) != counts[from] {
			panic(fmt.Sprintf("mpitest: rank %d sends %d bytes, rank %d expects %d", from, len(data), r.number, counts[from]))
		}
		copy(recv[sum(counts[:from]):], data)
	})
}

// AllToAll implements mpi.Group.
func (r *rank) AllToAll(recv []byte, from []int, send []byte, to []int) error {
	return r.call(func(i int) []byte { return send[sum(to[:i]):][:to[i]] }, func(i int, data []byte) {
		if len(data) != from[i] {
			panic(fmt.Sprintf("mpitest: rank %d sends %d bytes to rank %d, which expects %d", i, len(data), r.number, from[i]))
		}
		copy(recv[sum(from[:i]):], data)
	})
}

// Broadcast implements mpi.Group.
func (r *rank) Broadcast(data []byte, root int) error {
	return r.call(func(int) []byte { return data }, func(from int, sent []byte) {
		if from == root && r.number != root {
			copy(data, sent)
		}
	})
}

// Dup implements mpi.Group.
func (r *rank) Dup() (mpi.Group, error) {
	s := r.shared
	s.mu.Lock()
	d := s.dups[r.dupped]
	if d == nil {
		d = &shared{size: s.size, dups: map[int]*shared{}, left: s.left}
		d.moved.L = &d.mu
		d.ranks()
		s.dups[r.dupped] = d
	}
	r.dupped++
	s.mu.Unlock()
	return &rank{shared: d, number: r.number}, r.meet()
}

func sum(x []int) int {
	n := 0
	for _, v := range x {
		n += v
	}
	return n
}
