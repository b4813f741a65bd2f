package team

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/faceverify/fv/internal/mpi"
)

// beat is the time between the meetings of ranks that work by themselves.
const beat = time.Second

// stage is how far a rank has come.
type stage struct {
	Done, Total int
	Working     bool
}

// Work runs f on each rank, where it works by itself, and returns when all have ended. Meanwhile they meet once a second: a rank
// that fails or is interrupted stops all, none is long without a sign of the others, and progress, which may be nil, is told how much all have done. f tells
// that of its rank to did. If any rank fails, the context of f is done on the others.
func (t *Team) Work(ctx context.Context, at string, progress func(done, total int), f func(ctx context.Context, did func(done, total int)) error) error {
	if progress == nil {
		progress = func(int, int) {}
	}
	if !t.Several() {
		return f(ctx, progress)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var done, total atomic.Int64
	ended := make(chan error, 1)
	go func() {
		ended <- f(ctx, func(n, of int) {
			done.Store(int64(n))
			total.Store(int64(of))
		})
	}()
	clock := time.NewTicker(beat)
	defer clock.Stop()
	for working := true; ; {
		var err error
		if working {
			select {
			case err = <-ended:
				working = false
			case <-clock.C:
			}
		}
		stages, err := Meet(t, at, stage{int(done.Load()), int(total.Load()), working}, err)
		if err != nil {
			cancel()
			if working {
				<-ended
			}
			return err
		}
		var all stage
		for _, s := range stages {
			all.Done += s.Done
			all.Total += s.Total
		}
		progress(all.Done, all.Total)
		if !slices.ContainsFunc(stages, func(s stage) bool { return s.Working }) {
			return nil
		}
	}
}

// Collect hands what each rank has to take on rank 0, in the order of the ranks. T is what encoding/gob takes. On other ranks take is
// not called.
func Collect[T any](t *Team, mine T, take func(rank int, theirs T)) error {
	if t.Writes() {
		take(0, mine)
		if !t.Several() {
			return nil
		}
		mine = *new(T)
	}
	var text bytes.Buffer
	if err := gob.NewEncoder(&text).Encode(&mine); err != nil {
		return err
	}
	var wrong error
	err := mpi.Deliver(t.Group, text.Bytes(), func(rank int, data []byte) {
		var theirs T
		if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&theirs); err != nil {
			wrong = fmt.Errorf("what rank %d sent cannot be read: %w; this is a mistake in the program", rank, err)
			return
		}
		take(rank, theirs)
	})
	if err != nil {
		return err
	}
	return wrong
}
