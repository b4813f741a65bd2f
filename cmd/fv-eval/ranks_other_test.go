//go:build !mpi

package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// A program without MPI says so where a launcher starts it.
func TestWithoutMPI(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/nompi"})
}
