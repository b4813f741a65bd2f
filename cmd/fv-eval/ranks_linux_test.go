//go:build mpi && linux && (amd64 || arm64)

package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/faceverify/fv/internal/mpi/mpitest"
)

// launchers calls f with each launcher that is installed, in a folder with the model run, the faces of TestScripts and an archive many.tar of the same
// image under as many names as take some seconds.
func launchers(t *testing.T, f func(t *testing.T, l *mpitest.Launcher)) {
	t.Helper()
	mpitest.Launchers(t, "fv-eval", func(t *testing.T, l *mpitest.Launcher) {
		faces := filepath.Join(l.Dir, "faces")
		drawFaces(t, faces)
		saveModel(t, filepath.Join(l.Dir, "run"), nil)
		face, err := os.ReadFile(filepath.Join(faces, "ann", "ann_0001.jpg"))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for i := range 20000 {
			if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("ann/%05d.jpg", i), Mode: 0o644, Size: int64(len(face))}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(face); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(l.Dir, "many.tar"), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		f(t, l)
	})
}

// Ranks that mpirun starts print and write what one process does, and rank 0 speaks for all.
func TestMPIMeasures(t *testing.T) {
	launchers(t, func(t *testing.T, l *mpitest.Launcher) {
		writePeople(t, filepath.Join(l.Dir, "a.npy"), 500, 30, 0)
		writePeople(t, filepath.Join(l.Dir, "b.npy"), 300, 40, 0)
		var want []string
		for n := 1; n <= 3; n++ {
			var got []string
			for _, args := range [][]string{
				{"embed", "run", "faces", "--out", "x.npy", "--batch", "2", "--force"},
				{"allpairs", "a.npy", "--hardest", "3"},
				{"identify", "--gallery", "a.npy", "--probes", "b.npy"},
			} {
				var out bytes.Buffer
				if err := l.Ranks(t, n, &out, append(args, "--threads", "1")...).Run(); err != nil {
					t.Fatalf("%v\n%s", err, &out)
				}
				text := out.String()
				if n > 1 {
					first, rest, _ := strings.Cut(text, "\n")
					if !strings.HasPrefix(first, fmt.Sprintf("%d ranks on ", n)) {
						t.Errorf("%d ranks: the first line does not say so: %s", n, text)
					}
					text = rest
				}
				got = append(got, timed.ReplaceAllString(text, ""))
			}
			for _, f := range []string{"x.npy", "x.names.csv"} {
				b, err := os.ReadFile(filepath.Join(l.Dir, f))
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(b))
			}
			if want == nil {
				want = got
			}
			for i, w := range want {
				if got[i] != w {
					t.Errorf("%d ranks: %.2000q\nwant %.2000q", n, got[i], w)
				}
			}
		}
	})
}

// A mistake is told once, with the rank that finds it, and ends all.
func TestMPIMistake(t *testing.T) {
	launchers(t, func(t *testing.T, l *mpitest.Launcher) {
		for want, args := range map[string][]string{
			"fv-eval: open nowhere.npy: ":     {"allpairs", "nowhere.npy"},
			"fv-eval: --batch 0: want 1 or m": {"embed", "run", "faces", "--out", "x.npy", "--batch", "0"},
		} {
			var out bytes.Buffer
			if err := l.Ranks(t, 3, &out, args...).Run(); err == nil || strings.Count(out.String(), want) != 1 {
				t.Errorf("error %v, want %q once in\n%s", err, want, &out)
			}
		}
	})
}

// begin starts two ranks with more images than they can embed in the time of a test, and returns when the first part is saved.
func begin(t *testing.T, l *mpitest.Launcher, out *bytes.Buffer, file string) *exec.Cmd {
	t.Helper()
	c := l.Ranks(t, 2, out, "embed", "run", "many.tar", "--out", file, "--batch", "2", "--threads", "1", "--mpi-timeout", "2")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	first := filepath.Join(l.Dir, file+".parts", "0000001.parquet")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(first); err == nil {
			return c
		}
		if time.Now().After(deadline) {
			t.Fatalf("no part is saved in a minute")
		}
	}
}

// A rank that is told to stop stops all, and what is done stays.
func TestMPIInterrupt(t *testing.T) {
	launchers(t, func(t *testing.T, l *mpitest.Launcher) {
		var out bytes.Buffer
		c := begin(t, l, &out, "x.csv")
		if err := l.Process(t, 1).Signal(syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		mpitest.End(t, c, &out, 30*time.Second)
		for _, once := range []string{" images are done; the same command goes on from there\n", "fv-eval: interrupted\n"} {
			if strings.Count(out.String(), once) != 1 {
				t.Errorf("want %q once in\n%s", once, &out)
			}
		}
	})
}

// A rank that stands still ends all within a bounded time.
func TestMPIRankLost(t *testing.T) {
	launchers(t, func(t *testing.T, l *mpitest.Launcher) {
		var out bytes.Buffer
		c := begin(t, l, &out, "x.csv")
		p := l.Process(t, 1)
		if err := p.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		mpitest.End(t, c, &out, 30*time.Second)
		p.Kill()
		if want := "rank 1 does not answer"; !strings.Contains(out.String(), want) {
			t.Errorf("want %q in\n%s", want, &out)
		}
	})
}
