package embed

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/disintegration/imaging"
)

func mustEmbedder(t testing.TB, m *Model, o Options) *Embedder {
	t.Helper()
	e, err := m.Embedder(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// close32 reports whether got is want to float32's rounding over sums of some 50 terms.
func close32(got []float32, want []float64) bool {
	return slices.EqualFunc(got, want, func(g float32, w float64) bool {
		return math.Abs(float64(g)-w) <= 1e-5+1e-5*math.Abs(w)
	})
}

// Embed is what a plain float64 computation gives, under each flip rule.
func TestEmbed(t *testing.T) {
	img := noise(3, 8, 6)
	for _, flip := range []string{FlipNone, FlipSum, FlipConcat} {
		for _, batch := range []int{1, 2, 5} {
			m := tiny()
			m.Contract.Flip = flip
			x := make([]float32, m.Contract.Len())
			m.Contract.Pixels(x, img)
			want := oracle(m, x)
			m.Contract.Pixels(x, imaging.FlipH(img))
			other := oracle(m, x)
			switch flip {
			case FlipSum:
				for i := range want {
					want[i] += other[i]
				}
			case FlipConcat:
				want = append(want, other...)
			}
			e := mustEmbedder(t, m, Options{Threads: 2, Batch: batch})
			got, err := e.Embed(img)
			if err != nil {
				t.Fatal(err)
			}
			if !close32(got, want) {
				t.Errorf("%s, batch %d: %v, want %v", flip, batch, got, want)
			}
			if len(got) != e.Contract().Dim(e.Dim()) {
				t.Errorf("%s: %d values, the contract says %d", flip, len(got), e.Contract().Dim(e.Dim()))
			}
		}
	}
}

// EmbedBatch gives unflipped embeddings in the images' order, whatever the batch, and the same
// bits whatever the threads.
func TestEmbedBatch(t *testing.T) {
	m := tiny()
	var images []image.Image
	var want [][]float64
	x := make([]float32, m.Contract.Len())
	for i := range 7 {
		img := noise(uint64(i), 8+i, 6)
		images = append(images, img)
		m.Contract.Pixels(x, img)
		want = append(want, oracle(m, x))
	}
	for _, batch := range []int{1, 3, 7, 0} {
		var first [][]float32
		for _, threads := range []int{1, 3, 0} {
			e := mustEmbedder(t, m, Options{Threads: threads, Batch: batch})
			got, err := e.EmbedBatch(t.Context(), images)
			if err != nil || len(got) != len(want) {
				t.Fatalf("%d vectors, %v", len(got), err)
			}
			for i := range want {
				if !close32(got[i], want[i]) {
					t.Errorf("batch %d, image %d: %v, want %v", batch, i, got[i], want[i])
				}
				if first != nil && !slices.Equal(got[i], first[i]) {
					t.Errorf("batch %d, image %d: other bits with %d threads", batch, i, threads)
				}
			}
			first = got
		}
	}
	if got, err := mustEmbedder(t, m, Options{}).EmbedBatch(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("no images: %v, %v", got, err)
	}
}

// Many goroutines use one embedder; run with -race.
func TestEmbedConcurrently(t *testing.T) {
	e := mustEmbedder(t, tiny(), Options{Threads: 2, Batch: 2})
	var images []image.Image
	var want [][]float32
	for i := range 8 {
		images = append(images, noise(uint64(i), 8, 6))
		v, err := e.Embed(images[i])
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, v)
	}
	var wg sync.WaitGroup
	errs := make(chan error, 64)
	for g := range 8 {
		wg.Go(func() {
			for i := range images {
				k := (g + i) % len(images)
				got, err := e.Embed(images[k])
				if err != nil || !slices.Equal(got, want[k]) {
					errs <- fmt.Errorf("image %d: %v, %v, want %v", k, got, err, want[k])
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
}

func TestEmbedderMistakes(t *testing.T) {
	m := tiny()
	e := mustEmbedder(t, m, Options{})
	for _, img := range []image.Image{nil, image.NewNRGBA(image.Rectangle{})} {
		if _, err := e.Embed(img); err == nil || !strings.Contains(err.Error(), "image 1 of 1 has no pixels") {
			t.Errorf("an empty image: %v", err)
		}
	}
	if _, err := e.EmbedBatch(t.Context(), []image.Image{noise(1, 8, 6), nil}); err == nil || !strings.Contains(err.Error(), "image 2 of 2") {
		t.Errorf("a nil image: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.EmbedBatch(ctx, []image.Image{noise(1, 8, 6)}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is done: %v", err)
	}
	e.Close()
	e.Close()
	if _, err := e.Embed(noise(1, 8, 6)); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := m.Embedder(Options{Threads: -1}); err == nil {
		t.Error("-1 threads: no error")
	}
	if _, err := Open(filepath.Join(t.TempDir(), "nothing")); err == nil {
		t.Error("no file: no error")
	}
}

// Every family compiles and gives embeddings that are finite and not all alike.
func TestBackbonesEmbed(t *testing.T) {
	for _, tt := range []struct {
		name          string
		height, width int
	}{
		{"sfnet10", 32, 16}, {"sfnet10-bn", 16, 32}, {"mobilefacenet", 32, 48}, {"iresnet18", 32, 16},
	} {
		n := mustBackbone(t, tt.name, BackboneOptions{Embedding: 8, Height: tt.height, Width: tt.width})
		e := mustEmbedder(t, NewModel(n, DefaultContract(tt.height, tt.width), 1), Options{})
		got, err := e.EmbedBatch(t.Context(), []image.Image{noise(1, 40, 40), noise(2, 40, 40)})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range got {
			for _, x := range v {
				if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
					t.Fatalf("%s: %v", tt.name, v)
				}
			}
		}
		if slices.Equal(got[0], got[1]) {
			t.Errorf("%s: two images have the embedding %v", tt.name, got[0])
		}
	}
}
