// Package hosttest makes hosts of one machine, for tests of what runs on several: network namespaces, with a name of their own, on a
// network that is as slow and as lossy as is asked for. Nothing but these hosts can be reached through it.
//
// It works on Linux, where the process may make namespaces, and needs nsenter, unshare and mount of util-linux.
package hosttest

import (
	"errors"
	"time"
)

// ErrUnable is in the chain of New's error where this machine, or the user, cannot make hosts.
var ErrUnable = errors.New("no hosts can be made here")

// Link is what connects a host to all others. The zero value is as fast as the machine.
type Link struct {
	Rate  float64       // bits a second, to the network and as many from it; 0 means no limit
	Delay time.Duration // from a host to another one
	Loss  float64       // share of packets that do not arrive, from 0 to 1
	MTU   int           // bytes of a packet at most; 0 means 1500
}
