package pipeline

import (
	"context"
	"runtime"
	"time"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/pipeline/dataset"
	"github.com/faceverify/fv/pipeline/loader"
)

// LoadingResult says how fast batches of a folder's images are made.
type LoadingResult struct {
	Folder  string `json:"folder"`
	Augment string `json:"augment"`
	Batch   int    `json:"batch"`
	Threads int    `json:"threads"`
	Images  int    `json:"images"` // that were timed
	// Images a second where files are read and decoded, and where they are in memory. Both with resizing, augmentation and
	// conversion to numbers, on all threads together.
	DecodedImgS float64 `json:"decoded_img_s"`
	CachedImgS  float64 `json:"cached_img_s"`
	Unreadable  int     `json:"unreadable"` // images
}

// mostLoaded bounds the images that BenchLoading times.
const mostLoaded = 1 << 14

// BenchLoading times how batches of c.Data's images are made when nothing else is done: first from files, then from memory.
func BenchLoading(ctx context.Context, c Config) (*LoadingResult, error) {
	if err := c.Resolve(); err != nil {
		return nil, err
	}
	contract := embed.DefaultContract(c.Size.Height, c.Size.Width)
	contract.Fit = c.Fit
	set, err := dataset.Open(c.Data, dataset.Options{})
	if err != nil {
		return nil, err
	}
	r := &LoadingResult{Folder: c.Data, Augment: c.Augment, Batch: c.Batch, Threads: c.Threads}
	if r.Threads == 0 {
		r.Threads = runtime.GOMAXPROCS(0)
	}
	l, err := loader.New(loader.Options{
		Set: set, Contract: contract, Augment: c.augmentation(), Batch: c.Batch, Seed: c.Seed, Workers: c.Threads,
		Cache: int64(len(set.Samples) * contract.Len()), OnBad: func(string, error) { r.Unreadable++ },
	})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	steps := min(l.StepsPerEpoch(), mostLoaded/c.Batch)
	r.Images = steps * c.Batch
	// The same batches twice.
	for _, speed := range []*float64{&r.DecodedImgS, &r.CachedImgS} {
		l.Start(0)
		began := time.Now()
		for range steps {
			b, err := l.Next(ctx)
			if err != nil {
				return nil, err
			}
			b.Release()
		}
		*speed = float64(r.Images) / time.Since(began).Seconds()
	}
	return r, nil
}
