//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/faceverify/fv/internal/hosttest"
)

// trials are the networks of the check. The first one gives what the others of its kind are compared with.
var trials = []struct {
	hosttest.Link
	own bool // batch norms of each rank's own
}{
	{Link: hosttest.Link{}},
	{Link: hosttest.Link{Rate: 400e6}},
	{Link: hosttest.Link{Rate: 100e6}},
	{Link: hosttest.Link{Rate: 50e6}},
	{Link: hosttest.Link{Rate: 25e6}},
	{Link: hosttest.Link{Delay: time.Millisecond}},
	{Link: hosttest.Link{Delay: 5 * time.Millisecond}},
	{Link: hosttest.Link{Rate: 100e6, Delay: 2 * time.Millisecond}},
	{Link: hosttest.Link{}, own: true},
	{Link: hosttest.Link{Rate: 50e6}, own: true},
	{Link: hosttest.Link{Rate: 25e6}, own: true},
}

const (
	checkSteps = 12
	leaveOut   = 2 // of these, that touch all memory
)

// ran is what steps of two ranks took, the median of them.
type ran struct{ seconds, sums, waited, megabytes float64 }

// compare runs two ranks over each of the networks, and prints what their steps took beside what the model says: the step over the fastest
// one, and what a slower one adds to it.
func compare(ctx context.Context, program, faces string) error {
	n, err := measureBackbone(ctx, "mobilefacenet", 1)
	if err != nil {
		return err
	}
	n.Images /= 2 // a rank's
	share := n.Backward / (n.Forward + n.Backward + n.Other)
	fmt.Println("| norms | Mbit/s | delay | MB a step | sums: measured, s | model | step: measured, s | model | model/measured |\n|---|---|---|---|---|---|---|---|---|")
	var fastest ran
	for _, l := range trials {
		r, err := train(ctx, program, faces, l.Link, l.own)
		if err != nil {
			return err
		}
		rate, slow := "no limit", link{rate: 1e12, latency: l.Delay.Seconds()}
		if l.Rate > 0 {
			rate, slow.rate = strconv.FormatFloat(l.Rate/1e6, 'g', -1, 64), l.Rate/8
		}
		if l.Link == (hosttest.Link{}) {
			fastest = r
			n.Backward = share * r.seconds
		}
		norms := "synchronised"
		if l.own {
			norms = "each rank's"
		}
		s := n.step(2, slow, exchanges{own: l.own})
		model := fastest.seconds - fastest.waited + s.waiting + max(s.exposed, fastest.waited)
		fmt.Printf("| %s | %s | %v | %.1f | %.2f | %.2f | %.2f | %.2f | %.2f |\n", norms, rate, l.Delay, r.megabytes, r.sums, s.sums, r.seconds, model, model/r.seconds)
	}
	return nil
}

// train takes some steps on two hosts.
func train(ctx context.Context, program, faces string, l hosttest.Link, own bool) (_ ran, err error) {
	dir, err := os.MkdirTemp("", "cluster-")
	if err != nil {
		return ran{}, err
	}
	defer os.RemoveAll(dir)
	if l.Rate == 0 || l.Rate > 200e6 {
		l.MTU = 65000 // packets by the thousand would take more of the processors than the training leaves
	}
	hosts, err := hosttest.New(2, l)
	if err != nil {
		return ran{}, err
	}
	defer func() { err = errors.Join(err, hosts.Close()) }()
	launch := append([]string{"mpirun.openmpi", "--allow-run-as-root"}, hosts.Launch(true, 2)...)
	if _, err := exec.LookPath(launch[0]); err != nil {
		launch = append([]string{"mpirun.mpich"}, hosts.Launch(false, 2)...)
	}
	run := filepath.Join(dir, "run")
	args := append(launch[1:], program, "--threads", "1", "--out", run, "--min-images", "2", "--val", "none", "--no-split-head", "--batch", strconv.Itoa(images), "--max-steps", strconv.Itoa(checkSteps), "--cache", "0", faces)
	c := hosts.Command(ctx, 0, launch[0], args...)
	if own {
		c.Args = append(c.Args, "--no-sync-norms")
	}
	var output bytes.Buffer
	c.Stdout, c.Stderr, c.WaitDelay = &output, &output, time.Second
	if err := c.Run(); err != nil {
		return ran{}, fmt.Errorf("%s: %w\n%s", strings.Join(c.Args, " "), err, &output)
	}
	return readLog(filepath.Join(run, "log.jsonl"))
}

// readLog returns the medians of a run's steps.
func readLog(name string) (ran, error) {
	f, err := os.Open(name)
	if err != nil {
		return ran{}, err
	}
	defer f.Close()
	var seconds, sums, waited, megabytes []float64
	for s := bufio.NewScanner(f); s.Scan(); {
		var line struct {
			Step     int
			ImgS     float64 `json:"img_s"`
			Exchange *struct{ Bytes, Sums, Waited float64 }
		}
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			return ran{}, fmt.Errorf("%s: %w", name, err)
		}
		if line.Step <= leaveOut || line.Exchange == nil {
			continue
		}
		seconds = append(seconds, images/line.ImgS)
		sums = append(sums, line.Exchange.Sums)
		waited = append(waited, line.Exchange.Waited)
		megabytes = append(megabytes, line.Exchange.Bytes/1e6)
	}
	if len(seconds) == 0 {
		return ran{}, fmt.Errorf("%s: no steps of several ranks", name)
	}
	return ran{median(seconds), median(sums), median(waited), median(megabytes)}, nil
}

func median(x []float64) float64 {
	slices.Sort(x)
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}
