//go:build unix

package main

import (
	"os"
	"syscall"
)

// stopSignals, beside SIGINT and SIGTERM, end a run of several ranks in an orderly way.
var stopSignals = []os.Signal{syscall.SIGUSR1}
