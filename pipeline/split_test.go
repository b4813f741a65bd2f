package pipeline

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/internal/mpi"
	"github.com/faceverify/fv/losses"
)

// closeStates fails unless the newest checkpoints of two runs hold the same numbers to a tolerance, and the files have tensors of the same names and sizes.
func closeStates(t *testing.T, what, got, want string, tolerance float64) {
	t.Helper()
	var states [2]*checkpoint
	for i, dir := range []string{got, want} {
		var err error
		if states[i], _, err = readNewestCheckpoint(filepath.Join(dir, checkpointsDir)); err != nil {
			t.Fatal(err)
		}
	}
	a, b := states[0].tensors(), states[1].tensors()
	if len(a) != len(b) {
		t.Fatalf("%s: the checkpoint has %d tensors, want %d", what, len(a), len(b))
	}
	for name, x := range b {
		if len(a[name]) != len(x) {
			t.Fatalf("%s: the checkpoint has %d numbers of %s, want %d", what, len(a[name]), name, len(x))
		}
		largest := 0.0
		for _, v := range x {
			largest = max(largest, math.Abs(float64(v)))
		}
		for i, v := range a[name] {
			if d := math.Abs(float64(v) - float64(x[i])); !(d <= tolerance*(1+largest)) {
				t.Fatalf("%s: number %d of %s is %v, want %v", what, i, name, v, x[i])
			}
		}
	}
}

// closeStats fails unless two runs have the same angles to a tolerance.
func closeStats(t *testing.T, what string, got, want []logLine, tolerance float64) {
	t.Helper()
	seen := 0
	for i, w := range want {
		g := got[i]
		for _, pair := range [][2]*float64{{g.TargetAngle, w.TargetAngle}, {g.OtherAngle, w.OtherAngle}} {
			if (pair[0] == nil) != (pair[1] == nil) || pair[0] != nil && !(math.Abs(*pair[0]-*pair[1]) <= tolerance) {
				t.Errorf("%s: step %d has other angles", what, i+1)
			}
		}
		if (g.Classes == nil) != (w.Classes == nil) {
			t.Fatalf("%s: step %d: angles between classes are measured in one run only", what, i+1)
		}
		if c, d := g.Classes, w.Classes; c != nil {
			seen++
			if c.Measured != d.Measured || !(math.Abs(c.Smallest-d.Smallest) <= tolerance) || !(math.Abs(c.Mean-d.Mean) <= tolerance) {
				t.Errorf("%s: step %d: angles between classes %+v, want %+v", what, i+1, *c, *d)
			}
		}
	}
	if seen == 0 {
		t.Errorf("%s: angles between classes are never measured", what)
	}
}

