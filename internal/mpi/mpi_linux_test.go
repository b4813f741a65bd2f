//go:build mpi && linux && (amd64 || arm64)

package mpi_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/faceverify/fv/internal/mpi"
)

// rankMode says what a process of this test is to do: TestMain is what mpirun starts.
const rankMode = "FV_MPI_TEST"

func TestMain(m *testing.M) {
	mode := os.Getenv(rankMode)
	if mode == "" {
		os.Exit(m.Run())
	}
	if err := rank(mode); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func rank(mode string) error {
	w, err := mpi.Start()
	if err != nil {
		return err
	}
	if w == nil {
		fmt.Println("alone")
		return nil
	}
	switch mode {
	case "conformance":
		if err := conformance(w); err != nil {
			return err
		}
		fmt.Printf("rank %d of %d is content with %s\n", w.Rank(), w.Size(), w.Library())
		return w.Close()
	case "late":
		w.SetTimeout(time.Second)
		if w.Rank() == 1 {
			time.Sleep(time.Minute)
		}
		_, err := mpi.Gather(w, nil)
		if !errors.Is(err, mpi.ErrBroken) {
			return fmt.Errorf("error %v, want one that wraps ErrBroken", err)
		}
		fmt.Printf("rank %d: %v\n", w.Rank(), err)
		w.Abort(3)
		return err
	case "open":
		w.SetTimeout(time.Second)
		if w.Rank() == 1 {
			time.Sleep(time.Minute)
		}
		err := w.Close()
		if !errors.Is(err, mpi.ErrBroken) {
			return fmt.Errorf("error %v, want one that wraps ErrBroken", err)
		}
		fmt.Printf("rank %d: %v\n", w.Rank(), err)
		w.Abort(3)
		return err
	}
	return fmt.Errorf("what is %q?", mode)
}

// launchers are those that are installed.
func launchers(t *testing.T) []string {
	var found []string
	for _, name := range []string{"mpirun.openmpi", "mpirun.mpich"} {
		if path, err := exec.LookPath(name); err == nil {
			found = append(found, path)
		} else {
			t.Logf("%s is not there: what it would start is not tried", name)
		}
	}
	if len(found) == 0 {
		t.Skip("neither mpirun.openmpi nor mpirun.mpich is there: install openmpi-bin or mpich")
	}
	return found
}

// start runs this program as some ranks.
func start(t *testing.T, launcher, mode string, ranks int, env ...string) (string, error) {
	t.Helper()
	args := []string{"-np", fmt.Sprint(ranks)}
	if strings.HasSuffix(launcher, "openmpi") {
		args = append(args, "--oversubscribe")
	}
	c := exec.CommandContext(t.Context(), launcher, append(args, os.Args[0])...)
	c.Env = append(os.Environ(), rankMode+"="+mode, "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
	c.Env = append(c.Env, env...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.String(), err
}

func TestMPILibraries(t *testing.T) {
	for _, launcher := range launchers(t) {
		out, err := start(t, launcher, "conformance", 3)
		if err != nil || strings.Count(out, "is content with") != 3 {
			t.Errorf("%s: %v\n%s", launcher, err, out)
		}
		if out, err = start(t, launcher, "conformance", 1); err != nil || strings.TrimSpace(out) != "alone" {
			t.Errorf("%s -np 1: %v\n%s", launcher, err, out)
		}
	}
}

// A rank that does not come to a call is named by the others, which all end.
func TestMPILateRank(t *testing.T) {
	for _, launcher := range launchers(t) {
		began := time.Now()
		out, err := start(t, launcher, "late", 3)
		if err == nil || !strings.Contains(out, "has not ended within 1s: rank 1 does not answer") {
			t.Errorf("%s: error %v, output\n%s", launcher, err, out)
		}
		if d := time.Since(began); d > 30*time.Second {
			t.Errorf("%s: the ranks ended after %v", launcher, d)
		}
	}
}

// Where a rank does not come to the end the others do not wait for it longer than for anything else.
func TestMPIOpenEnd(t *testing.T) {
	for _, launcher := range launchers(t) {
		began := time.Now()
		out, err := start(t, launcher, "open", 3)
		if err == nil || !strings.Contains(out, "has not ended within 1s: rank 1 does not answer") {
			t.Errorf("%s: error %v, output\n%s", launcher, err, out)
		}
		if d := time.Since(began); d > 30*time.Second {
			t.Errorf("%s: the ranks ended after %v", launcher, d)
		}
	}
}

func TestMPIOddLibraries(t *testing.T) {
	launcher := launchers(t)[0]
	for _, c := range []struct{ library, want string }{
		{"libnone.so.1", "no MPI library could be loaded"},
		{"libm.so.6", "libm.so.6 is no MPI library that this program can use: it has no MPI_Get_library_version"},
	} {
		out, err := start(t, launcher, "conformance", 2, mpi.LibraryVariable+"="+c.library)
		if err == nil || !strings.Contains(out, c.want) || !strings.Contains(out, mpi.LibraryVariable+"=FILE") {
			t.Errorf("%s: error %v, output\n%s", c.library, err, out)
		}
	}
}

// The library of another MPI than the launcher's sees each process alone.
func TestMPIOfAnother(t *testing.T) {
	ls := launchers(t)
	if len(ls) < 2 {
		t.Skip("this needs two MPIs")
	}
	out, err := start(t, ls[1], "conformance", 2, mpi.LibraryVariable+"=libmpi.so.40")
	if err == nil || !strings.Contains(out, "it is another MPI's launcher") {
		t.Errorf("error %v, output\n%s", err, out)
	}
}
