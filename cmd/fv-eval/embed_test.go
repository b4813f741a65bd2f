package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
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

// A run that is stopped after any chunk and started again writes the file of one that is not; one whose
// images have changed is refused.
func TestEmbedResumes(t *testing.T) {
	dir := t.TempDir()
	faces, run := filepath.Join(dir, "faces"), filepath.Join(dir, "run")
	drawFaces(t, faces)
	saveModel(t, run, nil)
	m, err := imported{}.open(run, 1, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	// work embeds in chunks of 5, and is stopped when so many images have been loaded.
	work := func(out string, stop int) (string, error) {
		c := &embedCmd{Model: run, Source: faces, Out: out, Batch: 4, Flip: "none"}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var stderr bytes.Buffer
		e := &env{ctx: ctx, stdout: &stderr, stderr: &stderr}
		source, err := openSource(faces, "")
		if err != nil {
			t.Fatal(err)
		}
		source.chunk = 5
		each, loaded := source.each, make(chan struct{}, 100)
		source.each = func(yield func(sourceImage, int) error) error {
			return each(func(x sourceImage, size int) error {
				load := x.load
				x.load = func() (image.Image, error) {
					if loaded <- struct{}{}; len(loaded) == stop {
						cancel()
					}
					return load()
				}
				return yield(x, size)
			})
		}
		what := embedded{Out: out, Dim: m.Dim(), Normalise: true, Flip: "none"}
		parts, err := c.parts("faces by a model")
		if err != nil {
			return "", err
		}
		if err := c.embed(e, m, source, parts, "none"); err != nil {
			return fmt.Sprint(len(parts.Names)), err
		}
		return "", c.join(e, parts, &what)
	}
	whole := filepath.Join(dir, "whole.csv")
	if _, err := work(whole, -1); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for stop, done := range map[int]string{1: "0", 6: "5", 11: "10"} {
		out := filepath.Join(dir, fmt.Sprint(stop, ".csv"))
		if at, err := work(out, stop); !errors.Is(err, context.Canceled) || at != done {
			t.Fatalf("stopped at %d: %v images done, %v; want %s", stop, at, err, done)
		}
		if _, err := os.Stat(out); err == nil {
			t.Fatal("a run that was stopped wrote its file")
		}
		if _, err := work(out, -1); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
			t.Errorf("stopped at %d: another file, %v", stop, err)
		}
	}
	out := filepath.Join(dir, "changed.csv")
	if _, err := work(out, 6); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(faces, "ann", "ann_0001.jpg")); err != nil {
		t.Fatal(err)
	}
	if _, err := work(out, -1); err == nil || !strings.Contains(err.Error(), "has changed: image 1 is ann/ann_0002.jpg, and was ann/ann_0001.jpg") {
		t.Error(err)
	}
}
