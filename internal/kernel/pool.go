package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Pool is a fixed set of workers that share out the chunks of one task at a
// time. After NewPool it starts no goroutine and allocates nothing.
//
// How a task is cut into chunks must depend on its shape only, never on
// Threads: that is what makes results equal to the bit for any pool.
type Pool struct {
	mu      sync.Mutex // held by Run
	task    func(chunk int)
	chunks  int64
	next    atomic.Int64
	wake    []chan struct{}
	pending sync.WaitGroup
}

// NewPool returns a pool that works on up to threads chunks at a time; the
// goroutine that calls Run is one of them. A number below 1 means
// runtime.GOMAXPROCS(0).
func NewPool(threads int) *Pool {
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{}
	for range threads - 1 {
		c := make(chan struct{}, 1)
		p.wake = append(p.wake, c)
		go func() {
			for range c {
				p.work()
				p.pending.Done()
			}
		}()
	}
	return p
}

// Threads returns the number of chunks that are worked on at a time.
func (p *Pool) Threads() int { return len(p.wake) + 1 }

// Run calls f(0) ... f(chunks-1), in no particular order and on several
// goroutines, and returns when all have returned. f must not call Run on
// the same pool. A Run that comes while another is under way waits for it.
func (p *Pool) Run(chunks int, f func(chunk int)) {
	if chunks == 1 || len(p.wake) == 0 {
		for i := range chunks {
			f(i)
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.task, p.chunks = f, int64(chunks)
	p.next.Store(0)
	wake := p.wake[:min(len(p.wake), max(chunks-1, 0))]
	p.pending.Add(len(wake))
	for _, c := range wake {
		c <- struct{}{}
	}
	p.work()
	p.pending.Wait()
	p.task = nil
}

func (p *Pool) work() {
	for {
		i := p.next.Add(1) - 1
		if i >= p.chunks {
			return
		}
		p.task(int(i))
	}
}

// Close ends the workers. The pool must not be used afterwards.
func (p *Pool) Close() {
	for _, c := range p.wake {
		close(c)
	}
	p.wake = nil
}
