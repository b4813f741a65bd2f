//go:build unix

package pipeline

import (
	"syscall"
	"testing"
)

// makePipe makes a named pipe, which whoever opens it would wait at for ever.
func makePipe(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		t.Log(err)
	}
}
