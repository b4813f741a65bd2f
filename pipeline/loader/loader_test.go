package loader

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/internal/random"
	"github.com/faceverify/fv/pipeline/augment"
	"github.com/faceverify/fv/pipeline/dataset"
	"github.com/faceverify/fv/pipeline/sampler"
)

const (
	height, width = 12, 18
	imageBytes    = height * width * 3
)

var errBroken = errors.New("broken")

// files is a set whose images are drawn when they are read, and some of which cannot be.
type files struct {
	set   *dataset.Set
	bad   []int
	reads atomic.Int64

	mu       sync.Mutex
	reported []string
}

func newFiles(n int, bad ...int) *files {
	f := &files{set: &dataset.Set{Root: "root"}, bad: bad}
	for i := range n {
		f.set.Samples = append(f.set.Samples, dataset.Sample{Path: fmt.Sprintf("p%d/%d.png", i/3, i), Identity: i / 3})
	}
	return f
}

func (f *files) picture(i int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for k := range img.Pix {
		img.Pix[k] = uint8(31*i + 7*k + k*k/50)
		if k%4 == 3 {
			img.Pix[k] = 255
		}
	}
	return img
}

func (f *files) decode(path string) (image.Image, error) {
	f.reads.Add(1)
	for i, s := range f.set.Samples {
		if filepath.Join("root", filepath.FromSlash(s.Path)) == path {
			if slices.Contains(f.bad, i) {
				return nil, fmt.Errorf("%s: %w", path, errBroken)
			}
			return f.picture(i), nil
		}
	}
	return nil, fmt.Errorf("no %s", path)
}

