//go:build !unix

package launched

import "os"

var stopSignals []os.Signal
