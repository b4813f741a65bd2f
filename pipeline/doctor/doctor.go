// Package doctor looks at a set of face images as a person would before training on it: what cannot be read, what is there
// twice, who is under the wrong name, what the evaluation set has too. [Examine] finds, [Findings.Page] shows, [Findings.Plan] proposes
// what to set aside, and [Fix] does what a person has made of that proposal.
package doctor

import (
	"context"
	"errors"
	"image"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/pipeline/dataset"
)

// Model is what finds people, not pictures.
type Model struct {
	Embedder eval.Embedder
	Mirror   bool     // the embeddings of an image and of its mirror image are added
	Classes  []string // people that it was trained on
}

// Options say what Examine looks at.
type Options struct {
	Model    *Model       // nil: pictures are compared, people are not
	Against  *dataset.Set // an evaluation set, which should share nothing with this one; nil: none
	Progress func(done, total int)
}

// Findings are what Examine found. Images are numbered by Set.Samples.
type Findings struct {
	Set    *dataset.Set
	Images []Facts
	Counts []int // images of each identity

	Unreadable []int
	Exact      [][]int // groups of images whose files are the same
	Near       []Pair  // pictures that look the same and are not in one group of Exact, most alike first
	Blurred    []int   // most blurred first
	Exposure   []int   // the darkest and the brightest, farthest from the others first

	People  *People  // nil without a model
	Against *Overlap // nil without an evaluation set

	against *dataset.Set
}

// Pair is two images that look the same.
type Pair struct {
	A, B     int
	Bits     int  // of the 256 of their hashes that differ
	Mirrored bool // one is the other's mirror image
}

// Overlap is what a set shares with an evaluation set. The second of each two numbers counts the evaluation set's images or identities.
type Overlap struct {
	Root   string
	Names  []string // identities of the same name
	Exact  [][2]int // images whose files are the same
	Near   []Pair
	People []Alike // identities that look alike; nil without a model
}

// maxCompared is up to how many images all are compared with each other.
const maxCompared = 200_000

// Compared reports whether pictures of different identities were compared: of too many images only those of each identity are.
func (f *Findings) Compared() bool { return len(f.Images) <= maxCompared }

// Examine looks at all images of a set. An image that cannot be read is a finding, not an error.
func Examine(ctx context.Context, set *dataset.Set, o Options) (*Findings, error) {
	f := &Findings{Set: set, Counts: set.Counts(), against: o.Against}
	total := len(set.Samples)
	if o.Against != nil {
		total += len(o.Against.Samples)
	}
	var done atomic.Int64
	tell := func() {
		if n := done.Add(1); o.Progress != nil {
			o.Progress(int(n), total)
		}
	}
	var err error
	var vectors *matrix
	if f.Images, vectors, err = look(ctx, set, o.Model, tell); err != nil {
		return nil, err
	}
	f.sort()
	f.Exact = exact(f.Images)
	f.Near = f.near()
	if vectors != nil {
		f.People = people(set, vectors, o.Model)
	}
	if o.Against != nil {
		others, theirs, err := look(ctx, o.Against, o.Model, tell)
		if err != nil {
			return nil, err
		}
		f.Against = overlap(set, o.Against, f.Images, others)
		if vectors != nil {
			f.Against.People = alikeAcross(set, o.Against, vectors, theirs, f.People.Typical)
		}
	}
	return f, ctx.Err()
}

// look reads all images of a set, and embeds them if there is a model.
func look(ctx context.Context, set *dataset.Set, m *Model, tell func()) ([]Facts, *matrix, error) {
	facts := make([]Facts, len(set.Samples))
	load := func(i int) (image.Image, error) {
		defer tell()
		var img image.Image
		facts[i], img = examine(set, i)
		return img, facts[i].Err
	}
	if m != nil {
		x, err := embedAll(ctx, set, m, load)
		return facts, x, err
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(facts) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				load(i)
			}
		})
	}
	workers.Wait()
	return facts, nil, ctx.Err()
}

// embedAll returns the unit embeddings of all images that can be read.
func embedAll(ctx context.Context, set *dataset.Set, m *Model, load func(i int) (image.Image, error)) (*matrix, error) {
	names := make([]string, len(set.Samples))
	index := make(map[string]int, len(names))
	for i, s := range set.Samples {
		names[i], index[s.Path] = s.Path, i
	}
	if len(index) < len(names) {
		return nil, errors.New("doctor: two images of one name")
	}
	v, err := eval.EmbedImages(ctx, m.Embedder, func(name string) (image.Image, error) { return load(index[name]) }, names, m.Mirror, eval.Options{Batch: 64})
	if err != nil {
		return nil, err
	}
	flip := eval.FlipNone
	if m.Mirror {
		flip = eval.FlipSum
	}
	x := newMatrix(len(names), m.Embedder.Dim())
	var row []float32
	for i, name := range names {
		if v.Has(name) {
			row = v.At(row, name, flip)
			copy(x.row(i), row)
			normalise(x.row(i))
		}
	}
	return x, nil
}
