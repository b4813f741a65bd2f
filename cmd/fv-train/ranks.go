package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/internal/mpi"
)

// join meets the other ranks, if there are any. Rank 0 speaks for all, the others are quiet.
func (e *env) join(timeout int) (mpi.Group, error) {
	world, err := mpi.Start()
	if err != nil || world == nil {
		return mpi.Single, err
	}
	world.SetTimeout(time.Duration(timeout) * time.Second)
	e.world = world
	// Schedulers warn of the end of a job, and Open MPI's mpirun passes on, with a signal that is not yet that to stop at once.
	if len(stopSignals) > 0 {
		e.ctx, _ = signal.NotifyContext(e.ctx, stopSignals...)
	}
	if world.Rank() == 0 {
		fmt.Fprintf(e.text(), "%d ranks on %s\n", world.Size(), world.Library())
		return world, nil
	}
	e.stdout, e.stderr = io.Discard, io.Discard
	return world, nil
}

// leave ends the work with other ranks, if there are any. An error that all have agreed on is told by rank 0 alone; where ranks have lost
// each other each tells its own, and the launcher is asked to end all.
func (e *env) leave(err error) error {
	if e.world == nil {
		return err
	}
	if !errors.Is(err, mpi.ErrBroken) {
		closed := e.world.Close()
		switch {
		case errors.Is(closed, mpi.ErrBroken):
			err = errors.Join(err, closed)
		case e.world.Rank() != 0 && err != nil:
			return cli.Told(err)
		default:
			return errors.Join(err, closed)
		}
	}
	host, _ := os.Hostname()
	fmt.Fprintf(os.Stderr, "fv-train: rank %d on %s: %v\n", e.world.Rank(), host, err)
	e.world.Abort(cli.ExitFailure)
	return cli.Told(err)
}
