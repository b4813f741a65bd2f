// Package loader makes the batches of training ahead of the steps that use them: it decodes,
// augments and normalises images on goroutines of its own, keeps decoded images in memory, and sets
// unreadable ones aside.
package loader

import (
	"context"
	"errors"
	"fmt"
	"image"
	"runtime"
	"slices"
	"strings"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/pipeline/augment"
	"github.com/faceverify/fv/pipeline/dataset"
	"github.com/faceverify/fv/pipeline/sampler"
)

// ahead is how many batches are made or in the making before they are asked for. It covers
// the few slow images of a batch, not a disk that is slower than the training.
const ahead = 4

// Held is how many batches a Loader holds at most: those ahead, the one being handed out, the one in use, and a spare.
const Held = ahead + 3

// Options say what a Loader loads.
type Options struct {
	Set      *dataset.Set
	Contract embed.Contract   // how an image becomes numbers
	Augment  augment.Settings // random changes; the zero value makes none
	Batch    int              // images in a batch
	Seed     uint64           // of the order and the changes
	// PerIdentity is how many images of each identity a batch has, which must divide Batch; 0 shows
	// the images in any order.
	PerIdentity int
	// Sampler is the name of what decides which images an epoch shows; empty means sampler.PxK where
	// PerIdentity is not 0, which goes with no other, and else sampler.Images. An epoch has as many batches in any case.
	Sampler string

	// Part and Parts make batches that are only a part of each: the one of that number, from 0, of so many of equal size. What a batch has
	// does not depend on them. 0 Parts means 1, and each batch is whole.
	Part, Parts int

	// Cache is the memory for decoded images of the contract's size, in bytes. Images that
	// do not fit in are decoded each time.
	Cache int64
	// Workers is the number of goroutines that make batches; 0 means GOMAXPROCS.
	Workers int

	// OnBad is called once for each image that cannot be read, with its path and the
	// reason; nil does nothing. Calls come one at a time, from the loader's goroutines.
	OnBad func(path string, err error)
	// Decode reads an image by its file's name; nil means Set.Decode. It
	// must be safe for concurrent use.
	Decode func(path string) (image.Image, error)
}

// Loader makes the batches of a run, one after another, through all epochs. What is in
// a batch depends on the options and the number of its step only: not on Workers, Cache or
// where it was started. The last, partial batch of an epoch is left out.
//
// An image that cannot be read is replaced by the next one of the set that can, the first following the last.
//
// Its methods are for one goroutine.
type Loader struct {
	o      Options
	source *source
	spare  chan *Batch // released batches
	run    *run        // nil until Start
}

