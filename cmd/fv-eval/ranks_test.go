package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/faceverify/fv/eval/matrix"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/internal/mpi"
	"github.com/faceverify/fv/internal/mpi/mpitest"
)

// output is what a rank prints.
type output struct{ stdout, stderr bytes.Buffer }

// ranksOf runs a command on so many ranks, which are goroutines, and returns what each prints and its error.
func ranksOf(t *testing.T, size int, args ...string) ([]output, []error) {
	t.Helper()
	out := make([]output, size)
	return out, mpitest.Run(size, func(g mpi.Group) error {
		o := &out[g.Rank()]
		var grammar grammar
		parsed, err := cli.Parse(&grammar, "fv-eval", description, args, &o.stdout, &o.stderr, kong.Bind(cli.Choices{}))
		if err != nil {
			return err
		}
		e := &env{ctx: t.Context(), args: args, json: grammar.JSON, stdout: &o.stdout, stderr: &o.stderr}
		return e.on(g, func() error {
			switch name := parsed.Selected().Name; name {
			case "embed":
				return grammar.Embed.run(e)
			case "allpairs":
				return grammar.AllPairs.run(e)
			case "identify":
				return grammar.Identify.run(e)
			default:
				return fmt.Errorf("ranks do not share %s", name)
			}
		})
	})
}

// timed are the values of JSON that tell how fast the work was, and on how many threads.
var timed = regexp.MustCompile(`"(seconds|gflops|threads)":[0-9.e+]+,|in [0-9.]+ s\n`)

// sameOnRanks fails unless 2 and 3 ranks print and write what one process does. Each must be told to write to files of the same name.
func sameOnRanks(t *testing.T, args []string, files ...string) {
	t.Helper()
	var want []string
	for size := 1; size <= 3; size++ {
		out, errs := ranksOf(t, size, args...)
		if err := errors.Join(errs...); err != nil {
			t.Fatalf("%d ranks: %v", size, err)
		}
		got := []string{timed.ReplaceAllString(out[0].stdout.String(), ""), timed.ReplaceAllString(out[0].stderr.String(), "")}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, timed.ReplaceAllString(string(b), ""))
			if err := os.Remove(f); err != nil {
				t.Fatal(err)
			}
		}
		if size == 1 {
			want = got
			continue
		}
		for i, w := range want {
			if got[i] != w {
				t.Errorf("%d ranks: %s differs: %.2000s\nwant %.2000s", size, append([]string{"stdout", "stderr"}, files...)[i], got[i], w)
			}
		}
		for r := 1; r < size; r++ {
			if n := out[r].stdout.Len() + out[r].stderr.Len(); n > 0 {
				t.Errorf("rank %d of %d speaks: %s%s", r, size, &out[r].stdout, &out[r].stderr)
			}
		}
	}
}

