//go:build mpi && linux && (amd64 || arm64)

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/faceverify/fv/internal/mpi/mpitest"
	"github.com/faceverify/fv/pipeline/synth"
)

// mpirun is an installed launcher, with what its ranks need.
type mpirun struct {
	*mpitest.Launcher
	data string
}

// launchers calls f with each launcher that is installed.
func launchers(t *testing.T, f func(t *testing.T, m *mpirun)) {
	t.Helper()
	mpitest.Launchers(t, "fv-train", func(t *testing.T, l *mpitest.Launcher) {
		m := &mpirun{l, filepath.Join(l.Dir, "faces")}
		if err := synth.Write(t.Context(), m.data, synth.Options{Identities: 12, Images: 4, Seed: 5, Size: 32, Quality: -1}); err != nil {
			t.Fatal(err)
		}
		f(t, m)
	})
}

// settings are those of a run of some seconds.
func (m *mpirun) settings(out string, more ...string) []string {
	return append([]string{"--out", out, "--size", "32x32", "--backbone", "sfnet4-bn", "--embedding", "16", "--batch", "4", "--lr", "0.02", "--warmup", "4",
		"--threads", "1", "--checkpoint-every", "2", "--cache", "1MiB", "--val", "0.34", "--log-every", "1", m.data}, more...)
}

// losses are those of a run's steps.
func (m *mpirun) losses(t *testing.T, out string) []float64 {
	t.Helper()
	f, err := os.Open(filepath.Join(m.Dir, out, "log.jsonl"))
	if err != nil {
		return nil
	}
	defer f.Close()
	var losses []float64
	for s := bufio.NewScanner(f); s.Scan(); {
		var line struct{ Loss float64 }
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			break // half written
		}
		losses = append(losses, line.Loss)
	}
	return losses
}

// await returns when a run has taken so many steps.
func (m *mpirun) await(t *testing.T, out string, steps int) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); len(m.losses(t, out)) < steps; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s has not taken %d steps in two minutes", out, steps)
		}
	}
}

// parent returns the process that started another one.
func parent(t *testing.T, p *os.Process) *os.Process {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(stat, []byte(") ")) // after the name: state, parent
	pid, err := strconv.Atoi(string(bytes.Fields(rest)[1]))
	if err != nil || pid < 2 {
		t.Fatalf("the parent of a rank is %d, %v", pid, err)
	}
	q, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// sameLosses fails unless two runs have the same losses: see TestRanks of package pipeline for the tolerance.
func (m *mpirun) sameLosses(t *testing.T, got, want []float64) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%d steps, want %d", len(got), len(want))
	}
	for i, w := range want {
		if math.Abs(got[i]-w) > 2e-6*float64(i+1)*(1+math.Abs(w)) {
			t.Errorf("step %d: loss %v, want %v", i+1, got[i], w)
		}
	}
}

// goesOn fails unless one process can take up a run and take another two steps.
func (m *mpirun) goesOn(t *testing.T, out string) {
	t.Helper()
	var output bytes.Buffer
	last := len(m.losses(t, out)) + 2
	if err := m.Ranks(t, 1, &output, "--resume", out, "--max-steps", strconv.Itoa(last)).Run(); err != nil {
		t.Errorf("resumed: %v\n%s", err, &output)
	}
	if n := len(m.losses(t, out)); n != last {
		t.Errorf("resumed to step %d, want %d", n, last)
	}
}