// Ranks that share the classes of a head train as one process does, whatever the head, and hold their part of it. 11 classes are not as
// many for each of 2 ranks, or 3.
func TestSplitHead(t *testing.T) {
	data := drawFaces(t, 11)
	for name, changes := range map[string][]string{
		"adaface":        {"head=adaface", "backbone=sfnet4-bn"},
		"curricularface": {"head=curricularface", "accumulate=2", "ema=0.9"},
		"binary":         {"head=sphereface2", "optimizer=adamw", "lr=0.0005"},
		"sub-centers":    {"head=subcenter-arcface", "max-steps=20", "lr=0.0005"},
		"bias":           {"head=softmax", "interclass-filter=0.2", "loss=head+center"},
		"magface":        {"head=magface", "clip=0.5"},
		"sample":         {"head=softmax", "sample-classes=0.6", "ema=0.9", "batch=6"},
		"few samples":    {"head=softmax", "sample-classes=0.2", "batch=3"}, // fewer than a rank has classes
		"sample binary":  {"head=sphereface2", "sample-classes=0.5", "max-steps=6"},
		"sample centers": {"head=subcenter-arcface", "sample-classes=0.7", "optimizer=adamw", "lr=0.0005"},
	} {
		t.Run(name, func(t *testing.T) {
			changes = append([]string{"lr=0.002", "max-steps=4", "batch=6", "epochs=4"}, changes...)
			one := tiny(t, data, changes...)
			var whole int64
			train(t, one, Events{Start: func(s Start) { whole = s.Memory.Weights }})
			want := logOf(t, one)
			sizes := []int{3}
			if name == "adaface" || name == "sample" {
				sizes = []int{2, 3}
			}
			for _, size := range sizes {
				what := fmt.Sprintf("%d ranks", size)
				c := tiny(t, data, changes...)
				var mu sync.Mutex
				classes := 0
				for r, err := range onRanks(t, size, func(rank int) Events {
					return Events{Start: func(s Start) {
						mu.Lock()
						defer mu.Unlock()
						classes += s.Classes
						if s.Memory.Weights >= whole {
							t.Errorf("%s: rank %d needs %d bytes for its weights, one process %d", what, rank, s.Memory.Weights, whole)
						}
					}}
				}, func(g mpi.Group, e Events) error {
					_, err := TrainOn(t.Context(), g, c, e)
					return err
				}) {
					if err != nil {
						t.Fatalf("%s: rank %d: %v", what, r, err)
					}
				}
				if classes != 11 {
					t.Errorf("%s have %d classes, want 11", what, classes)
				}
				got := logOf(t, c)
				closeRuns(t, what, got, want, orderTolerance)
				closeStats(t, what, got, want, 1e-3)
				closeStates(t, what, c.Out, one.Out, 1e-4)
				sameModels(t, what, c.Out)
			}
		})
	}
}

// sameModels fails unless the model of a run without validation is made of the weights that its checkpoint holds.
func sameModels(t *testing.T, what, run string) {
	t.Helper()
	m, err := embed.Load(run)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := readNewestCheckpoint(filepath.Join(run, checkpointsDir))
	if err != nil {
		t.Fatal(err)
	}
	weights := c.Weights
	if a := c.Average["weights"]; len(a) == len(weights) {
		weights = a
	}
	at := len(m.Theta)
	for _, name := range []string{"weight", "bias"} {
		if p, ok := m.HeadParams[name]; ok {
			if !slices.Equal(p.Data, weights[at:at+len(p.Data)]) {
				t.Errorf("%s: the model's %s are not those of the checkpoint", what, name)
			}
			at += len(p.Data)
		}
	}
	if at != len(weights) {
		t.Errorf("%s: the model has %d weights, the checkpoint %d", what, at, len(weights))
	}
}

// A run goes on with the head split over other ranks, or not at all, and is the run that it would have been.
func TestSplitResume(t *testing.T) {
	data := drawFaces(t, 11)
	for name, changes := range map[string][]string{
		"all":    {"head=subcenter-arcface", "ema=0.9", "val=0.34", "val-every=2"},
		"sample": {"head=sphereface2", "sample-classes=0.6"},
	} {
		changes = append([]string{"lr=0.002", "batch=6", "epochs=8", "backbone=sfnet4-bn"}, changes...)
		whole := tiny(t, data, append(changes, "max-steps=10")...)
		train(t, whole, Events{})
		c := tiny(t, data, append(changes, "max-steps=2")...)
		trainOn(t, 2, c)
		for i, how := range []struct {
			ranks int
			split string
		}{{1, "true"}, {3, "true"}, {2, "false"}, {2, "true"}} {
			given := []Field{{Name: "max-steps", Value: fmt.Sprint(4 + 2*i)}, {Name: "split-head", Value: how.split}}
			for r, err := range onRanks(t, how.ranks, nil, func(g mpi.Group, e Events) error {
				_, err := ResumeOn(t.Context(), g, c.Out, given, e)
				return err
			}) {
				if err != nil {
					t.Fatalf("%s, rank %d of %+v: %v", name, r, how, err)
				}
			}
		}
		closeRuns(t, name, logOf(t, c), logOf(t, whole), orderTolerance)
		closeStates(t, name, c.Out, whole.Out, 1e-4)
	}
}

