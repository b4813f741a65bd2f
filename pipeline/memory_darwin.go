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

// peakMemory returns the most bytes of memory that the process has had. 0: unknown.
func peakMemory() int64 { return 0 }
