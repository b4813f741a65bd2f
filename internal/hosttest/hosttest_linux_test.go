package hosttest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func newHosts(t *testing.T, n int, link Link) *Hosts {
	t.Helper()
	h, err := New(n, link)
	if errors.Is(err, ErrUnable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// connect returns both ends of a connection from host 0 to host 1.
func connect(t *testing.T, h *Hosts) (from, to net.Conn) {
	t.Helper()
	var listener net.Listener
	err := within(h.hosts[1].process.Process.Pid, func() (err error) {
		listener, err = net.Listen("tcp4", h.Address(1)+":0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := listener.Accept()
		accepted <- c
	}()
	err = within(h.hosts[0].process.Process.Pid, func() (err error) {
		from, err = net.DialTimeout("tcp4", listener.Addr().String(), 10*time.Second)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	to = <-accepted
	for _, c := range []net.Conn{from, to} {
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
	}
	return from, to
}

// What is sent arrives whole, whatever the network loses.
func TestLoss(t *testing.T) {
	for _, link := range []Link{{}, {Loss: 0.02, Delay: time.Millisecond}} {
		from, to := connect(t, newHosts(t, 2, link))
		sent := bytes.Repeat([]byte("0123456789abcde\n"), 1<<13)
		go func() { from.Write(sent) }()
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(to, got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, sent) {
			t.Errorf("link %+v: what arrives is not what was sent", link)
		}
	}
}

// A question and its answer take two delays, and a megabyte the time that the rate gives it.
func TestDelayAndRate(t *testing.T) {
	const delay = 20 * time.Millisecond
	from, to := connect(t, newHosts(t, 2, Link{Delay: delay}))
	go io.Copy(to, to)
	began := time.Now()
	one := make([]byte, 1)
	from.Write(one)
	if _, err := io.ReadFull(from, one); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 2*delay {
		t.Errorf("question and answer took %v, want at least %v", took, 2*delay)
	}

	from, to = connect(t, newHosts(t, 2, Link{Rate: 40e6}))
	began = time.Now()
	go func() { from.Write(make([]byte, 1e6)) }()
	if _, err := io.ReadFull(to, make([]byte, 1e6)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 190*time.Millisecond {
		t.Errorf("1 MB at 40 Mbit/s took %v, want 200 ms", took)
	}
}

// Commands run under the host's name, and the agent starts them as ssh would.
func TestCommand(t *testing.T) {
	h := newHosts(t, 2, Link{})
	before, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.Command(t.Context(), 1, "hostname").CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != "host1" {
		t.Errorf("%q, error %v, want host1", got, err)
	}
	out, err = h.Command(t.Context(), 0, h.Agent(), "-x", h.Address(1), "hostname", ";", "echo", "done").CombinedOutput()
	if got := string(out); err != nil || got != "host1\ndone\n" {
		t.Errorf("%q, error %v, want host1 and done", got, err)
	}
	if after, _ := os.Hostname(); after != before {
		t.Errorf("this machine is called %s now, want %s", after, before)
	}
}

// A host that is cut off is silent.
func TestCut(t *testing.T) {
	h := newHosts(t, 2, Link{})
	from, to := connect(t, h)
	h.Cut(1)
	from.Write([]byte{1})
	to.SetDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := to.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v, want that of a deadline", err)
	}
}

// What runs on a host ends with it.
func TestClose(t *testing.T) {
	h, err := New(1, Link{})
	if errors.Is(err, ErrUnable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := h.Command(t.Context(), 0, "sleep", "60")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Wait(); err == nil || c.ProcessState.ExitCode() != -1 {
		t.Errorf("sleep ended with %v, want a signal", err)
	}
}

func TestNewErrors(t *testing.T) {
	for _, n := range []int{0, 251} {
		if _, err := New(n, Link{}); err == nil {
			t.Errorf("%d hosts: no error", n)
		}
	}
}
