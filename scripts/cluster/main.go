//go:build linux

// Command cluster says how well training on several machines will do, by a simple model of what a step computes and exchanges, and holds the
// model against real runs on a network that is made slow.
//
//	go run ./scripts/cluster [--latency 30us] [--machine FILE.json] [--faster 1]
//	go run ./scripts/cluster --check FV_TRAIN FACES
//
// The first times this machine's steps (some minutes; a head of a million classes needs 8 GB) and prints a table of efficiencies: images a
// second of so many machines, as a share of so many times one machine's, each with 64 images a step. What was timed is kept in the file, from which a
// table can be printed again. --faster 16 is for machines that compute so many times as fast.
//
// The second trains MobileFaceNet with FV_TRAIN, which is built with the tag mpi, on two hosts that it makes of this machine, with one thread each,
// and compares their steps with the model's. It needs the right to make network namespaces, and mpirun.openmpi or mpirun.mpich.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	latency := flag.Duration("latency", 30*time.Microsecond, "of a message on the network that is predicted")
	file := flag.String("machine", "", "where what a machine takes is read, or else written; none if empty")
	faster := flag.Float64("faster", 1, "than the machine that was timed, those that are predicted")
	check := flag.Bool("check", false, "hold the model against runs on a network made slow")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	switch {
	case *check && flag.NArg() == 2:
		err = compare(ctx, flag.Arg(0), flag.Arg(1))
	case !*check && flag.NArg() == 0 && *faster > 0:
		err = predict(ctx, *file, *faster, *latency)
	default:
		err = errors.New("want nothing but --latency, --machine and --faster, or --check FV_TRAIN FACES")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// predict prints the table.
func predict(ctx context.Context, file string, faster float64, latency time.Duration) error {
	machine, err := readMachine(ctx, file)
	if err != nil {
		return err
	}
	fmt.Println("| network | classes | head | Gbit/s | 2 | 4 | 8 | 16 | 32 | 64 |\n|---|---|---|---|---|---|---|---|---|---|")
	for _, backbone := range backbones {
		for _, classes := range classCounts {
			n := machine.node(backbone, classes).faster(faster)
			for _, split := range []bool{false, true} {
				head := "whole"
				if split {
					head = "split"
				}
				for _, rate := range []float64{10, 25, 100} {
					fmt.Printf("| %s | %d | %s | %g |", backbone, classes, head, rate)
					for p := 2; p <= 64; p *= 2 {
						fmt.Printf(" %.2f |", n.efficiency(p, link{rate * 1e9 / 8, latency.Seconds()}, exchanges{split: split}))
					}
					fmt.Println()
				}
			}
		}
	}
	return nil
}
