package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"

	"github.com/faceverify/fv/cmd/internal/launched"
	"github.com/faceverify/fv/eval/matrix"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/mpi"
	"github.com/faceverify/fv/internal/mpi/team"
)

// sharing are the commands on which several ranks work together.
var sharing = []string{"embed", "allpairs", "identify"}

// checkAlone returns an error where a launcher has started several processes of a command that is none of those.
func checkAlone(command string) error {
	if slices.Contains(sharing, command) {
		return nil
	}
	return cli.Usage(mpi.CheckAlone("fv-eval "+command, "fv-eval embed, allpairs and identify are what ranks share"))
}

// ranked are the flags of the commands that ranks share.
type ranked struct {
	MPITimeout int `name:"mpi-timeout" default:"600" placeholder:"SECONDS" help:"Of several ranks (docs/mpi.md): seconds without a sign of another rank after which the others give up; 0 means any. Default: ${default}."`
}

// together runs f, in which this process works beside the other ranks that a launcher has started, if there are any. What one of them cannot do is an error of
// all. Rank 0 speaks for all, the others are quiet.
func (c ranked) together(e *env, f func() error) error {
	if c.MPITimeout < 0 {
		return cli.Usagef("--mpi-timeout %d: want 0 or more", c.MPITimeout)
	}
	world, ctx, err := launched.Join(e.ctx, c.MPITimeout, e.text())
	if err != nil {
		return err
	}
	g := mpi.Single
	if world != nil {
		g, e.ctx = world, ctx
	}
	return launched.Leave("fv-eval", world, e.on(g, f))
}

// on runs f as a rank of a group.
func (e *env) on(g mpi.Group, f func() error) error {
	if g.Rank() != 0 {
		e.stdout, e.stderr = io.Discard, io.Discard
	}
	t, err := team.New(g)
	if err != nil {
		return err
	}
	e.team = t
	return t.End(f())
}

// each runs f on each rank, and waits for all, however long they take.
func (e *env) each(what string, f func() error) error {
	return e.team.Work(e.ctx, what, nil, func(context.Context, func(int, int)) error { return f() })
}

// first runs f on the rank that writes and speaks, while the others wait, however long it takes.
func (e *env) first(what string, f func() error) error {
	return e.each(what, func() error {
		if !e.team.Writes() {
			return nil
		}
		return f()
	})
}

// threads returns how many threads to use where a flag says n; 0 means one for each processor.
func (e *env) threads(n int) int {
	if n == 0 {
		return e.team.Threads
	}
	return n
}

// sameStart returns an error unless all ranks have the same settings, matrices, of which some may be nil, and kernels.
func (e *env) sameStart(settings string, matrices ...*matrix.Matrix) error {
	if !e.team.Several() {
		return nil
	}
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for _, m := range matrices {
		if m != nil {
			fmt.Fprintf(h, "%d %q %q\n", m.Dim, m.Names, m.Identities)
			var row []byte
			for i := range m.Len() {
				row = row[:0]
				for _, v := range m.Row(i) {
					row = binary.LittleEndian.AppendUint32(row, math.Float32bits(v))
				}
				h.Write(row) // a hash takes everything
			}
		}
	}
	return e.team.Same("the start", []team.Fact{
		{What: "settings", Is: settings, Cure: team.SameCommand},
		{What: "embeddings", Is: fmt.Sprint(h.Sum32()), Cure: "all ranks need the same files"},
		team.Kernels(kernel.Variant()),
	})
}
