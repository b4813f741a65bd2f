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
//
// A layer of a small network on one image takes some ten microseconds, and to wake a sleeping thread as long: whoever
// waits looks for a while before it sleeps.
type Pool struct {
	mu      sync.Mutex // held by Run
	task    func(chunk int)
	shares  []share       // of the chunks, one for each thread
	round   atomic.Uint32 // how often Run, or Close, has called the workers
	closed  bool
	workers []worker
	working atomic.Int64 // workers that have not finished the round
	done    sleeper      // Run, until they have
}

// worker is one of the goroutines beside that which calls Run.
type worker struct {
	sleeper
	share int
}

// share is a run of chunks. A thread begins with its own, which is the same part of one task after the other: much of what a layer
// reads is then in the caches of the core that wrote it. Then it helps with those of others.
type share struct {
	next atomic.Int64
	end  int64
	_    [48]byte // one to a cache line
}

// NewPool returns a pool that works on up to threads chunks at a time; the
// goroutine that calls Run is one of them. A number below 1 means
// runtime.GOMAXPROCS(0).
func NewPool(threads int) *Pool {
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	looks := awhile
	if threads > runtime.GOMAXPROCS(0) {
		looks = 1 // whoever looks keeps others from working
	}
	p := &Pool{workers: make([]worker, threads-1), shares: make([]share, threads), done: newSleeper(looks)}
	for i := range p.workers {
		p.workers[i] = worker{newSleeper(looks), i + 1}
		go p.serve(&p.workers[i])
	}
	return p
}

// serve works on one round after the other.
func (p *Pool) serve(w *worker) {
	for round := uint32(1); ; round++ {
		w.wait(func() bool { return p.round.Load() == round })
		if p.closed {
			return
		}
		p.work(w.share)
		if p.working.Add(-1) == 0 {
			p.done.wake()
		}
	}
}

// Threads returns the number of chunks that are worked on at a time.
func (p *Pool) Threads() int { return len(p.workers) + 1 }

// Run calls f(0) ... f(chunks-1), in no particular order and on several
// goroutines, and returns when all have returned. f must not call Run on
// the same pool. A Run that comes while another is under way waits for it.
func (p *Pool) Run(chunks int, f func(chunk int)) {
	if chunks == 1 || len(p.workers) == 0 {
		for i := range chunks {
			f(i)
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.task = f
	for i := range p.shares {
		p.shares[i].next.Store(int64(i * chunks / len(p.shares)))
		p.shares[i].end = int64((i + 1) * chunks / len(p.shares))
	}
	p.working.Store(int64(len(p.workers)))
	p.call()
	p.work(0)
	p.done.wait(func() bool { return p.working.Load() == 0 })
	p.task = nil
}

// call begins a round.
func (p *Pool) call() {
	p.round.Add(1)
	for i := range p.workers {
		p.workers[i].wake()
	}
}

// work does the chunks of a share, then those that are left of the others.
func (p *Pool) work(first int) {
	for k := range p.shares {
		s := &p.shares[(first+k)%len(p.shares)]
		for {
			i := s.next.Add(1) - 1
			if i >= s.end {
				break
			}
			p.task(int(i))
		}
	}
}

// Close ends the workers. The pool must not be used afterwards.
func (p *Pool) Close() {
	p.closed = true
	p.call()
	p.workers = nil
}

// sleeper is a goroutine that waits for another's word.
type sleeper struct {
	looks  int // before it sleeps
	asleep *atomic.Bool
	token  chan struct{}
}

// awhile is how often to look: for some ten microseconds. The processor's instruction to pause would make waiting cheaper for
// the other thread of a core, but under a hypervisor it can cost more than sleep.
const awhile = 20_000

func newSleeper(looks int) sleeper {
	return sleeper{looks, new(atomic.Bool), make(chan struct{}, 1)}
}

// wait returns once ready does; whoever makes it so calls wake.
func (s *sleeper) wait(ready func() bool) {
	for {
		for range s.looks {
			if ready() {
				return
			}
		}
		s.asleep.Store(true)
		if ready() && s.asleep.CompareAndSwap(true, false) {
			return
		}
		<-s.token // which may be of a worker that has been slow to tell of the last round
	}
}

// wake wakes the sleeper if it sleeps.
func (s *sleeper) wake() {
	if s.asleep.CompareAndSwap(true, false) {
		s.token <- struct{}{}
	}
}
