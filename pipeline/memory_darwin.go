package pipeline

import "golang.org/x/sys/unix"

// totalMemory returns the bytes of memory of the machine. 0: unknown.
func totalMemory() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0
	}
	return int64(n)
}
