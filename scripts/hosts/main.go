//go:build linux

// Command hosts runs a command on the first of some hosts that it makes of this machine: network namespaces, on a network that is as slow as
// asked. HOSTS and AGENT in the command's environment are their addresses and a program that stands for ssh, so that
//
//	go run ./scripts/hosts --rate 100e6 --delay 5ms --loss 0.01 sh -c 'mpirun --host $HOSTS --mca plm_rsh_agent $AGENT --mca btl tcp,self fv-train FACES'
//	go run ./scripts/hosts --rate 100e6 sh -c 'mpirun -hosts $HOSTS -launcher ssh -launcher-exec $AGENT fv-train FACES'
//
// train on two hosts, with Open MPI and with MPICH.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/faceverify/fv/internal/hosttest"
)

func main() {
	n := flag.Int("n", 2, "hosts")
	var link hosttest.Link
	flag.Float64Var(&link.Rate, "rate", 0, "of each host's link, in bits a second; 0 for no limit")
	flag.DurationVar(&link.Delay, "delay", 0, "of a packet on its way")
	flag.Float64Var(&link.Loss, "loss", 0, "share of packets that are lost")
	flag.IntVar(&link.MTU, "mtu", 1500, "bytes of a packet at most; with 65000 a fast network costs this machine little")
	cut := flag.Duration("cut", 0, "when to cut the last host off the network; 0 for never")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *n, link, *cut, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "hosts:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, n int, link hosttest.Link, cut time.Duration, command []string) (err error) {
	if len(command) == 0 {
		return errors.New("want a command; --help lists the settings")
	}
	hosts, err := hosttest.New(n, link)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hosts.Close()) }()
	var addresses []string
	for i := range n {
		addresses = append(addresses, hosts.Address(i))
	}
	if cut > 0 {
		defer time.AfterFunc(cut, func() { hosts.Cut(n - 1) }).Stop()
	}
	c := hosts.Command(ctx, 0, command[0], command[1:]...)
	c.Env = append(os.Environ(), "HOSTS="+strings.Join(addresses, ","), "AGENT="+hosts.Agent())
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	return c.Run()
}
