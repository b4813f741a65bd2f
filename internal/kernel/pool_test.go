package kernel

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

func TestPoolRunsEachChunkOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 5} {
		p := NewPool(threads)
		if p.Threads() != threads {
			t.Errorf("NewPool(%d).Threads() = %d", threads, p.Threads())
		}
		for _, chunks := range []int{0, 1, 2, 3, 100} {
			seen := make([]atomic.Int32, chunks)
			p.Run(chunks, func(i int) { seen[i].Add(1) })
			for i := range seen {
				if n := seen[i].Load(); n != 1 {
					t.Errorf("threads %d, chunks %d: chunk %d ran %d times", threads, chunks, i, n)
				}
			}
		}
		p.Close()
	}
}

// Rounds that follow at once, late, and where there are fewer processors than threads: none is lost.
func TestPoolRounds(t *testing.T) {
	for _, processors := range []int{1, 2, 4} {
		old := runtime.GOMAXPROCS(processors)
		p := NewPool(3)
		var sum atomic.Int64
		for round := range 600 {
			if round%100 == 99 {
				time.Sleep(2 * time.Millisecond) // the workers sleep
			}
			p.Run(4, func(i int) {
				if round%150 == 149 && i == 3 {
					time.Sleep(2 * time.Millisecond) // so does Run
				}
				sum.Add(1)
			})
			if got := sum.Load(); got != int64(4*(round+1)) {
				t.Fatalf("%d processors: %d chunks after %d rounds", processors, got, round+1)
			}
		}
		p.Close()
		runtime.GOMAXPROCS(old)
	}
}

func TestPoolAllocatesNothing(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	var sum atomic.Int64
	f := func(i int) { sum.Add(int64(i)) }
	if n := testing.AllocsPerRun(100, func() { p.Run(8, f) }); n != 0 {
		t.Errorf("Run allocates %v times", n)
	}
}

func TestLayout(t *testing.T) {
	l := Layout{N: 2, H: 3, W: 4, C: 5, Pad: 1}
	if got, want := l.Offset(0, -1, -1), 0; got != want {
		t.Errorf("first border pixel at %d, want %d", got, want)
	}
	if got, want := l.Offset(1, 3, 4)+l.C, l.Len(); got != want {
		t.Errorf("last border pixel ends at %d, want Len() = %d", got, want)
	}
	if got, want := l.Offset(0, 1, -1), l.Offset(0, 0, 4); got != want {
		t.Errorf("left border of row 1 at %d, right border of row 0 at %d: want one pixel", got, want)
	}
	if got, want := l.Offset(1, -1, 2), l.Offset(0, 3, 2); got != want {
		t.Errorf("border above image 1 at %d, below image 0 at %d: want one row", got, want)
	}
}
