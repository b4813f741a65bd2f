//go:build unix

package offheap

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func allocate(n int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("no memory for %d MiB: %w", n>>20, err)
	}
	advise(b)
	return b, nil
}

func free(b []byte) {
	if err := unix.Munmap(b); err != nil {
		panic(err) // not what allocate returned
	}
}
