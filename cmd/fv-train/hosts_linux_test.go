//go:build mpi && linux && (amd64 || arm64)

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/faceverify/fv/internal/hosttest"
)

// Hosts on a network that is slow and loses packets train to the bit what ranks of one machine do.
func TestMPIHosts(t *testing.T) {
	launchers(t, func(t *testing.T, m *mpirun) {
		var out bytes.Buffer
		if err := m.Ranks(t, 2, &out, m.settings("near", "--max-steps", "3")...).Run(); err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		m.OnHosts(t, 2, hosttest.Link{Delay: 2 * time.Millisecond, Loss: 0.01})
		out.Reset()
		if err := m.Ranks(t, 2, &out, m.settings("far", "--max-steps", "3")...).Run(); err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		near, far := m.losses(t, "near"), m.losses(t, "far")
		if len(near) != 3 || len(far) != 3 {
			t.Fatalf("%d and %d steps, want 3", len(near), len(far))
		}
		for i, w := range near {
			if far[i] != w {
				t.Errorf("step %d: loss %v, want %v", i+1, far[i], w)
			}
		}
	})
}

// A host that is cut off the network: the ranks on both sides end, whatever becomes of the launcher, and the run goes on from its last checkpoint.
func TestMPIHostCut(t *testing.T) {
	launchers(t, func(t *testing.T, m *mpirun) {
		m.OnHosts(t, 2, hosttest.Link{})
		var out bytes.Buffer
		c := m.Ranks(t, 2, &out, m.settings("cut", "--epochs", "1000", "--mpi-timeout", "2", "--val", "none")...)
		c.WaitDelay = time.Second // daemons of the launcher hold its output
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		m.await(t, "cut", 4)
		both := []*os.Process{m.Process(t, 0), m.Process(t, 1)}
		m.Hosts.Cut(1)
		gone(t, both, 30*time.Second)
		c.Process.Kill() // it waits for the host that it does not reach
		if err := c.Wait(); err == nil {
			t.Errorf("the launcher ended well:\n%s", &out)
		}
		if want := "rank 1 does not answer"; !strings.Contains(out.String(), want) {
			t.Errorf("want %q in\n%s", want, &out)
		}
		m.Hosts = nil
		m.goesOn(t, "cut")
	})
}
