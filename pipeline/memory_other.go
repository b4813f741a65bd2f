//go:build !linux && !darwin

package pipeline

// totalMemory returns the bytes of memory of the machine. 0: unknown.
func totalMemory() int64 { return 0 }

// peakMemory returns the most bytes of memory that the process has had. 0: unknown.
func peakMemory() int64 { return 0 }
