package loader

import "sync/atomic"

// Batch is what one training step needs, or the part of it that Options say.
type Batch struct {
	Step  int // counted from 0 over all epochs
	Epoch int // counted from 0

	Images []float32 // [N, Height, Width, 3], as the contract says
	Labels []int     // [N], the identities
	Paths  []string  // [N], as in the set

	loader   *Loader
	index    []int        // [N], the samples as the order says, before replacement
	left     atomic.Int64 // images that are not made yet
	done     chan struct{}
	err      error // written before done is closed, by the one who wins failed
	failed   atomic.Bool
	released atomic.Bool
}

// batch returns an empty batch: a released one, or a new one.
func (l *Loader) batch(step, epoch int, index []int) *Batch {
	var b *Batch
	select {
	case b = <-l.spare:
	default:
		n := l.o.Batch / l.o.Parts
		b = &Batch{
			Images: make([]float32, n*l.o.Contract.Len()), Labels: make([]int, n), Paths: make([]string, n),
			loader: l,
		}
	}
	b.Step, b.Epoch, b.index = step, epoch, index
	b.left.Store(int64(len(index)))
	b.released.Store(false)
	b.done = make(chan struct{})
	return b
}

// Release gives the batch's memory back to the loader for another batch. The batch must not be used
// afterwards; Release panics where it was released before. A batch that is not released is left
// to the collector. Release may be called from any goroutine.
func (b *Batch) Release() {
	if b.released.Swap(true) {
		panic("loader: a batch released twice")
	}
	select {
	case b.loader.spare <- b:
	default:
	}
}

// finish counts one image as made, or as impossible.
func (b *Batch) finish(err error) {
	if err != nil && b.failed.CompareAndSwap(false, true) {
		b.err = err
	}
	if b.left.Add(-1) == 0 {
		close(b.done)
	}
}
