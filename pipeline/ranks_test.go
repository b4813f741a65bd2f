package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/faceverify/fv/internal/mpi"
	"github.com/faceverify/fv/internal/mpi/mpitest"
)

// onRanks trains on so many ranks, which are goroutines, and returns their errors. events may be nil, or make those of a rank.
func onRanks(t *testing.T, size int, events func(rank int) Events, run func(mpi.Group, Events) error) []error {
	t.Helper()
	return mpitest.Run(size, func(g mpi.Group) error {
		var e Events
		if events != nil {
			e = events(g.Rank())
		}
		return run(g, e)
	})
}

// trainOn trains to the end on so many ranks and returns the log.
func trainOn(t *testing.T, size int, c Config) []logLine {
	t.Helper()
	for r, err := range onRanks(t, size, nil, func(g mpi.Group, e Events) error {
		_, err := TrainOn(t.Context(), g, c, e)
		return err
	}) {
		if err != nil {
			t.Fatalf("rank %d of %d: %v", r, size, err)
		}
	}
	return logOf(t, c)
}

func logOf(t *testing.T, c Config) []logLine {
	t.Helper()
	lines, err := readLog(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// closeRuns fails unless two runs have the same losses, and the same validations, to a tolerance that grows from step to step: sums are taken in
// another order, and a difference of a step is carried on by all that follow. Gradients differ by more than losses, as a number that is pushed
// across the kink of a PReLU changes theirs at once.
func closeRuns(t *testing.T, what string, got, want []logLine, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d steps, want %d", what, len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		bound := tolerance * (1 + float64(i))
		for _, v := range [][3]float64{{g.Loss, w.Loss, 1}, {g.GradNorm, w.GradNorm, 10}, {g.FeatureNorm, w.FeatureNorm, 1}} {
			if !(math.Abs(v[0]-v[1]) <= v[2]*bound*(1+math.Abs(v[1]))) {
				t.Fatalf("%s: step %d: loss %v, gradient %v, length %v; want %v, %v, %v", what, i+1, g.Loss, g.GradNorm, g.FeatureNorm, w.Loss, w.GradNorm, w.FeatureNorm)
			}
		}
		if (g.Val == nil) != (w.Val == nil) {
			t.Errorf("%s: step %d is validated in one run only", what, i+1)
		} else if w.Val != nil && math.Abs(g.Val.AUC-w.Val.AUC) > 0.01 {
			t.Errorf("%s: step %d: AUC %v, want %v", what, i+1, g.Val.AUC, w.Val.AUC)
		}
	}
}

// orderTolerance is what sums of float32 in another order differ by after a step, relative to their size: some roundings of 2^-24 each
// through a dozen layers.
const orderTolerance = 2e-6

// Any number of ranks trains as one process does.
func TestRanks(t *testing.T) {
	data := drawFaces(t, 12)
	for name, changes := range map[string][]string{
		"norms":      {"backbone=sfnet4-bn", "val=0.34", "val-every=4", "head=adaface"},
		"no norms":   {"head=elasticface-cos", "ema=0.9", "split-head=false"},
		"accumulate": {"backbone=sfnet4-bn", "accumulate=2", "head=curricularface"},
		"sample":     {"backbone=sfnet4-bn", "sample-classes=0.6"},
		"triplet":    {"loss=head+triplet", "per-identity=2", "head=softmax"},
	} {
		t.Run(name, func(t *testing.T) {
			// A difference of a rounding grows from step to step: the more, the larger the steps.
			changes = append([]string{"lr=0.002", "max-steps=4"}, changes...)
			c := tiny(t, data, changes...)
			train(t, c, Events{})
			want := logOf(t, c)
			sizes := []int{2}
			if name == "norms" {
				sizes = []int{2, 4}
			}
			for _, size := range sizes {
				c := tiny(t, data, changes...)
				closeRuns(t, fmt.Sprintf("%d ranks", size), trainOn(t, size, c), want, orderTolerance)
			}
		})
	}
}

// The same ranks train to the same bits, as one process does.
func TestRanksRepeat(t *testing.T) {
	data := drawFaces(t, 12)
	changes := []string{"backbone=sfnet4-bn", "head=adaface", "ema=0.9", "sync-norms=false", "max-steps=3"}
	a, b := tiny(t, data, changes...), tiny(t, data, changes...)
	trainOn(t, 2, a)
	trainOn(t, 2, b)
	sameRun(t, a.Out, b.Out)
}

// Norms of a rank's own are others than those of the whole batch, and gradients that were rounded are others, though not by much.
func TestRanksApart(t *testing.T) {
	data := drawFaces(t, 12)
	base := tiny(t, data, "backbone=sfnet4-bn", "max-steps=2")
	train(t, base, Events{})
	want := logOf(t, base)
	for _, change := range []string{"sync-norms=false", "exchange=bf16"} {
		c := tiny(t, data, "backbone=sfnet4-bn", "max-steps=2", change)
		got := trainOn(t, 2, c)
		if len(got) != len(want) {
			t.Fatalf("%s: %d steps, want %d", change, len(got), len(want))
		}
		differ := false
		for i := range got {
			d := math.Abs(got[i].Loss - want[i].Loss)
			differ = differ || d > 1e-5
			if !(d < 0.5*want[i].Loss) {
				t.Errorf("%s: step %d: loss %v, want about %v", change, i+1, got[i].Loss, want[i].Loss)
			}
		}
		if !differ {
			t.Errorf("%s changes nothing", change)
		}
	}
}

// A run that was interrupted on one rank stops on all, and goes on with another number of ranks.
func TestRanksInterrupt(t *testing.T) {
	data := drawFaces(t, 12)
	changes := []string{"backbone=sfnet4-bn", "val=0.34", "val-every=4", "head=adaface", "lr=0.002", "epochs=1"}
	whole := tiny(t, data, changes...)
	train(t, whole, Events{})

	c := tiny(t, data, changes...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for r, err := range onRanks(t, 2, nil, func(g mpi.Group, e Events) error {
		own := context.WithoutCancel(ctx)
		if g.Rank() == 1 {
			own = ctx // the only one that is told to stop
		}
		if g.Rank() == 0 {
			e.Step = func(p Progress) {
				if p.Step == 5 {
					cancel()
				}
			}
		}
		_, err := TrainOn(own, g, c, e)
		return err
	}) {
		var stopped *InterruptedError
		if !errors.As(err, &stopped) || stopped.Step < 5 {
			t.Fatalf("rank %d: %v, want an interruption after step 5 or later", r, err)
		}
	}
	saved, _, err := readNewestCheckpoint(filepath.Join(c.Out, checkpointsDir))
	if err != nil || saved.Step != len(logOf(t, c)) {
		t.Fatalf("the checkpoint is of step %d (%v), the log of %d", saved.Step, err, len(logOf(t, c)))
	}
	for r, err := range onRanks(t, 4, nil, func(g mpi.Group, e Events) error {
		dir := c.Out
		if g.Rank() != 0 {
			dir = filepath.Join(t.TempDir(), "another machine's")
		}
		_, err := ResumeOn(t.Context(), g, dir, nil, e)
		return err
	}) {
		if err != nil {
			t.Fatalf("rank %d: %v", r, err)
		}
	}
	closeRuns(t, "resumed", logOf(t, c), logOf(t, whole), orderTolerance)
}

// What is not finite on one rank ends all with one message, or is skipped by all.
func TestRanksNaN(t *testing.T) {
	data := drawFaces(t, 12)
	for _, onNaN := range []string{onNaNStop, onNaNSkip} {
		allDiverge(t, onNaN, tiny(t, data, "backbone=sfnet4-bn", "lr=1e30", "clip=0", "warmup=0", "on-nan="+onNaN))
	}
}

// allDiverge fails unless two ranks end with the same message, that the run has diverged.
func allDiverge(t *testing.T, what string, c Config) {
	t.Helper()
	var messages []string
	for _, err := range onRanks(t, 2, nil, func(g mpi.Group, e Events) error {
		_, err := TrainOn(t.Context(), g, c, e)
		return err
	}) {
		if !errors.Is(err, ErrDiverged) {
			t.Fatalf("%s: %v, want ErrDiverged", what, err)
		}
		messages = append(messages, err.Error())
	}
	if messages[0] != messages[1] {
		t.Errorf("%s: the ranks say\n%s\n%s", what, messages[0], messages[1])
	}
}

// A rank that fails by itself ends all, with its number; what another rank wrote is whole.
func TestRankFails(t *testing.T) {
	data := drawFaces(t, 12)
	c := tiny(t, data)
	for r, err := range onRanks(t, 2, nil, func(g mpi.Group, e Events) error {
		c := c
		if g.Rank() == 1 {
			c.Data = filepath.Join(data, "missing")
		}
		_, err := TrainOn(t.Context(), g, c, e)
		return err
	}) {
		want := "missing"
		if r == 0 {
			want = "rank 1 on "
		}
		if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, mpi.ErrBroken) {
			t.Errorf("rank %d: %v, want one with %q", r, err, want)
		}
	}
	// Rank 0 can no longer write.
	c = tiny(t, data, "checkpoint-every=2")
	for r, err := range onRanks(t, 2, func(rank int) Events {
		if rank != 0 {
			return Events{}
		}
		return Events{Step: func(p Progress) {
			if p.Step == 3 {
				dir := filepath.Join(c.Out, checkpointsDir)
				if err := errors.Join(os.Rename(dir, dir+".away"), os.WriteFile(dir, nil, 0o600)); err != nil {
					t.Error(err)
				}
			}
		}}
	}, func(g mpi.Group, e Events) error {
		_, err := TrainOn(t.Context(), g, c, e)
		return err
	}) {
		if err == nil || r == 1 && !strings.Contains(err.Error(), "rank 0 on ") || errors.Is(err, mpi.ErrBroken) {
			t.Errorf("rank %d: %v", r, err)
		}
	}
}

// Ranks that were started with other settings, or see other images, do not begin.
func TestRanksDiffer(t *testing.T) {
	data, other := drawFaces(t, 12), drawFaces(t, 11)
	for want, change := range map[string]func(*Config){
		"rank 1 on HOST has other settings than rank 0":             func(c *Config) { c.Seed = 7 },
		"rank 1 on HOST has other images or identities than rank 0": func(c *Config) { c.Data = other },
	} {
		c := tiny(t, data)
		host, _ := os.Hostname()
		want = strings.ReplaceAll(want, "HOST", host)
		for r, err := range onRanks(t, 2, nil, func(g mpi.Group, e Events) error {
			c := c
			if g.Rank() == 1 {
				change(&c)
			}
			_, err := TrainOn(t.Context(), g, c, e)
			return err
		}) {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("rank %d: %v, want %q", r, err, want)
			}
		}
	}
	c := tiny(t, data)
	for r, err := range onRanks(t, 3, nil, func(g mpi.Group, e Events) error {
		_, err := TrainOn(t.Context(), g, c, e)
		return err
	}) {
		var setting *SettingError
		if !errors.As(err, &setting) || setting.Name != "batch" {
			t.Errorf("rank %d of 3 with a batch of 4: %v, want a SettingError", r, err)
		}
	}
}

// Images that any rank cannot read are listed once each.
func TestRanksBadImages(t *testing.T) {
	data := drawFaces(t, 12)
	files, err := filepath.Glob(filepath.Join(data, "*", "*"))
	if err != nil || len(files) < 40 {
		t.Fatal(len(files), err)
	}
	bad := files[3:9]
	for _, f := range bad {
		if err := os.WriteFile(f, []byte("no image"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := tiny(t, data)
	var mu sync.Mutex
	warned := 0
	for r, err := range onRanks(t, 2, func(int) Events {
		return Events{Warning: func(text string) {
			mu.Lock()
			defer mu.Unlock()
			if strings.Contains(text, "training goes on without it") {
				warned++
			}
		}}
	}, func(g mpi.Group, e Events) error {
		_, err := TrainOn(t.Context(), g, c, e)
		return err
	}) {
		if err != nil {
			t.Fatalf("rank %d: %v", r, err)
		}
	}
	text, err := os.ReadFile(filepath.Join(c.Out, QuarantineFile))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != len(bad) || warned != len(bad) || !slices.IsSorted(lines) {
		t.Errorf("%d lines and %d warnings for %d bad images:\n%s", len(lines), warned, len(bad), text)
	}
}
