package hosttest

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// router carries packets from host to host.
type router struct {
	link    Link
	queues  []chan packet // to each host
	cut     []atomic.Bool // hosts that are off the network
	running sync.WaitGroup
}

type packet struct {
	data []byte
	due  time.Time // at the other host, if nothing else is on the way there
}

// waiting is how many packets wait for a host at most; what comes then is lost.
const waiting = 1000

// ahead is how much earlier than its link allows a packet may go: clocks do not wake anyone for less.
const ahead = time.Millisecond

// newRouter returns a router that works until the hosts' devices are closed.
func newRouter(hosts []*host, link Link) *router {
	r := &router{link: link, cut: make([]atomic.Bool, len(hosts))}
	for range hosts {
		r.queues = append(r.queues, make(chan packet, waiting))
	}
	var senders sync.WaitGroup
	for i, h := range hosts {
		senders.Add(1)
		r.running.Go(func() {
			defer senders.Done()
			r.send(i, h)
		})
		r.running.Go(func() { r.receive(i, h) })
	}
	r.running.Go(func() {
		senders.Wait()
		for _, q := range r.queues {
			close(q)
		}
	})
	return r
}

// takes returns how long a link is busy with a packet.
func (r *router) takes(data []byte) time.Duration {
	if r.link.Rate == 0 {
		return 0
	}
	return time.Duration(float64(len(data)) * 8 / r.link.Rate * float64(time.Second))
}

// send takes what a host sends. While its link is busy the host's own queue fills, and in the end loses packets.
func (r *router) send(from int, h *host) {
	random := rand.New(rand.NewPCG(1, uint64(from)))
	buffer := make([]byte, 1<<16)
	free := time.Now() // when the link is
	for {
		n, err := h.device.Read(buffer)
		if err != nil {
			return // closed
		}
		data := buffer[:n]
		free = later(free, time.Now()).Add(r.takes(data))
		if wait := time.Until(free); wait > ahead {
			time.Sleep(wait)
		}
		to := destination(data, len(r.queues))
		if to < 0 || r.cut[from].Load() || r.cut[to].Load() || random.Float64() < r.link.Loss {
			continue
		}
		select {
		case r.queues[to] <- packet{append([]byte(nil), data...), free.Add(r.link.Delay)}:
		default:
		}
	}
}

// receive gives a host what is sent to it.
func (r *router) receive(to int, h *host) {
	free := time.Now()
	for p := range r.queues[to] {
		// A link that nothing else comes along takes in a packet while it is sent.
		free = later(free.Add(r.takes(p.data)), p.due)
		if wait := time.Until(free); wait > ahead || wait > 0 && r.link.Rate == 0 {
			time.Sleep(wait)
		}
		h.device.Write(p.data) // a packet that does not arrive is lost
	}
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
