package hosttest

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// router carries packets from host to host. A thread of its own does, ahead of all others that want a processor: what the hosts run
// keeps them busy, and a packet that is late would be the router's doing, not the network's.
type router struct {
	link    Link
	ports   []*port
	closed  atomic.Bool
	running sync.WaitGroup
	random  *rand.Rand
}

// port is where a host is connected.
type port struct {
	fd      int
	cut     atomic.Bool // nothing goes in or out any more
	sent    time.Time   // when the link from the host is free
	idle    bool        // nothing has waited for it since
	arrived time.Time   // when the link to the host is
	queue   []packet    // to the host, in the order of their times
}

type packet struct {
	data []byte
	due  time.Time
}

const (
	waiting = 4000                  // packets on their way to a host at most; what comes then is lost
	look    = 50 * time.Millisecond // how often the router sees that it is closed
)

// newRouter returns a router that works until it is closed.
func newRouter(hosts []*host, link Link) *router {
	r := &router{link: link, random: rand.New(rand.NewPCG(1, 0))}
	for _, h := range hosts {
		r.ports = append(r.ports, &port{fd: h.device})
	}
	r.running.Go(r.run)
	return r
}

func (r *router) close() {
	r.closed.Store(true)
	r.running.Wait()
}

func (r *router) run() {
	runtime.LockOSThread()                                                                                     // which ends with it
	unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0) // where it may
	buffer := make([]byte, 1<<16)
	for !r.closed.Load() {
		now := time.Now()
		wake := now.Add(look)
		for i, p := range r.ports {
			p.deliver(now)
			r.accept(i, buffer, now)
		}
		var wanted []unix.PollFd
		for _, p := range r.ports {
			if len(p.queue) > 0 {
				wake = earlier(wake, p.queue[0].due)
			}
			if p.sent.After(now) {
				wake = earlier(wake, p.sent)
			} else {
				wanted = append(wanted, unix.PollFd{Fd: int32(p.fd), Events: unix.POLLIN})
			}
		}
		if wait := time.Until(wake); wait > 0 {
			t := unix.NsecToTimespec(int64(wait))
			unix.Ppoll(wanted, &t, nil)
		}
	}
}

// takes returns how long a link is busy with a packet.
func (r *router) takes(data []byte) time.Duration {
	if r.link.Rate == 0 {
		return 0
	}
	return time.Duration(float64(len(data)) * 8 / r.link.Rate * float64(time.Second))
}

// accept takes what a host has sent until now. While its link is busy the host's own queue fills, and in the end loses packets. What was in
// the queue went as soon as the link was free, though the router be late.
func (r *router) accept(from int, buffer []byte, now time.Time) {
	p := r.ports[from]
	for !p.sent.After(now) {
		n, err := unix.Read(p.fd, buffer)
		if err != nil {
			p.idle = true
			return
		}
		if p.idle {
			p.sent, p.idle = later(p.sent, time.Now()), false
		}
		data := buffer[:n]
		p.sent = p.sent.Add(r.takes(data))
		to := destination(data, len(r.ports))
		if to < 0 || p.cut.Load() || r.ports[to].cut.Load() || r.random.Float64() < r.link.Loss {
			continue
		}
		q := r.ports[to]
		if len(q.queue) < waiting {
			// A link that nothing else comes along takes in a packet while it is sent.
			q.arrived = later(q.arrived.Add(r.takes(data)), p.sent.Add(r.link.Delay))
			q.queue = append(q.queue, packet{append([]byte(nil), data...), q.arrived})
		}
	}
}

// deliver gives the host what has arrived.
func (p *port) deliver(now time.Time) {
	n := 0
	for n < len(p.queue) && !p.queue[n].due.After(now) {
		unix.Write(p.fd, p.queue[n].data) // a packet that the host does not take is lost
		n++
	}
	p.queue = append(p.queue[:0], p.queue[n:]...)
}

// destination returns the host that a packet of the internet protocol's version 4 is for, or -1.
func destination(data []byte, hosts int) int {
	if len(data) < 20 || data[0]>>4 != 4 {
		return -1
	}
	first := address(0)
	if [3]byte(data[16:]) != [3]byte(first[:]) || int(data[19]) < 1 || int(data[19]) > hosts {
		return -1
	}
	return int(data[19]) - 1
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
