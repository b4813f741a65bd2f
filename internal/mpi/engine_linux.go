//go:build mpi && (amd64 || arm64)

package mpi

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// engine is the thread that calls MPI, which it alone does. Calls do not wait in the library, where nothing could end
// them: each is begun, and asked after until it is done or its time is up.
type engine struct {
	lib     *library
	calls   chan func() // to be run on the thread
	begin   chan *operation
	active  []*operation
	timeout time.Duration
	rank    int
	size    int
	broken  error
}

// operation is a call under way.
type operation struct {
	what    string
	start   func(request uintptr) uintptr // returns the library's code
	request uint64                        // MPI_Request: a pointer or 32 bits
	pinned  runtime.Pinner                // memory that the library uses until it is done
	urgent  bool                          // somebody waits for it, and has nothing else to do
	began   time.Time
	done    chan error
}

func newEngine(lib *library) *engine {
	return &engine{lib: lib, calls: make(chan func()), begin: make(chan *operation, 8)}
}

// serve runs until calls is closed.
func (e *engine) serve() {
	runtime.LockOSThread()
	for {
		if len(e.active) == 0 {
			select {
			case f, ok := <-e.calls:
				if !ok {
					return
				}
				f()
			case o := <-e.begin:
				e.start(o)
			}
			continue
		}
		select {
		case o := <-e.begin:
			e.start(o)
		case f, ok := <-e.calls:
			if !ok {
				return
			}
			f()
		default:
			ended := e.poll()
			for i := 1; i < looks && !ended; i++ {
				ended = e.poll()
			}
			if !ended {
				e.rest()
			}
		}
	}
}

// do runs f on the thread and returns when it has.
func (e *engine) do(f func()) {
	done := make(chan struct{})
	e.calls <- func() { f(); close(done) }
	<-done
}

func (e *engine) start(o *operation) {
	if e.broken != nil {
		o.finish(e.broken)
		return
	}
	o.began = time.Now()
	o.pinned.Pin(&o.request)
	if err := e.lib.check(o.what, o.start(uintptr(unsafe.Pointer(&o.request)))); err != nil {
		e.fail(err)
		o.finish(err)
		return
	}
	e.active = append(e.active, o)
}

func (o *operation) finish(err error) {
	if err == nil {
		o.pinned.Unpin()
	} else {
		abandoned = append(abandoned, &o.pinned)
	}
	o.done <- err
}

// abandoned is what pins memory of operations that have not ended, to which the library may still write. It is never freed: the collector
// would unpin the memory, and panics instead. Only the engine's thread uses it.
var abandoned []*runtime.Pinner

// poll asks after all operations, and reports whether any has ended.
func (e *engine) poll() bool {
	before := len(e.active)
	for i := 0; i < len(e.active); {
		o := e.active[i]
		ended, err := e.test(o)
		if !ended && e.timeout > 0 && time.Since(o.began) > e.timeout {
			err = fmt.Errorf("%w: %s has not ended within %v%s", ErrBroken, o.what, e.timeout, e.rollCall())
			ended = true
		}
		if !ended {
			i++
			continue
		}
		e.active = slices.Delete(e.active, i, i+1)
		o.finish(err)
		if err != nil {
			e.fail(err)
			return true
		}
	}
	return len(e.active) < before
}

// test asks after an operation.
func (e *engine) test(o *operation) (ended bool, err error) {
	var flag int32
	err = e.lib.check(o.what, call(e.lib.test, uintptr(unsafe.Pointer(&o.request)), uintptr(unsafe.Pointer(&flag)), e.lib.abi.ignoreStatus))
	return flag != 0 || err != nil, err
}

// fail ends all operations with an error, and those to come.
func (e *engine) fail(err error) {
	e.broken = err
	for _, o := range e.active {
		o.finish(err)
	}
	e.active = nil
}

// How the thread waits: it looks, lets others go first, then sleeps. Threads that compute have the processors as soon as there is nothing
// that anybody waits for.
const (
	looks    = 16 // in a row: large messages move by a piece each time that a library is asked
	lookFor  = 20 * time.Microsecond
	yieldFor = 2 * time.Millisecond
	nap      = 50 * time.Microsecond
	longNap  = time.Millisecond
	dozeFrom = time.Second
)

// rest passes the time until it is worth asking again.
func (e *engine) rest() {
	waited, urgent := time.Duration(0), false
	for _, o := range e.active {
		if o.urgent && (!urgent || time.Since(o.began) < waited) {
			waited, urgent = time.Since(o.began), true
		}
	}
	switch {
	case urgent && waited < lookFor:
	case urgent && waited < yieldFor:
		unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	case urgent && waited > dozeFrom:
		time.Sleep(longNap)
	default:
		time.Sleep(nap)
	}
}

// rollTime is how long other ranks have to answer when something has not ended in time.
const rollTime = 3 * time.Second

// rollTag is the tag of messages that say: this rank is waiting, too.
const rollTag = 7

// rollCall asks which ranks are waiting as this one is, and names those that are not.
func (e *engine) rollCall() string {
	pinned := new(runtime.Pinner)
	abandoned = append(abandoned, pinned) // messages that nobody takes stay under way
	type message struct {
		request uint64
		done    bool
	}
	sent, received, words := make([]message, e.size), make([]message, e.size), make([]byte, 2*e.size)
	pinned.Pin(&sent[0])
	pinned.Pin(&received[0])
	pinned.Pin(&words[0])
	for r := range e.size {
		if r == e.rank {
			sent[r].done, received[r].done = true, true
			continue
		}
		a := e.lib.abi
		failed := call(e.lib.receive, uintptr(unsafe.Pointer(&words[r])), 1, a.byte, uintptr(r), rollTag, a.world, uintptr(unsafe.Pointer(&received[r].request))) != 0
		failed = call(e.lib.send, uintptr(unsafe.Pointer(&words[e.size+r])), 1, a.byte, uintptr(r), rollTag, a.world, uintptr(unsafe.Pointer(&sent[r].request))) != 0 || failed
		if failed {
			return ""
		}
	}
	for began := time.Now(); time.Since(began) < rollTime; time.Sleep(nap) {
		all := true
		for r := range e.size {
			for _, c := range []*message{&sent[r], &received[r]} {
				if !c.done {
					var flag int32
					c.done = call(e.lib.test, uintptr(unsafe.Pointer(&c.request)), uintptr(unsafe.Pointer(&flag)), e.lib.abi.ignoreStatus) == 0 && flag != 0
				}
			}
			all = all && received[r].done
		}
		if all {
			return ", though all ranks wait for it"
		}
	}
	var silent []string
	for r := range e.size {
		if !received[r].done {
			silent = append(silent, fmt.Sprint(r))
		}
	}
	if len(silent) == 1 {
		return ": rank " + silent[0] + " does not answer"
	}
	return ": ranks " + strings.Join(silent, ", ") + " do not answer"
}
