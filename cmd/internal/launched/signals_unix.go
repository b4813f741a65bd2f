//go:build unix

package launched

import (
	"os"
	"syscall"
)

// stopSignals, beside SIGINT and SIGTERM, end the work of several ranks in an orderly way.
var stopSignals = []os.Signal{syscall.SIGUSR1}