// The same ranks train to the same bits, however often they are stopped, and more ranks than classes have all of them each.
func TestSplitRepeat(t *testing.T) {
	data := drawFaces(t, 5)
	changes := []string{"head=softmax", "max-steps=4", "checkpoint-every=2", "val-every=2"}
	a, b := tiny(t, data, changes...), tiny(t, data, append(changes, "max-steps=2")...)
	trainOn(t, 2, a)
	trainOn(t, 2, b)
	for _, err := range onRanks(t, 2, nil, func(g mpi.Group, e Events) error {
		_, err := ResumeOn(t.Context(), g, b.Out, []Field{{Name: "max-steps", Value: "4"}}, e)
		return err
	}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	sameRun(t, a.Out, b.Out)

	few := drawFaces(t, 3)
	one, four := tiny(t, few, changes...), tiny(t, few, changes...)
	train(t, one, Events{})
	closeRuns(t, "4 ranks for 3 classes", trainOn(t, 4, four), logOf(t, one), orderTolerance)
}

// Classes that begin at the mean embedding of their images are those of one process, each on its rank; a model with these very classes gives its weights.
func TestSplitStart(t *testing.T) {
	data := drawFaces(t, 7)
	first := tiny(t, data, "max-steps=2", "head=subcenter-arcface")
	train(t, first, Events{})
	for _, change := range []string{"head-init=means", "head-init=random"} {
		changes := []string{"max-steps=1", "lr=0.002", "head=subcenter-arcface", "init=" + filepath.Join(first.Out, ModelFile), change}
		one, two := tiny(t, data, changes...), tiny(t, data, changes...)
		train(t, one, Events{})
		closeRuns(t, change, trainOn(t, 2, two), logOf(t, one), orderTolerance)
		for _, c := range []Config{one, two} { // what they began with
			if err := os.Remove(filepath.Join(c.Out, checkpointsDir, checkpointName(1))); err != nil {
				t.Fatal(err)
			}
		}
		closeStates(t, change, two.Out, one.Out, 0)
	}
}

// What is not finite in a head of one rank's ends all with one message.
func TestSplitNaN(t *testing.T) {
	data := drawFaces(t, 11)
	for _, onNaN := range []string{onNaNStop, onNaNSkip, onNaNRollback} {
		allDiverge(t, onNaN, tiny(t, data, "lr=1e30", "clip=0", "warmup=0", "on-nan="+onNaN, "head=softmax", "sample-classes=0.5", "rollbacks=1"))
	}
}

// A disk that fails while ranks send their part of a checkpoint ends all.
func TestSplitDiskFails(t *testing.T) {
	data := drawFaces(t, 5)
	c := tiny(t, data, "checkpoint-every=2")
	for r, err := range onRanks(t, 2, func(rank int) Events {
		if rank != 0 {
			return Events{}
		}
		return Events{Step: func(p Progress) {
			if p.Step == 2 {
				if err := os.Mkdir(filepath.Join(c.Out, ModelFile), 0o700); err != nil {
					t.Error(err)
				}
			}
		}}
	}, func(g mpi.Group, e Events) error {
		_, err := TrainOn(t.Context(), g, c, e)
		return err
	}) {
		if err == nil || errors.Is(err, mpi.ErrBroken) || r == 1 && !strings.Contains(err.Error(), "rank 0 on ") {
			t.Errorf("rank %d: %v", r, err)
		}
	}
}

// A part of a parameter starts as the whole does.
func TestInitPart(t *testing.T) {
	h, err := losses.New("softmax", losses.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := losses.ParamShapes(h, 10, 7)[0]
	whole, part := make([]float32, 70), make([]float32, 21)
	losses.Init(h, 10, p, whole, 3)
	losses.InitPart(h, 10, p, part, 28, 3)
	if !slices.Equal(part, whole[28:49]) {
		t.Error("they differ")
	}
}
