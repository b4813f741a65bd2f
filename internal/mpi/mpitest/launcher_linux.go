package mpitest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/faceverify/fv/internal/hosttest"
)

// Launcher is an installed mpirun, and a command that it starts.
type Launcher struct {
	Dir     string          // that the command runs in, empty at first
	Hosts   *hosttest.Hosts // that ranks run on, or nil
	path    string          // of mpirun
	command string
}

// ofTest is the variable by which the ranks of a test are found.
const ofTest = "FV_TEST_RANKS"

// Launchers calls f with each launcher that is installed. What it starts is the test binary under the name of a command, which is what that then
// is: see testscript.Main.
func Launchers(t *testing.T, command string, f func(t *testing.T, l *Launcher)) {
	t.Helper()
	none := true
	for _, name := range []string{"mpirun.openmpi", "mpirun.mpich"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Logf("%s is not there: what it would start is not tried", name)
			continue
		}
		none = false
		t.Run(name, func(t *testing.T) {
			l := &Launcher{Dir: t.TempDir(), path: path}
			l.command = filepath.Join(l.Dir, command)
			self, err := filepath.Abs(os.Args[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(self, l.command); err != nil {
				t.Fatal(err)
			}
			f(t, l)
		})
	}
	if none {
		t.Skip("neither mpirun.openmpi nor mpirun.mpich is there: install openmpi-bin or mpich")
	}
}

// Ranks is the command as so many processes, or one that no launcher starts; output collects what all print.
func (l *Launcher) Ranks(t *testing.T, n int, output *bytes.Buffer, args ...string) *exec.Cmd {
	t.Helper()
	name := l.command
	if n > 1 {
		openMPI := strings.HasSuffix(l.path, "openmpi")
		launch := []string{"-np", strconv.Itoa(n)}
		if l.Hosts != nil {
			launch = l.Hosts.Launch(openMPI, n)
		}
		switch {
		case openMPI && l.Hosts != nil:
			launch = append(launch, "-x", ofTest)
		case openMPI:
			launch = append(launch, "--oversubscribe")
		}
		name, args = l.path, append(append(launch, l.command), args...)
	}
	c := exec.CommandContext(t.Context(), name, args...)
	if l.Hosts != nil {
		c = l.Hosts.Command(t.Context(), 0, name, args...)
	}
	c.Dir, c.Stdout, c.Stderr = l.Dir, output, output
	c.Env = append(os.Environ(), ofTest+"="+l.Dir, "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
	c.WaitDelay = 10 * time.Second
	return c
}

// OnHosts makes the ranks run on hosts of their own, one on each, until the test ends. It skips the test where no hosts can be made.
func (l *Launcher) OnHosts(t *testing.T, n int, link hosttest.Link) {
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
	l.Hosts = hosts
}

// Process returns a rank that runs.
func (l *Launcher) Process(t *testing.T, rank int) *os.Process {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		env, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		is := func(v string) bool { return bytes.Contains(append([]byte{0}, env...), []byte("\x00"+v+"\x00")) }
		number := strconv.Itoa(rank)
		if is(ofTest+"="+l.Dir) && (is("OMPI_COMM_WORLD_RANK="+number) || is("PMI_RANK="+number)) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			if err != nil {
				t.Fatal(err)
			}
			p, err := os.FindProcess(pid)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
	}
	t.Fatalf("no process is rank %d", rank)
	return nil
}

// End waits for ranks that are to end within a time, and fails if they say they did well.
func End(t *testing.T, c *exec.Cmd, output *bytes.Buffer, within time.Duration) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case err := <-done:
		if err == nil {
			t.Fatalf("the ranks ended well:\n%s", output)
		}
	case <-time.After(within):
		c.Process.Kill()
		t.Fatalf("the ranks have not ended within %v:\n%s", within, output)
	}
}