// New returns a Loader that waits for Start. It returns an error where the settings or the
// size of the set allow no batch.
func New(o Options) (*Loader, error) {
	err := errors.Join(o.Contract.Validate(), o.Augment.Validate())
	if side := min(o.Contract.Height, o.Contract.Width); o.Augment.Shift > 0 && o.Augment.ShiftBy >= side {
		err = errors.Join(err, fmt.Errorf("loader: shift-by is %d pixels; want less than an image's %d", o.Augment.ShiftBy, side))
	}
	switch n := len(o.Set.Samples); {
	case o.Batch < 1:
		err = errors.Join(err, fmt.Errorf("loader: batch is %d; want at least 1 image", o.Batch))
	case n < o.Batch:
		err = errors.Join(err, fmt.Errorf("loader: %d images in %s make no batch of %d; use a smaller batch or more images", n, o.Set.Root, o.Batch))
	}
	if o.Sampler == "" {
		o.Sampler = sampler.Images
		if o.PerIdentity != 0 {
			o.Sampler = sampler.PxK
		}
	}
	switch {
	case !slices.Contains(sampler.Names(), o.Sampler):
		err = errors.Join(err, fmt.Errorf("loader: there is no sampler %q; there are %s", o.Sampler, strings.Join(sampler.Names(), ", ")))
	case (o.Sampler == sampler.PxK) != (o.PerIdentity != 0):
		err = errors.Join(err, fmt.Errorf("loader: sampler %s with %d images of each identity in a batch; %s goes with a number of images, the others do not", o.Sampler, o.PerIdentity, sampler.PxK))
	case o.PerIdentity != 0:
		err = errors.Join(err, o.checkGroups())
	}
	if o.Parts == 0 {
		o.Parts = 1
	}
	if o.Part < 0 || o.Part >= o.Parts || o.Batch%o.Parts != 0 {
		err = errors.Join(err, fmt.Errorf("loader: part %d of %d of a batch of %d; want parts of equal size, counted from 0", o.Part, o.Parts, o.Batch))
	}
	if o.Workers < 0 || o.Cache < 0 {
		err = errors.Join(err, fmt.Errorf("loader: %d workers and a cache of %d bytes; want no negative number", o.Workers, o.Cache))
	}
	if err != nil {
		return nil, err
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Decode == nil {
		o.Decode = o.Set.Decode
	}
	source, err := newSource(o)
	if err != nil {
		return nil, err
	}
	return &Loader{o: o, source: source, spare: make(chan *Batch, ahead+1)}, nil
}

func (o *Options) checkGroups() error {
	if o.PerIdentity < 0 || o.Batch%o.PerIdentity != 0 {
		return fmt.Errorf("loader: a batch of %d is no whole number of identities with %d images each", o.Batch, o.PerIdentity)
	}
	have := map[int]bool{}
	for _, s := range o.Set.Samples {
		have[s.Identity] = true
	}
	if p := o.Batch / o.PerIdentity; len(have) < p {
		return fmt.Errorf("loader: %d identities in %s make no batch of %d with %d images each", len(have), o.Set.Root, p, o.PerIdentity)
	}
	return nil
}

// order returns the samples of an epoch's batches.
func (l *Loader) order(epoch int) []int {
	n, k := len(l.o.Set.Samples), l.o.PerIdentity
	if l.o.Sampler == sampler.Images {
		return sampler.Order(n, l.o.Seed, epoch)
	}
	identity := make([]int, n)
	for i, s := range l.o.Set.Samples {
		identity[i] = s.Identity
	}
	switch l.o.Sampler {
	case sampler.Identities:
		return sampler.Weighted(identity, n, 0, l.o.Seed, epoch)
	case sampler.Sqrt:
		return sampler.Weighted(identity, n, 0.5, l.o.Seed, epoch)
	}
	return sampler.Grouped(identity, l.StepsPerEpoch(), l.o.Batch/k, k, l.o.Seed, epoch)
}

// StepsPerEpoch returns how many whole batches the set has.
func (l *Loader) StepsPerEpoch() int { return len(l.o.Set.Samples) / l.o.Batch }

// Start begins to make the batches from the given step, counted from 0 over all epochs. After
// a first Start another one drops the batches that were made ahead. It panics if step is negative.
func (l *Loader) Start(step int) {
	if step < 0 {
		panic(fmt.Sprintf("loader: Start at step %d", step))
	}
	l.stop()
	l.run = l.start(step)
}

// Next returns the batch of the next step and waits for it if it must. Its error is that
// of ctx, or says that no image of the set can be read. It panics before Start and after Close.
func (l *Loader) Next(ctx context.Context) (*Batch, error) {
	if l.run == nil {
		panic("loader: Next without Start")
	}
	if l.run.next == nil {
		select {
		case l.run.next = <-l.run.queue:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	b := l.run.next
	select {
	case <-b.done:
	case <-ctx.Done():
		return nil, ctx.Err() // the same batch is next
	}
	l.run.next = nil
	if b.err != nil {
		return nil, b.err
	}
	return b, nil
}

// Close ends the loader's goroutines and gives back its memory. Batches that were
// returned before stay as they are.
func (l *Loader) Close() {
	l.stop()
	l.source.close()
}

func (l *Loader) stop() {
	if l.run != nil {
		l.run.cancel()
		l.run.goroutines.Wait()
		l.run = nil
	}
}
