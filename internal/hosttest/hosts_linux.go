package hosttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Hosts are hosts on a network.
type Hosts struct {
	dir    string
	hosts  []*host
	router *router
}

// host is a process that does nothing but hold namespaces; it ends when its input does.
type host struct {
	process *exec.Cmd
	input   io.Closer
	device  int // a file: what the host sends comes out of it, and what is written to it arrives there
}

// New makes so many hosts.
func New(n int, link Link) (*Hosts, error) {
	if n < 1 || n > 250 {
		return nil, fmt.Errorf("%d hosts, want 1 to 250", n)
	}
	if link.MTU == 0 {
		link.MTU = 1500
	}
	dir, err := os.MkdirTemp("", "hosts-")
	if err != nil {
		return nil, err
	}
	h := &Hosts{dir: dir}
	for i := range n {
		one, err := newHost(i, link.MTU)
		if err == nil {
			h.hosts = append(h.hosts, one)
			err = os.WriteFile(filepath.Join(dir, h.Address(i)), []byte(strconv.Itoa(one.process.Process.Pid)), 0o666)
		}
		if err != nil {
			return nil, errors.Join(err, h.Close())
		}
	}
	if err := os.WriteFile(h.Agent(), []byte(agent), 0o777); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	h.router = newRouter(h.hosts, link)
	return h, nil
}

func newHost(i, mtu int) (_ *host, err error) {
	for _, tool := range []string{"nsenter", "unshare", "mount"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%w: %v", ErrUnable, err)
		}
	}
	h := &host{process: exec.Command("cat"), device: -1}
	h.process.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWUTS, Setpgid: true}
	if h.input, err = h.process.StdinPipe(); err != nil {
		return nil, err
	}
	if err := h.process.Start(); err != nil {
		return nil, fmt.Errorf("%w: namespaces: %v", ErrUnable, err)
	}
	err = within(h.process.Process.Pid, func() error {
		if err := unix.Sethostname([]byte("host" + strconv.Itoa(i))); err != nil {
			return err
		}
		h.device, err = plug(address(i), mtu)
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrUnable, err), h.close())
	}
	return h, nil
}

// close ends what runs on the host, and the host.
func (h *host) close() error {
	err := h.kill()
	if h.device >= 0 {
		err = errors.Join(err, unix.Close(h.device))
	}
	return errors.Join(err, h.input.Close(), h.process.Wait())
}

// kill ends all processes of the host but its own.
func (h *host) kill() error {
	own := h.process.Process.Pid
	space, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", own))
	if err != nil {
		return err
	}
	links, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		return err
	}
	for _, link := range links {
		if l, err := os.Readlink(link); err != nil || l != space {
			continue // of another host, or gone
		}
		pid, err := strconv.Atoi(strings.Split(link, "/")[2])
		if err != nil {
			return err
		}
		if pid != own {
			unix.Kill(pid, unix.SIGKILL) // unless it is gone
		}
	}
	return nil
}

// within calls f in the namespaces of a process.
func within(pid int, f func() error) (err error) {
	onThread(func() {
		for name, kind := range map[string]int{"net": unix.CLONE_NEWNET, "uts": unix.CLONE_NEWUTS} {
			var space *os.File
			if space, err = os.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, name)); err != nil {
				return
			}
			err = unix.Setns(int(space.Fd()), kind)
			space.Close()
			if err != nil {
				return
			}
		}
		err = f()
	})
	return err
}

// onThread calls f on a thread that ends with it, which the first one of a process does not.
func onThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			onThread(f) // on another one, as this is taken
			runtime.UnlockOSThread()
			return
		}
		f()
	}()
	<-done
}