// gone waits for ranks that are to end within a time, however the launcher fares.
func gone(t *testing.T, ranks []*os.Process, within time.Duration) {
	t.Helper()
	deadline := time.Now().Add(within)
	for i, p := range ranks {
		for p.Signal(syscall.Signal(0)) == nil {
			if time.Now().After(deadline) {
				p.Kill()
				t.Errorf("rank %d has not ended within %v", i, within)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// Two ranks train as one process does, and rank 0 speaks for both; a run that was killed goes on with another number of ranks.
func TestMPITrains(t *testing.T) {
	launchers(t, func(t *testing.T, m *mpirun) {
		var out bytes.Buffer
		if err := m.Ranks(t, 1, &out, m.settings("one", "--max-steps", "8")...).Run(); err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		out.Reset()
		if err := m.Ranks(t, 2, &out, m.settings("two", "--max-steps", "5")...).Run(); err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		for _, once := range []string{"2 ranks on ", "2 ranks with 2 of a batch's 4 images each", "step 5/5", "next: fv-eval"} {
			if n := strings.Count(out.String(), once); n != 1 {
				t.Errorf("%q stands %d times in\n%s", once, n, &out)
			}
		}
		out.Reset()
		if err := m.Ranks(t, 4, &out, "--resume", "two", "--max-steps", "8").Run(); err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		m.sameLosses(t, m.losses(t, "two"), m.losses(t, "one"))
	})
}

// A mistake is told once, and ends all.
func TestMPIMistake(t *testing.T) {
	launchers(t, func(t *testing.T, m *mpirun) {
		for want, args := range map[string][]string{
			"fv-train: --batch: 3 ranks cannot share 4 images equally": m.settings("bad"),
			"fv-train: FOLDER: there is no folder nowhere":             {"nowhere"},
		} {
			var out bytes.Buffer
			if err := m.Ranks(t, 3, &out, args...).Run(); err == nil || strings.Count(out.String(), want) != 1 {
				t.Errorf("error %v, want %q once in\n%s", err, want, &out)
			}
		}
	})
}

// A rank that is told to stop stops all, with a checkpoint.
func TestMPIInterrupt(t *testing.T) {
	launchers(t, func(t *testing.T, m *mpirun) {
		for _, s := range []os.Signal{os.Interrupt, syscall.SIGUSR1} {
			var out bytes.Buffer
			dir := fmt.Sprint("stopped-", s)
			c := m.Ranks(t, 2, &out, m.settings(dir, "--epochs", "1000", "--checkpoint-every", "1epochs")...)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			m.await(t, dir, 3)
			if err := m.Process(t, 1).Signal(s); err != nil {
				t.Fatal(err)
			}
			mpitest.End(t, c, &out, 30*time.Second)
			n := len(m.losses(t, dir))
			if want := fmt.Sprintf("interrupted after step %d; fv-train --resume %s goes on from there", n, dir); strings.Count(out.String(), want) != 1 {
				t.Errorf("want %q once in\n%s", want, &out)
			}
			if _, err := os.Stat(filepath.Join(m.Dir, dir, "checkpoints", fmt.Sprintf("step-%09d.safetensors", n))); err != nil {
				t.Error(err)
			}
		}
	})
}

// A rank that is killed, and one that stands still, end all within a bounded time; the last checkpoint is good.
func TestMPIRankLost(t *testing.T) {
	launchers(t, func(t *testing.T, m *mpirun) {
		for name, s := range map[string]os.Signal{"killed": os.Kill, "frozen": syscall.SIGSTOP} {
			var out bytes.Buffer
			c := m.Ranks(t, 2, &out, m.settings(name, "--epochs", "1000", "--mpi-timeout", "4", "--val", "none")...)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			m.await(t, name, 5)
			p := m.Process(t, 1)
			if err := p.Signal(s); err != nil {
				t.Fatal(err)
			}
			mpitest.End(t, c, &out, 30*time.Second)
			p.Kill()
			if want := "rank 1 does not answer"; name == "frozen" && !strings.Contains(out.String(), want) {
				t.Errorf("want %q in\n%s", want, &out)
			}
			m.goesOn(t, name)
		}
	})
}

// Without the launcher, and the daemon that it may have started them by, ranks stop when they are told to, and do not wait for ever to be
// let go.
func TestMPILauncherLost(t *testing.T) {
	launchers(t, func(t *testing.T, m *mpirun) {
		var out bytes.Buffer
		c := m.Ranks(t, 2, &out, m.settings("lost", "--epochs", "1000", "--mpi-timeout", "4", "--val", "none")...)
		c.WaitDelay = time.Second // daemons of the launcher hold its output
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		m.await(t, "lost", 4)
		both := []*os.Process{m.Process(t, 0), m.Process(t, 1)}
		parent(t, both[0]).Kill()
		c.Process.Kill()
		c.Wait()
		for _, p := range both {
			p.Signal(os.Interrupt) // unless it has ended
		}
		gone(t, both, 30*time.Second)
		m.goesOn(t, "lost")
	})
}

// A full disk, which rank 0 alone writes to, ends all ranks with one message; with more room the run goes on.
func TestMPIDiskFull(t *testing.T) {
	launchers(t, func(t *testing.T, m *mpirun) {
		const out = "disk/run"
		dir := filepath.Join(m.Dir, "disk")
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil { // a checkpoint has 12.7 MB
			t.Skip("a small disk wants the right to mount one:", err)
		}
		defer unix.Unmount(dir, unix.MNT_DETACH)
		var output bytes.Buffer
		c := m.Ranks(t, 2, &output, m.settings(out, "--epochs", "1000", "--val", "none")...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		mpitest.End(t, c, &output, 30*time.Second)
		for _, once := range []string{"fv-train: cannot write to the run folder", "no space left on device"} {
			if strings.Count(output.String(), once) != 1 {
				t.Errorf("want %q once in\n%s", once, &output)
			}
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=100m"); err != nil {
			t.Fatal(err)
		}
		m.goesOn(t, out)
	})
}
