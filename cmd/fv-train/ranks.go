package main

import (
	"io"

	"github.com/faceverify/fv/cmd/internal/launched"
	"github.com/faceverify/fv/internal/mpi"
)

// join meets the other ranks, if there are any. Rank 0 speaks for all, the others are quiet.
func (e *env) join(timeout int) (mpi.Group, error) {
	world, ctx, err := launched.Join(e.ctx, timeout, e.text())
	if err != nil || world == nil {
		return mpi.Single, err
	}
	e.world, e.ctx = world, ctx
	if world.Rank() != 0 {
		e.stdout, e.stderr = io.Discard, io.Discard
	}
	return world, nil
}

// leave ends the work with other ranks, if there are any.
func (e *env) leave(err error) error { return launched.Leave("fv-train", e.world, err) }
