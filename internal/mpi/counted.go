package mpi

import "sync/atomic"

// Counted returns a Group that does what g does, and adds the bytes that this rank sends to others to sent. What libraries send beside them,
// and how often they pass on what is for others, it does not know: a broadcast counts as one copy for each rank, sent by its root.
func Counted(g Group, sent *atomic.Int64) Group { return &counted{g, sent} }

type counted struct {
	Group
	sent *atomic.Int64
}

func (c *counted) AllGather(recv, send []byte, counts []int) error {
	c.sent.Add(int64(len(send) * (c.Size() - 1)))
	return c.Group.AllGather(recv, send, counts)
}

func (c *counted) AllToAll(recv []byte, from []int, send []byte, to []int) error {
	c.sent.Add(int64(len(send) - to[c.Rank()]))
	return c.Group.AllToAll(recv, from, send, to)
}

func (c *counted) Broadcast(data []byte, root int) error {
	if root == c.Rank() {
		c.sent.Add(int64(len(data) * (c.Size() - 1)))
	}
	return c.Group.Broadcast(data, root)
}

func (c *counted) Dup() (Group, error) {
	g, err := c.Group.Dup()
	return Counted(g, c.sent), err
}
