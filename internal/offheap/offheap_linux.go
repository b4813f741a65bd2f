package offheap

import "golang.org/x/sys/unix"

// advise asks for huge pages: passes over activations otherwise miss the TLB every 4 KiB.
// Without them all works as well, more slowly.
func advise(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) }
