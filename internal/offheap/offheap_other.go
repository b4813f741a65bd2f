//go:build !unix

package offheap

// The Go heap will do where there is no mmap.
func allocate(n int) ([]byte, error) { return make([]byte, n), nil }

func free([]byte) {}

func advise([]byte) {}