func (f *files) options() Options {
	return Options{
		Set: f.set, Contract: embed.DefaultContract(height, width), Batch: 4, Seed: 7,
		Augment: augment.Settings{Flip: 0.5, Shift: 0.8, ShiftBy: 3, RandomCrop: 0.3, Jitter: 0.2},
		Cache:   1 << 20, Workers: 2, Decode: f.decode,
		OnBad: func(path string, err error) {
			if !errors.Is(err, errBroken) {
				panic(err)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.reported = append(f.reported, filepath.ToSlash(path))
		},
	}
}

func open(t testing.TB, o Options) *Loader {
	t.Helper()
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func next(t testing.TB, l *Loader) *Batch {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	b, err := l.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// content is what a batch shows of itself.
type content struct {
	Step, Epoch int
	Images      []float32
	Labels      []int
	Paths       []string
}

func (b *Batch) content() content {
	return content{b.Step, b.Epoch, slices.Clone(b.Images), slices.Clone(b.Labels), slices.Clone(b.Paths)}
}

func equal(a, b content) bool {
	return a.Step == b.Step && a.Epoch == b.Epoch && slices.Equal(a.Images, b.Images) &&
		slices.Equal(a.Labels, b.Labels) && slices.Equal(a.Paths, b.Paths)
}

// expected makes a batch plainly.
func (f *files) expected(o Options, step int) content {
	n := len(f.set.Samples)
	perEpoch := n / o.Batch
	c := content{Step: step, Epoch: step / perEpoch}
	order := sampler.Order(n, o.Seed, c.Epoch)
	for _, i := range order[step%perEpoch*o.Batch:][:o.Batch] {
		rng := random.New(o.Seed, random.Augment, c.Epoch, i)
		for slices.Contains(f.bad, i) {
			i = (i + 1) % n
		}
		pixels := make([]float32, o.Contract.Len())
		o.Contract.Pixels(pixels, o.Augment.Apply(rng, f.picture(i)))
		c.Images = append(c.Images, pixels...)
		c.Labels = append(c.Labels, f.set.Samples[i].Identity)
		c.Paths = append(c.Paths, f.set.Samples[i].Path)
	}
	return c
}

// What a step gets is the same however it came about.
func TestBatchesDependOnTheStepOnly(t *testing.T) {
	for _, bad := range [][]int{nil, {3, 4, 14}} {
		for _, workers := range []int{1, 3} {
			for _, cached := range []int64{0, 5, 6, 15} {
				for _, start := range []int{0, 1, 3, 7} {
					f := newFiles(15, bad...)
					o := f.options()
					o.Workers, o.Cache = workers, cached*imageBytes
					l := open(t, o)
					if l.StepsPerEpoch() != 3 {
						t.Fatalf("%d steps an epoch of 15 images in batches of 4", l.StepsPerEpoch())
					}
					l.Start(start)
					for step := start; step < 10; step++ {
						b := next(t, l)
						if got, want := b.content(), f.expected(o, step); !equal(got, want) {
							t.Fatalf("bad %v, %d workers, %d cached, from step %d: step %d:\n%v %v\nwant\n%v %v", bad, workers, cached, start, step,
								got.Labels, got.Paths, want.Labels, want.Paths)
						}
						b.Release()
					}
					l.Close()
				}
			}
		}
	}
}

func TestStartAgain(t *testing.T) {
	f := newFiles(40)
	o := f.options()
	l := open(t, o)
	for _, start := range []int{0, 25, 3} {
		l.Start(start)
		for step := start; step < start+3; step++ {
			if got, want := next(t, l).content(), f.expected(o, step); !equal(got, want) {
				t.Errorf("after Start(%d): step %d: got step %d, %v, want %v", start, step, got.Step, got.Paths, want.Paths)
			}
		}
	}
}

// A batch's images all come once in an epoch, but for the last, partial batch.
func TestEpochShowsEachSampleOnce(t *testing.T) {
	f := newFiles(17)
	l := open(t, f.options())
	l.Start(0)
	for epoch := range 2 {
		seen := map[string]int{}
		for range l.StepsPerEpoch() {
			for _, p := range next(t, l).Paths {
				seen[p]++
			}
		}
		if len(seen) != 16 {
			t.Errorf("epoch %d shows %d different images of 17, want 16", epoch, len(seen))
		}
	}
}

func TestBadImages(t *testing.T) {
	f := newFiles(12, 2, 3, 11)
	o := f.options()
	o.Cache, o.Workers = 0, 3 // a bad image must not be reported again where it is read again
	l := open(t, o)
	l.Start(0)
	for range 4 * l.StepsPerEpoch() {
		b := next(t, l)
		for k, p := range b.Paths {
			if p == "p0/2.png" || p == "p1/3.png" || p == "p3/11.png" {
				t.Errorf("step %d shows %s", b.Step, p)
			}
			if want := fmt.Sprintf("p%d/", b.Labels[k]); !strings.HasPrefix(p, want) {
				t.Errorf("step %d: label %d for %s", b.Step, b.Labels[k], p)
			}
		}
	}
	l.Close()
	slices.Sort(f.reported)
	if want := []string{"root/p0/2.png", "root/p1/3.png", "root/p3/11.png"}; !slices.Equal(f.reported, want) {
		t.Errorf("reported %v, want %v", f.reported, want)
	}
}

func TestNoReadableImage(t *testing.T) {
	f := newFiles(5, 0, 1, 2, 3, 4)
	l := open(t, f.options())
	l.Start(0)
	for range 2 {
		_, err := l.Next(context.Background())
		if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "none of the 5 images in root can be read") {
			t.Fatalf("error %v", err)
		}
	}
	l.Close()
	if len(f.reported) != 5 {
		t.Errorf("reported %v", f.reported)
	}
}

func TestCacheSavesDecoding(t *testing.T) {
	for _, c := range []struct{ room, low, high int64 }{
		{12, 12, 12}, // each image once
		{1000, 12, 12},
		{5, 12 + 7*2, 1 << 30}, // those without room each epoch
		{0, 36, 1 << 30},
	} {
		f := newFiles(12)
		o := f.options()
		o.Cache = c.room*imageBytes + imageBytes - 1
		o.Workers = 1 // two may read the same image at the turn of an epoch
		l := open(t, o)
		l.Start(0)
		for range 9 {
			next(t, l).Release()
		}
		l.Close()
		if n := f.reads.Load(); n < c.low || n > c.high {
			t.Errorf("room for %d of 12 images: %d files read in 3 epochs, want %d to %d", c.room, n, c.low, c.high)
		}
	}
}

func TestQueueIsBounded(t *testing.T) {
	f := newFiles(400)
	o := f.options()
	l := open(t, o)
	l.Start(0)
	next(t, l)
	for last := int64(-1); last != f.reads.Load(); time.Sleep(20 * time.Millisecond) {
		last = f.reads.Load()
	}
	if n := f.reads.Load(); n > int64((ahead+1)*o.Batch) {
		t.Errorf("%d images read for one batch of %d taken", n, o.Batch)
	}
}

func TestRelease(t *testing.T) {
	f := newFiles(40)
	o := f.options()
	l := open(t, o)
	l.Start(0)
	var kept []*Batch
	for range 3 * ahead { // batches that are not released do not stop the loader
		kept = append(kept, next(t, l))
	}
	for _, b := range kept {
		if !equal(b.content(), f.expected(o, b.Step)) {
			t.Errorf("step %d changed after it was returned", b.Step)
		}
	}
	first := &kept[0].Images[0]
	kept[0].Release()
	for range 2 * ahead {
		if b := next(t, l); &b.Images[0] == first {
			return
		}
	}
	t.Error("a released batch is not used again")
}

func TestReleaseTwice(t *testing.T) {
	l := open(t, newFiles(20).options())
	l.Start(0)
	b := next(t, l)
	l.Close() // so that nobody takes the batch in between
	b.Release()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	b.Release()
}

func TestCancelledNext(t *testing.T) {
	f := newFiles(20)
	o := f.options()
	hold := make(chan struct{})
	o.Decode = func(path string) (image.Image, error) {
		<-hold
		return f.decode(path)
	}
	l := open(t, o)
	l.Start(0)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := l.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	close(hold)
	for step := range 3 { // no batch is lost
		if got := next(t, l).content(); !equal(got, f.expected(o, step)) {
			t.Errorf("after a cancelled Next: step %d, want %d", got.Step, step)
		}
	}
}

func TestCloseEndsGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	f := newFiles(40, 1, 2)
	for i := range 20 {
		o := f.options()
		o.Workers = 1 + i%4
		l, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		for start := range i % 3 {
			l.Start(start)
			if i%2 == 0 {
				next(t, l)
			}
		}
		l.Close()
	}
	// A goroutine counts for a moment after its last statement.
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}

func TestSettingsThatMakeNoBatch(t *testing.T) {
	for _, c := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.Batch = 0 }, "batch is 0"},
		{func(o *Options) { o.Batch = 21 }, "20 images in root make no batch of 21"},
		{func(o *Options) { o.Contract.Height = 0 }, "height is 0"},
		{func(o *Options) { o.Augment.Flip = 2 }, "flip is 2"},
		{func(o *Options) { o.Augment.ShiftBy = height }, "shift-by is 12 pixels; want less than an image's 12"},
		{func(o *Options) { o.Workers = -1 }, "-1 workers"},
		{func(o *Options) { o.Cache = -1 }, "a cache of -1 bytes"},
	} {
		o := newFiles(20).options()
		c.change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one that says %q", err, c.want)
		}
	}
}