// plug makes a device of the network namespace it is called in, and turns it on.
func plug(address [4]byte, mtu int) (int, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("/dev/net/tun: %w", err)
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	defer unix.Close(socket)
	for _, step := range []struct {
		fd      int
		device  string
		request uint
		set     func(*unix.Ifreq) error
	}{
		{fd, "net0", unix.TUNSETIFF, number(unix.IFF_TUN | unix.IFF_NO_PI)},
		{socket, "net0", unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(address[:]) }},
		{socket, "net0", unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr([]byte{255, 255, 255, 0}) }},
		{socket, "net0", unix.SIOCSIFMTU, func(r *unix.Ifreq) error { r.SetUint32(uint32(mtu)); return nil }},
		{socket, "net0", unix.SIOCSIFFLAGS, number(unix.IFF_UP | unix.IFF_RUNNING)},
		{socket, "lo", unix.SIOCSIFFLAGS, number(unix.IFF_UP | unix.IFF_RUNNING)},
	} {
		request, err := unix.NewIfreq(step.device)
		if err == nil {
			err = step.set(request)
		}
		if err == nil {
			err = unix.IoctlIfreq(step.fd, step.request, request)
		}
		if err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("network device %s, request %#x: %w", step.device, step.request, err)
		}
	}
	return fd, nil
}

func number(v uint16) func(*unix.Ifreq) error {
	return func(r *unix.Ifreq) error { r.SetUint16(v); return nil }
}

// address returns that of a host: 10.77.0.1 is the first one's.
func address(host int) [4]byte { return [4]byte{10, 77, 0, byte(host + 1)} }

// Address returns the address of a host, which is what the agent and launchers know it by.
func (h *Hosts) Address(host int) string {
	a := address(host)
	return fmt.Sprintf("%d.%d.%d.%d", a[0], a[1], a[2], a[3])
}

// Command is exec.CommandContext on a host.
func (h *Hosts) Command(ctx context.Context, host int, name string, args ...string) *exec.Cmd {
	pid := strconv.Itoa(h.hosts[host].process.Process.Pid)
	return exec.CommandContext(ctx, "nsenter", append([]string{"-t", pid, "-n", "-u", "unshare", "-m", "sh", "-c", moveIn, name, name}, args...)...)
}

// moveIn makes /sys that of the host, where programs look for network devices, and runs a command.
const moveIn = `mount -t sysfs sysfs /sys && exec "$@"`

// agent runs a command on a host, as ssh would: agent [OPTION]... ADDRESS COMMAND...
const agent = `#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
pid=$(cat "${0%/*}/$1") || exit 255
shift
exec nsenter -t "$pid" -n -u unshare -m sh -c '` + moveIn + `' sh sh -c "$*"
`

// Agent is a program that stands for ssh, for launchers: it runs a command on the host with an address.
func (h *Hosts) Agent() string { return filepath.Join(h.dir, "agent") }

// Launch returns the arguments by which an MPI launcher, Open MPI's or else MPICH's, starts a process on each of the first n hosts, and lets
// them talk through the network alone. The launcher is to run on a host itself.
func (h *Hosts) Launch(openMPI bool, n int) []string {
	var addresses []string
	for i := range n {
		addresses = append(addresses, h.Address(i))
	}
	list := strings.Join(addresses, ",")
	if openMPI {
		return []string{"-np", strconv.Itoa(n), "--host", list, "--mca", "plm_rsh_agent", h.Agent(), "--mca", "btl", "tcp,self"}
	}
	return []string{"-n", strconv.Itoa(n), "-hosts", list, "-launcher", "ssh", "-launcher-exec", h.Agent(), "-genv", "UCX_TLS", "tcp,self"}
}

// Cut takes a host off the network: nothing arrives from it, or at it, any more.
func (h *Hosts) Cut(host int) { h.router.ports[host].cut.Store(true) }

// Close ends all that runs on the hosts, and the network.
func (h *Hosts) Close() error {
	var errs []error
	if h.router != nil {
		h.router.close()
	}
	for _, one := range h.hosts {
		errs = append(errs, one.close())
	}
	return errors.Join(append(errs, os.RemoveAll(h.dir))...)
}
