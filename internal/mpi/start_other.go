//go:build !mpi || !linux || !(amd64 || arm64)

package mpi

import (
	"fmt"
	"os"
)

// Start returns nil where no MPI launcher has started this process beside others, and else an error: this program is built without MPI.
func Start() (World, error) {
	l := launchOf(os.Getenv)
	if !l.several() {
		return nil, nil
	}
	return nil, fmt.Errorf("this process is one of several that an MPI launcher started (%s=%s), and this program is built without MPI: each would work alone. Build it with go build -tags mpi (Linux on amd64 or arm64), or start it without the launcher",
		l.by, os.Getenv(l.by))
}
