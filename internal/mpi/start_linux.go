//go:build mpi && (amd64 || arm64)

package mpi

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"time"
	"unsafe"
)

// Start joins the processes that were started together. It returns nil, and has loaded nothing, where no MPI launcher started this
// process beside others.
func Start() (World, error) {
	l := launchOf(os.Getenv)
	if !l.several() {
		return nil, nil
	}
	lib, err := open(l)
	if err != nil {
		return nil, err
	}
	e := newEngine(lib)
	go e.serve()
	w := &world{&communicator{engine: e, comm: lib.abi.world, urgent: true}}
	e.do(func() { err = e.join() })
	if err != nil {
		return nil, fmt.Errorf("%s (%s): %w", lib.file, lib.version, err)
	}
	if l.size != 0 && l.size != e.size {
		return nil, fmt.Errorf("the launcher started %d processes (%s), and %s (%s) sees %d: it is another MPI's launcher; %s=FILE names the library that goes with it%s",
			l.size, l.by, lib.file, lib.version, e.size, LibraryVariable, l.hint())
	}
	return w, nil
}

// hint says what else may be wrong where processes do not find each other.
func (l launch) hint() string {
	if l.by == slurmTasks {
		return ", and srun wants --mpi=pmix for Open MPI's, --mpi=pmi2 for MPICH's"
	}
	return ""
}

// join initialises the library.
func (e *engine) join() error {
	lib := e.lib
	var provided, rank, size int32
	if err := lib.check("MPI_Init_thread", call(lib.init, 0, 0, lib.abi.funneled, uintptr(unsafe.Pointer(&provided)))); err != nil {
		return err
	}
	if uintptr(provided) < lib.abi.funneled {
		return fmt.Errorf("the library does not support programs of several threads (MPI_THREAD_FUNNELED)")
	}
	for _, c := range []struct {
		what string
		code uintptr
	}{
		{"MPI_Comm_set_errhandler", call(lib.setErrhandler, lib.abi.world, lib.abi.errorsReturn)},
		{"MPI_Comm_rank", call(lib.commRank, lib.abi.world, uintptr(unsafe.Pointer(&rank)))},
		{"MPI_Comm_size", call(lib.commSize, lib.abi.world, uintptr(unsafe.Pointer(&size)))},
	} {
		if err := lib.check(c.what, c.code); err != nil {
			return err
		}
	}
	e.rank, e.size = int(rank), int(size)
	return nil
}

// communicator is a Group.
type communicator struct {
	engine *engine
	comm   uintptr
	urgent bool // who calls it waits
}

func (c *communicator) Rank() int { return c.engine.rank }
func (c *communicator) Size() int { return c.engine.size }

// pointer pins memory and returns its address.
func pointer[T any](o *operation, x []T) uintptr {
	if len(x) == 0 {
		return 0
	}
	o.pinned.Pin(unsafe.Pointer(&x[0]))
	return uintptr(unsafe.Pointer(&x[0]))
}

// run carries an operation out.
func (c *communicator) run(o *operation) error {
	o.urgent, o.done = c.urgent, make(chan error, 1)
	c.engine.begin <- o
	return <-o.done
}

// checkCounts panics unless counts are those of n bytes.
func checkCounts(what string, counts []int, n int) {
	sum := 0
	for _, c := range counts {
		sum += c
	}
	if sum != n {
		panic(fmt.Sprintf("mpi: %s has %d bytes, counts say %d", what, n, sum))
	}
}

// vectors returns counts and where each part begins as the library wants them. It panics where that is more than an int holds.
func vectors(counts []int) (sizes, offsets []int32) {
	at := 0
	for _, n := range counts {
		sizes, offsets = append(sizes, int32(n)), append(offsets, int32(at))
		if at += n; at > math.MaxInt32 {
			panic("mpi: more than 2 GiB at a time")
		}
	}
	return sizes, offsets
}

