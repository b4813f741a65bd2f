package eval

import (
	"context"
	"errors"
	"fmt"
	"image"
	"iter"
	"maps"
	"math"
	"runtime"
	"strings"
	"sync"

	"github.com/disintegration/imaging"
)

// Embedder turns face images into vectors. Vectors need not have unit length.
type Embedder interface {
	// Dim is the length of a vector.
	Dim() int
	// EmbedBatch returns one vector of Dim values for each image, in order. It must
	// not mirror the images itself: that is for the protocols to say.
	EmbedBatch(ctx context.Context, images []image.Image) ([][]float32, error)
}

// LoadFunc returns the image of a name that occurs in pairs. It is called from several
// goroutines.
type LoadFunc func(name string) (image.Image, error)

// How an image's mirror image takes part in its embedding.
const (
	FlipNone   = "none"   // f(x)
	FlipSum    = "sum"    // f(x) + f(mirrored x)
	FlipConcat = "concat" // [f(x), f(mirrored x)]
	FlipGiven  = "given"  // unknown: scores or embeddings were given
)

// Vectors holds the embeddings of named images, and of their mirror images if these
// were asked for.
type Vectors struct {
	Dim    int
	Failed map[string]error // images that could not be loaded; they have no vector

	index    map[string]int
	straight []float32 // [N, Dim]
	mirrored []float32 // [N, Dim], nil without mirror images
}

// ImagesError lists every image that could not be loaded.
type ImagesError struct {
	Total int // images asked for
	Names []string
	Errs  []error
}

// shownImages is how many images an ImagesError's text lists.
const shownImages = 20

// Error lists the first 20, one a line, and says how many more there are; List has all.
func (e *ImagesError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d images cannot be read:", len(e.Names), e.Total)
	n := min(len(e.Names), shownImages)
	e.list(&b, n)
	if more := len(e.Names) - n; more > 0 {
		fmt.Fprintf(&b, "\n  ... and %d more", more)
	}
	return b.String()
}

// Cut is whether Error lists fewer than there are.
func (e *ImagesError) Cut() bool { return len(e.Names) > shownImages }

// List lists all of them, one a line.
func (e *ImagesError) List() string {
	var b strings.Builder
	e.list(&b, len(e.Names))
	return strings.TrimPrefix(b.String(), "\n")
}

func (e *ImagesError) list(b *strings.Builder, n int) {
	for i, name := range e.Names[:n] {
		fmt.Fprintf(b, "\n  %s: %v", name, e.Errs[i])
	}
}

// Unwrap returns the errors of the images.
func (e *ImagesError) Unwrap() []error { return e.Errs }

// EmbedImages embeds each named image once, and its mirror image if mirror is set.
// Images are loaded ahead of the embedder, in parallel. Those that cannot be loaded are
// in Failed. It is an error if the embedder fails or gives a vector that is not finite
// or is zero.
func EmbedImages(ctx context.Context, e Embedder, load LoadFunc, names []string, mirror bool, o Options) (*Vectors, error) {
	all := newVectors(e.Dim(), len(names))
	for v, err := range EmbedBatches(ctx, e, load, names, mirror, o) {
		if err != nil {
			return nil, err
		}
		all.append(v)
	}
	return all, nil
}

