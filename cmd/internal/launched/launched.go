// Package launched is how a command begins and ends where an MPI launcher may have started it as one of several ranks.
package launched

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/internal/mpi"
)

// Join meets the other ranks; the World is nil where there are none. Ranks wait for each other for timeout seconds at most, 0 means for ever.
// Rank 0 tells text what it found. The context is also done when a launcher warns of the end.
func Join(ctx context.Context, timeout int, text io.Writer) (mpi.World, context.Context, error) {
	world, err := mpi.Start()
	if err != nil || world == nil {
		return nil, ctx, err
	}
	world.SetTimeout(time.Duration(timeout) * time.Second)
	// Schedulers warn of the end of a job, and Open MPI's mpirun passes on, with a signal that is not yet that to stop at once.
	if len(stopSignals) > 0 {
		ctx, _ = signal.NotifyContext(ctx, stopSignals...)
	}
	if world.Rank() == 0 {
		fmt.Fprintf(text, "%d ranks on %s\n", world.Size(), world.Library())
	}
	return world, ctx, nil
}

// heardTime is how long other ranks let rank 0 say what is wrong: a launcher ends all when one has ended with an error.
const heardTime = 300 * time.Millisecond

// Leave ends the work with other ranks, if there are any. An error that all have agreed on is told by rank 0 alone; where ranks have lost
// each other each tells its own, and the launcher is asked to end all.
func Leave(command string, world mpi.World, err error) error {
	if world == nil {
		return err
	}
	if !errors.Is(err, mpi.ErrBroken) {
		closed := world.Close()
		if errors.Is(closed, mpi.ErrOpen) { // all is done
			if world.Rank() == 0 {
				fmt.Fprintf(os.Stderr, "%s: note: %v; nothing is lost\n", command, closed)
			}
			closed = nil
		}
		switch {
		case errors.Is(closed, mpi.ErrBroken):
			err = errors.Join(err, closed)
		case world.Rank() != 0 && err != nil:
			time.Sleep(heardTime)
			return cli.Told(err)
		default:
			return errors.Join(err, closed)
		}
	}
	host, _ := os.Hostname()
	fmt.Fprintf(os.Stderr, "%s: rank %d on %s: %v\n", command, world.Rank(), host, err)
	world.Abort(cli.ExitFailure)
	return cli.Told(err)
}