func (c *communicator) AllGather(recv, send []byte, counts []int) error {
	checkCounts("what is received", counts, len(recv))
	o := &operation{what: "a gathering of all ranks (MPI_Iallgatherv)"}
	lib := c.engine.lib
	sizes, offsets := vectors(counts)
	from, to, n, at := pointer(o, send), pointer(o, recv), pointer(o, sizes), pointer(o, offsets)
	o.start = func(request uintptr) uintptr {
		return call(lib.allgatherv, from, uintptr(len(send)), lib.abi.byte, to, n, at, lib.abi.byte, c.comm, request)
	}
	return c.run(o)
}

func (c *communicator) AllToAll(recv []byte, from []int, send []byte, to []int) error {
	checkCounts("what is received", from, len(recv))
	checkCounts("what is sent", to, len(send))
	o := &operation{what: "an exchange of all ranks (MPI_Ialltoallv)"}
	lib := c.engine.lib
	sendSizes, sendAt := vectors(to)
	recvSizes, recvAt := vectors(from)
	args := []uintptr{
		pointer(o, send), pointer(o, sendSizes), pointer(o, sendAt), lib.abi.byte,
		pointer(o, recv), pointer(o, recvSizes), pointer(o, recvAt), lib.abi.byte, c.comm,
	}
	o.start = func(request uintptr) uintptr { return call(lib.alltoallv, append(args, request)...) }
	return c.run(o)
}

// broadcastBytes is the most that is sent at a time: libraries count in 32 bits.
const broadcastBytes = 1 << 28

func (c *communicator) Broadcast(data []byte, root int) error {
	for len(data) > 0 {
		part := data[:min(len(data), broadcastBytes)]
		data = data[len(part):]
		o := &operation{what: fmt.Sprintf("a broadcast of rank %d (MPI_Ibcast)", root)}
		lib, at := c.engine.lib, pointer(o, part)
		o.start = func(request uintptr) uintptr {
			return call(lib.broadcast, at, uintptr(len(part)), lib.abi.byte, uintptr(root), c.comm, request)
		}
		if err := c.run(o); err != nil {
			return err
		}
	}
	return nil
}

// Dup returns a Group whose calls go on behind those of others: whoever uses it has, as a rule, other goroutines that compute.
func (c *communicator) Dup() (Group, error) {
	e := c.engine
	var comm uint64 // MPI_Comm: a pointer or 32 bits
	var err error
	e.do(func() {
		err = e.lib.check("MPI_Comm_dup", call(e.lib.commDup, c.comm, uintptr(unsafe.Pointer(&comm))))
		if err == nil {
			err = e.lib.check("MPI_Comm_set_errhandler", call(e.lib.setErrhandler, uintptr(comm), e.lib.abi.errorsReturn))
		}
	})
	return &communicator{engine: e, comm: uintptr(comm)}, err
}

type world struct{ *communicator }

// Library implements World.
func (w *world) Library() string {
	lib := w.engine.lib
	return fmt.Sprintf("%s (%s, %s interface)", lib.version, lib.file, lib.abi.name)
}

// SetTimeout implements World.
func (w *world) SetTimeout(d time.Duration) { w.engine.do(func() { w.engine.timeout = d }) }

// closeTime is how long MPI may take to end when all ranks have come.
const closeTime = 10 * time.Second

// Close implements World. The ranks wait for each other first, as only here a rank that does not come is found and named. The library then
// waits for more, such as the launcher, which may be gone; MPICH 4.0 on UCX now and then waits for ever where packets were lost.
func (w *world) Close() error {
	e := w.engine
	if _, err := Gather(w, nil); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go e.do(func() { ended <- e.lib.check("MPI_Finalize", call(e.lib.finalize)) })
	select {
	case err := <-ended:
		close(e.calls)
		return err
	case <-time.After(closeTime):
		return fmt.Errorf("%w: MPI_Finalize has not come back within %v", ErrOpen, closeTime)
	}
}

const (
	abortTime = 5 * time.Second        // that a launcher may take to end all ranks
	printTime = 500 * time.Millisecond // in which it reads what they have printed: MPICH's does not once it ends them
)

// Abort implements World.
func (w *world) Abort(code int) {
	e := w.engine
	time.Sleep(printTime)
	go e.do(func() { call(e.lib.abort, e.lib.abi.world, uintptr(code)) })
	time.Sleep(abortTime)
	runtime.KeepAlive(w)
}
