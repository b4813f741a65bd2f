package synth

import (
	"context"
	"fmt"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
)

// Options say what Write draws.
type Options struct {
	Identities int // number of people; at least 1
	Images     int // of each; at least 1
	Seed       uint64
	// First is the number of the first person. Sets that share a seed and no
	// number share no person.
	First int
	// Size is the side in pixels; 0 means 112.
	Size int
	// Quality is that of the JPEG files, 1 to 100; 0 means 92. PNG is written if it is negative.
	Quality int
	// Progress, if not nil, is called after each picture, from several
	// goroutines, with the number of pictures that are done.
	Progress func(done int)
}

// Name returns the folder name of a person.
func Name(identity int) string { return fmt.Sprintf("person_%04d", identity) }

// Write draws a data set into dir: a folder a person, with files 0000.jpg and on.
// Files that are there are drawn again. It stops at the first error or when ctx is done.
func Write(ctx context.Context, dir string, o Options) error {
	if o.Identities < 1 || o.Images < 1 {
		return fmt.Errorf("synth: %d people with %d images each; want at least 1 of both", o.Identities, o.Images)
	}
	if o.Size == 0 {
		o.Size = 112
	}
	if o.Quality == 0 {
		o.Quality = 92
	}
	if o.Size < 0 || o.Quality > 100 {
		return fmt.Errorf("synth: size %d, quality %d; want a positive size and a quality of at most 100", o.Size, o.Quality)
	}
	for i := range o.Identities {
		if err := os.MkdirAll(filepath.Join(dir, Name(o.First+i)), 0o755); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, done atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= o.Identities*o.Images {
					return
				}
				if err := o.write(dir, o.First+i/o.Images, i%o.Images); err != nil {
					cancel(err)
					return
				}
				if n := done.Add(1); o.Progress != nil {
					o.Progress(int(n))
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// write draws one picture to its file.
func (o Options) write(dir string, identity, index int) (err error) {
	img := Face(o.Seed, identity, index, o.Size)
	name, extension := filepath.Join(dir, Name(identity), fmt.Sprintf("%04d", index)), ".jpg"
	if o.Quality < 0 {
		extension = ".png"
	}
	f, err := os.Create(name + extension)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	if o.Quality < 0 {
		return png.Encode(f, img)
	}
	return jpeg.Encode(f, img, &jpeg.Options{Quality: o.Quality})
}
