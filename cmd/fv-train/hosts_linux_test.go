//go:build mpi && linux && (amd64 || arm64)

package main

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/faceverify/fv/internal/hosttest"
)

// onHosts makes the ranks of m run on hosts of their own, one on each.
func (m *mpirun) onHosts(t *testing.T, n int, link hosttest.Link) {
	t.Helper()
	hosts, err := hosttest.New(n, link)
	if errors.Is(err, hosttest.ErrUnable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := hosts.Close(); err != nil {
			t.Error(err)
		}
	})
	m.hosts = hosts
}

// spread is what tells the launcher to start a rank on each of n hosts, and to let them talk through the network alone.
func (m *mpirun) spread(n int) []string {
	var addresses []string
	for i := range n {
		addresses = append(addresses, m.hosts.Address(i))
	}
	list := strings.Join(addresses, ",")
	if strings.HasSuffix(m.path, "openmpi") {
		return []string{"-np", strconv.Itoa(n), "--host", list, "--mca", "plm_rsh_agent", m.hosts.Agent(), "-x", ofTest, "--mca", "btl", "tcp,self"}
	}
	return []string{"-n", strconv.Itoa(n), "-hosts", list, "-launcher", "ssh", "-launcher-exec", m.hosts.Agent(), "-genv", "UCX_TLS", "tcp,self"}
}

// Hosts on a network that is slow and loses packets train to the bit what ranks of one machine do.
func TestMPIHosts(t *testing.T) {
	launchers(t, func(t *testing.T, m *mpirun) {
		var out bytes.Buffer
		if err := m.ranks(t, 2, &out, m.settings("near", "--max-steps", "3")...).Run(); err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		m.onHosts(t, 2, hosttest.Link{Delay: 2 * time.Millisecond, Loss: 0.01})
		out.Reset()
		if err := m.ranks(t, 2, &out, m.settings("far", "--max-steps", "3")...).Run(); err != nil {
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
		m.onHosts(t, 2, hosttest.Link{})
		var out bytes.Buffer
		c := m.ranks(t, 2, &out, m.settings("cut", "--epochs", "1000", "--mpi-timeout", "2", "--val", "none")...)
		c.WaitDelay = time.Second // daemons of the launcher hold its output
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		m.await(t, "cut", 4)
		both := []*os.Process{m.process(t, 0), m.process(t, 1)}
		m.hosts.Cut(1)
		gone(t, both, 30*time.Second)
		c.Process.Kill() // it waits for the host that it does not reach
		if err := c.Wait(); err == nil {
			t.Errorf("the launcher ended well:\n%s", &out)
		}
		if want := "rank 1 does not answer"; !strings.Contains(out.String(), want) {
			t.Errorf("want %q in\n%s", want, &out)
		}
		m.hosts = nil
		m.goesOn(t, "cut")
	})
}