// EmbedBatches is EmbedImages for more images than should be held: it gives the vectors of the first
// batch of names, then those of the next. A name that comes again is passed over. After an error, which ctx may be
// the cause of, comes nothing.
func EmbedBatches(ctx context.Context, e Embedder, load LoadFunc, names []string, mirror bool, o Options) iter.Seq2[*Vectors, error] {
	return func(yield func(*Vectors, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		names := unique(names)
		done := 0
		for batch := range loadBatches(ctx, load, names, o.batch()) {
			v := newVectors(e.Dim(), len(batch))
			images := make([]image.Image, 0, len(batch))
			kept := make([]string, 0, len(batch))
			for _, l := range batch {
				if l.err != nil {
					v.Failed[l.name] = l.err
					continue
				}
				images, kept = append(images, l.image), append(kept, l.name)
			}
			if err := v.add(ctx, e, kept, images, mirror); err != nil {
				yield(nil, err)
				return
			}
			done += len(batch)
			if o.Progress != nil {
				o.Progress(done, len(names))
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// unique returns the names without those that have come before.
func unique(names []string) []string {
	seen := make(map[string]bool, len(names))
	var first []string
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			first = append(first, name)
		}
	}
	return first
}

// newVectors returns Vectors of no images, with room in the index for n.
func newVectors(dim, n int) *Vectors {
	return &Vectors{Dim: dim, Failed: map[string]error{}, index: make(map[string]int, n)}
}

// append adds the images of w, which are others.
func (v *Vectors) append(w *Vectors) {
	first := v.Len()
	for name, i := range w.index {
		v.index[name] = first + i
	}
	maps.Copy(v.Failed, w.Failed)
	v.straight, v.mirrored = append(v.straight, w.straight...), append(v.mirrored, w.mirrored...)
}

func (v *Vectors) add(ctx context.Context, e Embedder, names []string, images []image.Image, mirror bool) error {
	if len(images) == 0 {
		return nil
	}
	var err error
	if v.straight, err = v.embed(ctx, e, names, images, v.straight); err != nil {
		return err
	}
	if mirror {
		flipped := make([]image.Image, len(images))
		for i, img := range images {
			flipped[i] = imaging.FlipH(img)
		}
		if v.mirrored, err = v.embed(ctx, e, names, flipped, v.mirrored); err != nil {
			return err
		}
	}
	for _, name := range names {
		v.index[name] = len(v.index)
	}
	return nil
}

// embed appends the vectors of images to dst.
func (v *Vectors) embed(ctx context.Context, e Embedder, names []string, images []image.Image, dst []float32) ([]float32, error) {
	vectors, err := e.EmbedBatch(ctx, images)
	if err != nil {
		return nil, fmt.Errorf("embedding %s ... %s: %w", names[0], names[len(names)-1], err)
	}
	if len(vectors) != len(images) {
		return nil, fmt.Errorf("the embedder gave %d vectors for %d images", len(vectors), len(images))
	}
	for i, x := range vectors {
		if len(x) != v.Dim {
			return nil, fmt.Errorf("%s: the embedder gave %d values, its dimension is %d", names[i], len(x), v.Dim)
		}
		if err := checkVector(names[i], x); err != nil {
			return nil, err
		}
		dst = append(dst, x...)
	}
	return dst, nil
}

// checkVector returns an error if x has no direction.
func checkVector(name string, x []float32) error {
	var sum float64
	for _, value := range x {
		sum += float64(value) * float64(value)
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return fmt.Errorf("%s: the embedding has a value that is not finite; the model is broken, or its training diverged", name)
	}
	if sum == 0 {
		return fmt.Errorf("%s: the embedding is zero; the model is broken, or its training collapsed", name)
	}
	return nil
}

// NewVectors makes Vectors of matrices computed elsewhere: straight [N, dim] holds the
// embeddings of the named images in order, mirrored those of their mirror images; nil
// if there are none. The slices are kept. A vector that is not finite or is zero is an
// error. It panics if the lengths differ.
func NewVectors(names []string, dim int, straight, mirrored []float32) (*Vectors, error) {
	if len(straight) != len(names)*dim || mirrored != nil && len(mirrored) != len(straight) {
		panic(fmt.Sprintf("eval: %d and %d values for %d vectors of %d", len(straight), len(mirrored), len(names), dim))
	}
	v := &Vectors{Dim: dim, index: make(map[string]int, len(names)), straight: straight, mirrored: mirrored}
	for i, name := range names {
		v.index[name] = i
		for _, m := range [][]float32{straight, mirrored} {
			if m == nil {
				continue
			}
			if err := checkVector(name, m[i*dim:(i+1)*dim]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// Has reports whether name has a vector.
func (v *Vectors) Has(name string) bool { _, ok := v.index[name]; return ok }

// Len returns how many images have vectors.
func (v *Vectors) Len() int { return len(v.index) }

// At writes the embedding of name under a flip rule to dst, which is grown as needed,
// and returns it: Dim values, twice as many for FlipConcat. It panics if name has no
// vector, or the rule needs mirror images that were not embedded.
func (v *Vectors) At(dst []float32, name, flip string) []float32 {
	i, ok := v.index[name]
	if !ok {
		panic("eval: no vector of " + name)
	}
	dst = append(dst[:0], v.straight[i*v.Dim:(i+1)*v.Dim]...)
	if flip == FlipNone || flip == FlipGiven {
		return dst
	}
	if v.mirrored == nil {
		panic("eval: flip rule " + flip + " without mirror images")
	}
	m := v.mirrored[i*v.Dim : (i+1)*v.Dim]
	switch flip {
	case FlipSum:
		for j, x := range m {
			dst[j] += x
		}
		return dst
	case FlipConcat:
		return append(dst, m...)
	}
	panic("eval: flip rule " + flip)
}

// Cosine returns <a, b> / (|a||b|), accumulated in float64; NaN if either is zero.
func Cosine(a, b []float32) float64 {
	if len(a) != len(b) {
		panic(fmt.Sprintf("eval: cosine of %d and %d values", len(a), len(b)))
	}
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab += x * y
		aa += x * x
		bb += y * y
	}
	return ab / math.Sqrt(aa*bb)
}

// Scores returns the cosine of each pair under a flip rule. Its two images must have
// vectors.
func (v *Vectors) Scores(pairs *Pairs, flip string) []float64 {
	scores := make([]float64, len(pairs.Pairs))
	var a, b []float32
	for i, p := range pairs.Pairs {
		a, b = v.At(a, p.A, flip), v.At(b, p.B, flip)
		scores[i] = Cosine(a, b)
	}
	return scores
}

type loaded struct {
	name  string
	image image.Image
	err   error
}

// loadBatches loads names in order, a batch at a time; the next batch is loaded while the
// last one is in use.
func loadBatches(ctx context.Context, load LoadFunc, names []string, size int) <-chan []loaded {
	out := make(chan []loaded)
	go func() {
		defer close(out)
		for start := 0; start < len(names); start += size {
			batch := make([]loaded, min(size, len(names)-start))
			next := make(chan int)
			var wg sync.WaitGroup
			for range min(runtime.GOMAXPROCS(0), len(batch)) {
				wg.Go(func() {
					for i := range next {
						batch[i] = loadOne(load, names[start+i])
					}
				})
			}
			for i := range batch {
				if ctx.Err() != nil {
					break
				}
				next <- i
			}
			close(next)
			wg.Wait()
			if ctx.Err() != nil { // the batch is not whole
				return
			}
			select {
			case out <- batch:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func loadOne(load LoadFunc, name string) loaded {
	img, err := load(name)
	if err == nil && (img == nil || img.Bounds().Empty()) {
		err = errors.New("the image has no pixels")
	}
	return loaded{name, img, err}
}
