package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/internal/mpi/team"
)

func TestNormalise(t *testing.T) {
	v := []float32{3, 4}
	if norm := normalise(v, true); norm != 5 || v[0] != 3 {
		t.Errorf("raw: norm %v, %v", norm, v)
	}
	if norm := normalise(v, false); norm != 5 || math.Abs(float64(v[0])-0.6) > 1e-7 {
		t.Errorf("norm %v, %v", norm, v)
	}
}

// stopping is an embedder that calls stop when it has been given so many batches.
type stopping struct {
	eval.Embedder
	left int
	stop func()
}

func (s *stopping) EmbedBatch(ctx context.Context, images []image.Image) ([][]float32, error) {
	v, err := s.Embedder.EmbedBatch(ctx, images)
	if s.left--; s.left == 0 {
		s.stop()
	}
	return v, err
}

// drawnModel draws faces in a folder below dir, and opens a model for batches of 4.
func drawnModel(t *testing.T) (dir, faces, run string, m model) {
	dir = t.TempDir()
	faces, run = filepath.Join(dir, "faces"), filepath.Join(dir, "run")
	drawFaces(t, faces)
	saveModel(t, run, nil)
	m, err := imported{}.open(run, 1, 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return dir, faces, run, m
}

// A run that is stopped after any batch keeps it, and started again writes the file of one that is not; one whose
// images have changed is refused.
func TestEmbedResumes(t *testing.T) {
	dir, faces, run, m := drawnModel(t)
	// work embeds batches of 4 in chunks of 5, so batches of 4, 1, 4, 1 and 2, and is stopped after so many of them.
	work := func(out string, stop int) (string, error) {
		c := &embedCmd{Model: run, Source: faces, Out: out, Batch: 4, Flip: "none"}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var stderr bytes.Buffer
		e := &env{ctx: ctx, stdout: &stderr, stderr: &stderr, team: team.Alone()}
		source, err := openSource(faces, "")
		if err != nil {
			t.Fatal(err)
		}
		source.chunk = 5
		w := &embedding{embedCmd: c, env: e, source: source, what: "faces by a model", out: embedded{Out: out, Dim: m.Dim(), Normalise: true, Flip: "none"}}
		if _, err := w.begin(); err != nil {
			return "", err
		}
		if err := w.embed(&stopping{m, stop, cancel}); err != nil {
			return fmt.Sprint(len(w.parts.Names)), err
		}
		return "", w.join()
	}
	whole := filepath.Join(dir, "whole.csv")
	if _, err := work(whole, -1); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for stop, done := range map[int]string{1: "4", 2: "5", 3: "9", 4: "10"} {
		out := filepath.Join(dir, fmt.Sprint(stop, ".csv"))
		if at, err := work(out, stop); !errors.Is(err, context.Canceled) || at != done {
			t.Fatalf("stopped after %d batches: %v images done, %v; want %s", stop, at, err, done)
		}
		if _, err := os.Stat(out); err == nil {
			t.Fatal("a run that was stopped wrote its file")
		}
		if _, err := work(out, -1); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
			t.Errorf("stopped after %d batches: another file, %v", stop, err)
		}
	}
	out := filepath.Join(dir, "changed.csv")
	if _, err := work(out, 2); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(faces, "ann", "ann_0001.jpg")); err != nil {
		t.Fatal(err)
	}
	if _, err := work(out, -1); err == nil || !strings.Contains(err.Error(), "has changed: image 1 is ann/ann_0002.jpg, and was ann/ann_0001.jpg") {
		t.Error(err)
	}
}

// What is done of a chunk is saved within it when the last part is old: a run that is killed loses no more.
func TestEmbedSavesWithinChunk(t *testing.T) {
	dir, faces, run, m := drawnModel(t)
	for age, want := range map[time.Duration]int{0: 8, time.Hour: 0} {
		c := &embedCmd{Model: run, Source: faces, Out: filepath.Join(dir, age.String()+".npy"), Batch: 4}
		source, err := openSource(faces, "")
		if err != nil {
			t.Fatal(err)
		}
		source.age = age
		e := &env{ctx: context.Background(), stdout: io.Discard, stderr: io.Discard, team: team.Alone()}
		w := &embedding{embedCmd: c, env: e, source: source, what: "faces by a model", out: embedded{Flip: "none"}}
		if _, err := w.begin(); err != nil {
			t.Fatal(err)
		}
		saved := -1
		look := func() {
			there, err := c.openParts("faces by a model")
			if err != nil {
				t.Fatal(err)
			}
			saved = len(there.Names)
		}
		if err := w.embed(&stopping{m, 3, look}); err != nil {
			t.Fatal(err)
		}
		if saved != want {
			t.Errorf("saved after %v: %d images while the third batch of 4 is embedded, want %d", age, saved, want)
		}
	}
}

// Whatever a list of images holds, it is an error or names, each of them once.
func FuzzImageList(f *testing.F) {
	f.Add("ann/1.jpg\r\n\n b c.png\n", false)
	f.Add("\ufeffpath,identity\nann/1.jpg,ann\n", true)
	f.Add("identity,Name\n,..\\x.jpg\n\"\",\"a\nb\"\n", true)
	f.Add("name\n\"\"\n", true)
	f.Fuzz(func(t *testing.T, text string, table bool) {
		file := filepath.Join(t.TempDir(), "list.txt")
		if table {
			file = strings.TrimSuffix(file, "txt") + "csv"
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		names, identities, err := readImageList(file)
		if err != nil {
			if !strings.Contains(err.Error(), file) {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		if len(names) == 0 || identities != nil && len(identities) != len(names) {
			t.Errorf("%d names, %d identities", len(names), len(identities))
		}
		seen := map[string]bool{}
		for _, name := range names {
			if name == "" || strings.ContainsRune(name, 0) || seen[name] {
				t.Errorf("name %q", name)
			}
			seen[name] = true
		}
	})
}
