package loader

import (
	"context"
	"image"
	"sync"

	"github.com/faceverify/fv/internal/random"
	"github.com/faceverify/fv/pipeline/augment"
)

// run is the work from one Start to the next: one goroutine hands out images, the
// workers make them.
type run struct {
	cancel     context.CancelFunc
	goroutines sync.WaitGroup

	queue chan *Batch // in the order of the steps, done or in the making
	next  *Batch      // taken from queue by a Next that was cancelled while waiting
}

// task is image k of a batch.
type task struct {
	batch *Batch
	k     int
}

func (l *Loader) start(step int) *run {
	ctx, cancel := context.WithCancel(context.Background())
	r := &run{cancel: cancel, queue: make(chan *Batch, ahead)}
	// With room for a few, handing out and making need not wait for each other at every image.
	tasks := make(chan task, 2*l.o.Workers)
	r.goroutines.Go(func() { l.handOut(ctx, step, r.queue, tasks) })
	for range l.o.Workers {
		r.goroutines.Go(func() { l.work(ctx, tasks) })
	}
	return r
}

// handOut queues one batch after another, and then gives its images to the workers. The
// queue's capacity bounds how far ahead that is.
func (l *Loader) handOut(ctx context.Context, step int, queue chan<- *Batch, tasks chan<- task) {
	epoch, order := -1, []int(nil)
	for ; ; step++ {
		if e := step / l.StepsPerEpoch(); e != epoch {
			epoch, order = e, l.order(e)
		}
		first := step % l.StepsPerEpoch() * l.o.Batch
		n := l.o.Batch / l.o.Parts
		b := l.batch(step, epoch, order[first+l.o.Part*n:][:n])
		select {
		case queue <- b:
		case <-ctx.Done():
			return
		}
		for k := range b.index {
			select {
			case tasks <- task{b, k}:
			case <-ctx.Done():
				return
			}
		}
	}
}

// work makes images until the run ends.
func (l *Loader) work(ctx context.Context, tasks <-chan task) {
	w := worker{scratch: image.NewNRGBA(image.Rect(0, 0, l.o.Contract.Width, l.o.Contract.Height))}
	for {
		select {
		case t := <-tasks:
			t.batch.finish(l.fill(t.batch, t.k, &w))
		case <-ctx.Done():
			return
		}
	}
}

// worker is the memory for what becomes of one image after another.
type worker struct {
	scratch *image.NRGBA // of the contract's size
	changes augment.Memory
}

// fill makes image k of a batch. Its random changes come from the sample that the order names,
// also where another one replaces it: that one then appears in the epoch twice, changed in two ways.
func (l *Loader) fill(b *Batch, k int, w *worker) error {
	img, used, err := l.source.readable(b.index[k], w.scratch)
	if err != nil {
		return err
	}
	img = l.o.Augment.ApplyIn(&w.changes, random.New(l.o.Seed, random.Augment, b.Epoch, b.index[k]), img)
	n := l.o.Contract.Len()
	l.o.Contract.Pixels(b.Images[k*n:][:n], img)
	b.Labels[k], b.Paths[k] = l.o.Set.Samples[used].Identity, l.o.Set.Samples[used].Path
	return nil
}