func TestRanksEmbed(t *testing.T) {
	dir, faces, run, _ := drawnModel(t)
	if err := os.WriteFile(filepath.Join(faces, "bob", "broken.jpg"), []byte("no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	archive, pack := filepath.Join(dir, "faces.tar"), filepath.Join(dir, "faces.rec")
	writeTar(t, archive, faces)
	writeRec(t, pack, faces)
	npy, csv := filepath.Join(dir, "x.npy"), filepath.Join(dir, "x.csv")
	sameOnRanks(t, []string{"embed", run, faces, "--out", npy, "--batch", "2", "--json"}, npy, filepath.Join(dir, "x.names.csv"))
	sameOnRanks(t, []string{"embed", run, archive, "--out", csv, "--batch", "1", "--flip", "concat", "--raw"}, csv)
	sameOnRanks(t, []string{"embed", run, pack, "--out", csv, "--threads", "1"}, csv)
}

// One rank is interrupted: all stop, what is done stays, and another number of ranks goes on, to the same bytes.
func TestRanksEmbedResumes(t *testing.T) {
	dir, faces, run, _ := drawnModel(t)
	whole, out := filepath.Join(dir, "whole.csv"), filepath.Join(dir, "x.csv")
	if _, errs := ranksOf(t, 1, "embed", run, faces, "--out", whole); errs[0] != nil {
		t.Fatal(errs[0])
	}
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for stopped := range 2 { // a rank
		ctx, cancel := context.WithCancel(t.Context())
		var said sync.Map
		for r, err := range mpitest.Run(2, func(g mpi.Group) error {
			var stderr bytes.Buffer
			e := &env{ctx: t.Context(), stdout: &stderr, stderr: &stderr}
			if g.Rank() == stopped {
				e.ctx = ctx
			}
			err := e.on(g, func() error {
				c := &embedCmd{Model: run, Source: faces, Out: out, Batch: 2, Flip: "model"}
				w := &embedding{embedCmd: c, env: e}
				if err := w.prepare(); err != nil {
					return err
				}
				defer w.model.Close()
				w.source.age = 0                                                                                    // parts of 2 images a rank
				return w.run(&stopping{w.model, map[bool]int{true: 2 * 2, false: -1}[g.Rank() == stopped], cancel}) // each batch is embedded twice, for the mirror images
			})
			said.Store(g.Rank(), stderr.String())
			return err
		}) {
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("rank %d: %v", r, err)
			}
		}
		cancel()
		if text, _ := said.Load(0); !strings.HasSuffix(text.(string), "4 images are done; the same command goes on from there\n") {
			t.Errorf("rank %d is stopped in the second part: %s", stopped, text)
		}
		outs, errs := ranksOf(t, 3, "embed", run, faces, "--out", out, "--batch", "2")
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if text := outs[0].stderr.String(); !strings.HasPrefix(text, "going on after 4 images of ") {
			t.Errorf("resumed: %s", text)
		}
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
			t.Errorf("resumed: another file, %v", err)
		}
		for _, f := range []string{out, madeFile(out)} {
			if err := os.Remove(f); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// writePeople writes embeddings of n images of some people, of whom the first has a number.
func writePeople(t *testing.T, path string, n, people, first int) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(n), uint64(people)))
	w, err := matrix.Create(path, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for i := range n {
		who := first + i%people
		v := make([]float32, 4)
		for k := range v {
			v[k] = float32(r.NormFloat64() + 2*float64(who*(k+3)%7))
		}
		if err := w.Write(fmt.Sprint("person ", who), fmt.Sprint(filepath.Base(path), " ", i), v, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestRanksMeasure(t *testing.T) {
	dir := t.TempDir()
	a, b, cohort, out := filepath.Join(dir, "a.npy"), filepath.Join(dir, "b.npy"), filepath.Join(dir, "c.npy"), filepath.Join(dir, "out")
	writePeople(t, a, 500, 30, 0)
	writePeople(t, b, 300, 40, 0)
	writePeople(t, cohort, 50, 10, 1000)
	sameOnRanks(t, []string{"allpairs", a, "--hardest", "20", "--out", out}, filepath.Join(out, "result.json"), filepath.Join(out, "report.md"))
	sameOnRanks(t, []string{"allpairs", a, b, "--hardest", "5", "--json", "--threads", "1"})
	sameOnRanks(t, []string{"identify", "--gallery", a, "--probes", b, "--json"})
	sameOnRanks(t, []string{"identify", "--gallery", a, "--probes", b, "--cohort", cohort, "--normalise", "s"})
}

// What one rank cannot do is an error of all, and names it.
func TestRanksMistakes(t *testing.T) {
	dir, faces, run, _ := drawnModel(t)
	a := filepath.Join(dir, "a.npy")
	writePeople(t, a, 20, 5, 0)
	for want, args := range map[string][]string{
		"open nowhere.npy": {"allpairs", "nowhere.npy"},
		"--probes nowhere": {"identify", "--gallery", a, "--probes", "nowhere.txt"},
		"holds the parts":  {"embed", run, faces, "--out", filepath.Join(dir, "x.csv")},
	} {
		if args[0] == "embed" {
			parts, err := matrix.OpenParts(filepath.Join(dir, "x.csv"), "other work")
			if err == nil {
				err = parts.Add([]matrix.PartRow{{Name: "a.jpg"}})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		_, errs := ranksOf(t, 3, args...)
		for r, err := range errs {
			// Only rank 0 looks for parts.
			if err == nil || !strings.Contains(err.Error(), want) || args[0] == "embed" && strings.HasPrefix(err.Error(), "rank 0 on ") != (r > 0) {
				t.Errorf("%s: rank %d: %v", args[0], r, err)
			}
		}
	}
}
