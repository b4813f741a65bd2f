package kernel

import (
	"sync"

	"github.com/faceverify/fv/internal/offheap"
)

// room returns n elements with any content, on huge pages where the system has them and they are many.
func room[T any](n int) []T {
	x := make([]T, n)
	offheap.AdviseHuge(x)
	return x
}

// cacheGap is how far apart rows are kept, in floats or pairs, that would else start in the same set of a cache: channels are often
// a power of two. It lets a micro-kernel read past the last column, too.
const cacheGap = 16

// freeList keeps buffers for reuse, from the reach of the garbage collector.
type freeList[T any] struct {
	mu   sync.Mutex
	list [][]T
}

// get returns a buffer of n elements with any content: the smallest that is large enough or, if there is none, a new
// one in the place of the largest. So a step that is like the last one finds what that gave back.
func (f *freeList[T]) get(n int) []T {
	f.mu.Lock()
	defer f.mu.Unlock()
	best, largest := -1, -1
	for i, b := range f.list {
		if cap(b) >= n && (best < 0 || cap(b) < cap(f.list[best])) {
			best = i
		}
		if largest < 0 || cap(b) > cap(f.list[largest]) {
			largest = i
		}
	}
	switch {
	case best >= 0:
		return f.remove(best)[:n]
	case largest >= 0:
		f.remove(largest)
	}
	return room[T](n)
}

// remove takes buffer i off the list.
func (f *freeList[T]) remove(i int) []T {
	b, last := f.list[i], len(f.list)-1
	f.list[i], f.list[last] = f.list[last], nil
	f.list = f.list[:last]
	return b
}

func (f *freeList[T]) put(b []T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, b)
}

var (
	pairBuffers freeList[Pair]
	sumBuffers  freeList[float32]
)