func TestNextWithoutStart(t *testing.T) {
	l := open(t, newFiles(20).options())
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = l.Next(context.Background())
}

// Files of all sizes, one of them no image, read by package dataset.
func TestFiles(t *testing.T) {
	root := t.TempDir()
	set := &dataset.Set{Root: root}
	for i := range 6 {
		path := filepath.Join(root, "a", fmt.Sprint(i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		w, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		img := image.NewGray(image.Rect(0, 0, 10+3*i, 20))
		for k := range img.Pix {
			img.Pix[k] = color.Gray{Y: uint8(20 * i)}.Y
		}
		if i == 4 {
			_, err = w.WriteString("not an image")
		} else {
			err = png.Encode(w, img)
		}
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		set.Samples = append(set.Samples, dataset.Sample{Path: fmt.Sprintf("a/%d", i), Identity: i})
	}
	var bad []string
	l := open(t, Options{
		Set: set, Contract: embed.DefaultContract(height, width), Batch: 6, Cache: 3 * imageBytes,
		OnBad: func(path string, err error) { bad = append(bad, path) },
	})
	l.Start(0)
	for range 3 {
		b := next(t, l)
		for k, label := range b.Labels {
			want := (float32(20*label) - 127.5) / 127.5
			for _, v := range b.Images[k*imageBytes:][:imageBytes] {
				if v != want {
					t.Fatalf("image %d of label %d has a %v, want %v", k, label, v, want)
				}
			}
		}
	}
	l.Close()
	if want := []string{filepath.Join(root, "a", "4")}; !slices.Equal(bad, want) {
		t.Errorf("reported %v, want %v", bad, want)
	}
}

// What is packed comes back.
func TestPack(t *testing.T) {
	for w := 1; w <= 13; w++ {
		img, back := image.NewNRGBA(image.Rect(0, 0, w, 3)), image.NewNRGBA(image.Rect(0, 0, w, 3))
		for i := range img.Pix {
			img.Pix[i] = uint8(29*i+i/7) | 255*uint8(i%4/3)
		}
		b := make([]byte, 9*w)
		pack(b, img)
		for i, v := range b {
			if want := img.Pix[i/3*4+i%3]; v != want {
				t.Fatalf("width %d: byte %d is %d, want %d", w, i, v, want)
			}
		}
		unpack(back, b)
		if !slices.Equal(back.Pix, img.Pix) {
			t.Fatalf("width %d: other pixels come back", w)
		}
	}
}

// A batch of View 1's recipe from cached images, on one goroutine.
func BenchmarkBatch(b *testing.B) {
	set := &dataset.Set{}
	for i := range 640 {
		set.Samples = append(set.Samples, dataset.Sample{Path: fmt.Sprint(i)})
	}
	picture := image.NewNRGBA(image.Rect(0, 0, 112, 112))
	for k := range picture.Pix {
		picture.Pix[k] = uint8(k) | 255*uint8(k%4/3)
	}
	l := open(b, Options{
		Set: set, Contract: embed.DefaultContract(112, 112), Batch: 64, Cache: 1 << 30, Workers: 1,
		Augment: augment.Settings{Flip: 0.5, Shift: 1, ShiftBy: 6},
		Decode:  func(string) (image.Image, error) { return picture, nil },
	})
	l.Start(0)
	for range l.StepsPerEpoch() + ahead {
		next(b, l).Release()
	}
	b.ReportAllocs()
	for b.Loop() {
		next(b, l).Release()
	}
}

// A batch of P x K: the images are the sampler's, and what cannot be is an error.
func TestPerIdentity(t *testing.T) {
	f := newFiles(30)
	o := f.options()
	o.Batch, o.PerIdentity = 6, 3
	l := open(t, o)
	l.Start(0)
	identity := make([]int, 30)
	for i, s := range f.set.Samples {
		identity[i] = s.Identity
	}
	order := sampler.Grouped(identity, 5, 2, 3, o.Seed, 0)
	for step := range 5 {
		b := next(t, l)
		for k, i := range order[6*step:][:6] {
			if b.Paths[k] != f.set.Samples[i].Path {
				t.Errorf("step %d, image %d: %s, want %s", step, k, b.Paths[k], f.set.Samples[i].Path)
			}
		}
		if b.Labels[0] != b.Labels[2] || b.Labels[3] != b.Labels[5] || b.Labels[0] == b.Labels[3] {
			t.Errorf("step %d: identities %v, want two with three images each", step, b.Labels)
		}
	}
	for want, o := range map[string]Options{
		"no whole number of identities with 4":             {Set: f.set, Contract: o.Contract, Batch: 6, PerIdentity: 4},
		"10 identities in root make no batch of 30 with 1": {Set: f.set, Contract: o.Contract, Batch: 30, PerIdentity: 1},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}
