package pipeline

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/faceverify/fv/pipeline/synth"
)

// stopAt trains until so many steps are done.
func stopAt(t *testing.T, c Config, steps int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := Train(ctx, c, Events{Step: func(p Progress) {
		if p.Step == steps {
			cancel()
		}
	}})
	var interrupted *InterruptedError
	if !errors.As(err, &interrupted) {
		t.Fatalf("error %v, want an interruption", err)
	}
}

// Dates that a clock has left which jumped back and forth mean nothing, and neither do half files of a process that was killed, which go.
func TestResumeOddFolder(t *testing.T) {
	data := drawFaces(t, 8)
	whole, c := tiny(t, data, "max-steps=7"), tiny(t, data, "max-steps=7")
	train(t, whole, Events{})
	stopAt(t, c, 6)
	dir := filepath.Join(c.Out, checkpointsDir)
	half := filepath.Join(dir, "."+checkpointName(8)+"123456")
	mine := filepath.Join(c.Out, ".notes2024")
	for _, path := range []string{half, mine} {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i, step := range []int{4, 6} {
		date := time.Date(2100-130*i, 1, 1, 0, 0, 0, 0, time.UTC)
		if err := os.Chtimes(filepath.Join(dir, checkpointName(step)), date, date); err != nil {
			t.Fatal(err)
		}
	}
	var first int
	if _, err := Resume(t.Context(), c.Out, nil, Events{Start: func(s Start) { first = s.First }}); err != nil {
		t.Fatal(err)
	}
	if first != 6 {
		t.Errorf("resumed after step %d, want 6", first)
	}
	sameRun(t, whole.Out, c.Out)
	if _, err := os.Stat(half); err == nil {
		t.Error("the half file is still there")
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error("a file that is no part of the run was removed")
	}
	lines, err := readLog(c.Out)
	for _, l := range lines {
		if !(l.ImgS > 0) {
			t.Errorf("step %d at %v images/s (%v)", l.Step, l.ImgS, err)
		}
	}
}

// A run that was killed before its first checkpoint begins anew; one whose checkpoints were removed does not.
func TestResumeUnbegun(t *testing.T) {
	data := drawFaces(t, 8)
	whole, c := tiny(t, data, "max-steps=3"), tiny(t, data, "max-steps=3")
	train(t, whole, Events{})
	r, err := newRun(t.Context(), c, alone(), Events{})
	if err != nil {
		t.Fatal(err)
	}
	r.close()
	if err := os.Remove(filepath.Join(c.Out, checkpointsDir, checkpointName(0))); err != nil {
		t.Fatal(err)
	}
	var warnings []string
	if _, err := Resume(t.Context(), c.Out, nil, Events{Warning: func(s string) { warnings = append(warnings, s) }}); err != nil {
		t.Fatal(err)
	}
	sameRun(t, whole.Out, c.Out)
	if text := strings.Join(warnings, "\n"); !strings.Contains(text, "begun anew") {
		t.Errorf("warnings %q", text)
	}
	if err := os.RemoveAll(filepath.Join(c.Out, checkpointsDir)); err != nil {
		t.Fatal(err)
	}
	if _, err := Resume(t.Context(), c.Out, nil, Events{}); err == nil || !strings.Contains(err.Error(), "were they removed") {
		t.Errorf("error %v of a run without its checkpoints", err)
	}
}

// --force leaves a run alone that another process has under way.
func TestForceLocked(t *testing.T) {
	c := tiny(t, drawFaces(t, 8), "force=true")
	r, err := newRun(t.Context(), c, alone(), Events{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if _, err := Train(t.Context(), c, Events{}); err == nil || !strings.Contains(err.Error(), "another process is training") {
		t.Errorf("error %v of a run over one that is under way", err)
	}
	if steps, err := checkpointSteps(filepath.Join(c.Out, checkpointsDir)); err != nil || len(steps) != 1 {
		t.Errorf("checkpoints %v (%v) of the run under way", steps, err)
	}
}

// Images that vanish in mid-run cost themselves; that the data have changed is then said with their names.
func TestVanish(t *testing.T) {
	data := drawFaces(t, 12)
	c := tiny(t, data, "cache=0", "max-steps=20")
	gone := filepath.Join(data, synth.Name(3))
	vanish := func(p Progress) {
		if p.Step == 1 {
			if err := os.Rename(filepath.Join(gone, "0001.png"), filepath.Join(data, synth.Name(4), "moved.png")); err != nil {
				t.Error(err)
			}
			if err := os.Rename(filepath.Join(gone, "0002.png"), filepath.Join(data, synth.Name(5), "0009.png")); err != nil {
				t.Error(err)
			}
		}
	}
	r := train(t, c, Events{Step: vanish})
	if list, _ := os.ReadFile(filepath.Join(c.Out, QuarantineFile)); r.BadImages == 0 || !strings.Contains(string(list), synth.Name(3)) {
		t.Errorf("%d bad images: %q", r.BadImages, list)
	}
	_, err := Resume(t.Context(), c.Out, []Field{{Name: "max-steps", Value: "21"}}, Events{})
	for _, want := range []string{
		"identity " + synth.Name(3) + " had 4 images and has 2",
		"2 gone: " + synth.Name(3) + "/0001.png, " + synth.Name(3) + "/0002.png",
		"2 new: " + synth.Name(4) + "/moved.png, " + synth.Name(5) + "/0009.png", "--init " + c.Out,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestChanges(t *testing.T) {
	was := map[string]string{"a/1.png": "a", "a/2.png": "a", "b/3.png": "b", "x.png": "b", "a/same.png": "a"}
	is := map[string]string{"a/1.png": "a", "b/2.png": "b", "b/4.png": "b", "x.png": "c", "a/same.png": "a"}
	const want = "\n1 gone: b/3.png\n1 new: b/4.png\n2 under another identity: 2.png from a to b, x.png from b to c"
	if got := changes(was, is); got != want {
		t.Errorf("changes %q, want %q", got, want)
	}
	if got := changes(was, was); got != "" {
		t.Errorf("changes %q of the same", got)
	}
}
