package pipeline

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/faceverify/fv/internal/nn"
)

// faulty is a machine whose computations of some calls, counted from 1, give a gradient of NaN: as a broken processor does.
type faulty struct {
	gorgonia.VM
	calls, at int
	gradient  []float32
}

func (f *faulty) RunAll() error {
	err := f.VM.RunAll()
	if f.calls++; f.calls == f.at {
		f.gradient[3] = float32(math.NaN())
	}
	return err
}

// trainFaulty is a run whose at-th computation is not finite.
func trainFaulty(t *testing.T, c Config, at int, e Events) (*Result, error) {
	t.Helper()
	r, err := newRun(t.Context(), c, alone(), e)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	r.graph.machine = &faulty{VM: r.graph.machine, at: at, gradient: r.arena.Gradients}
	return r.run(t.Context())
}

// What is not finite is found in the step in which it appears, with the images of the batch.
func TestNaNStop(t *testing.T) {
	c := tiny(t, drawFaces(t, 8))
	_, err := trainFaulty(t, c, 6, Events{})
	if !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), "step 6:") || !strings.Contains(err.Error(), "may be faulty") || !strings.Contains(err.Error(), "checkpoint of step 4") {
		t.Fatalf("error %v", err)
	}
	list, err := os.ReadFile(filepath.Join(c.Out, BadBatchFile))
	if n := strings.Count(string(list), ".png\n"); err != nil || n != c.Batch || !strings.HasPrefix(string(list), "# step 6: the gradient is not finite") {
		t.Errorf("%s names %d images (%v):\n%s", BadBatchFile, n, err, list)
	}
	if _, err := Resume(t.Context(), c.Out, nil, Events{}); err != nil {
		t.Errorf("the run does not go on from its checkpoint: %v", err)
	}
}

func TestNaNSkip(t *testing.T) {
	c := tiny(t, drawFaces(t, 8), "on-nan=skip")
	var warnings []string
	r, err := trainFaulty(t, c, 6, Events{Warning: func(s string) { warnings = append(warnings, s) }})
	if err != nil {
		t.Fatal(err)
	}
	lines, err := readLog(c.Out)
	if err != nil || len(lines) != r.Steps || lines[5].Skipped == "" || lines[5].Loss != 0 || lines[6].Skipped != "" || r.Loss == 0 {
		t.Errorf("log %+v, error %v; want step 6 skipped", lines, err)
	}
	state, _, err := readNewestCheckpoint(filepath.Join(c.Out, checkpointsDir))
	if err != nil || state.OptimizerSteps != r.Steps-1 {
		t.Errorf("%d steps of the optimiser of %d, error %v", state.OptimizerSteps, r.Steps, err)
	}
	if text := strings.Join(warnings, "\n"); !strings.Contains(text, "step 6 is skipped") {
		t.Errorf("warnings %q", text)
	}
}

// A rate that every step diverges at: skipping does not help, and ends.
func TestNaNSkipEnds(t *testing.T) {
	c := tiny(t, drawFaces(t, 8), "on-nan=skip", "lr=1e30", "warmup=0", "clip=0", "epochs=4", "schedule=constant")
	_, err := Train(t.Context(), c, Events{})
	if !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), "does not help") {
		t.Errorf("error %v", err)
	}
}

// A run that rolls back goes on at half the rate; killed after that and resumed, it is the same run to the bit.
func TestNaNRollback(t *testing.T) {
	data := drawFaces(t, 8)
	whole, killed := tiny(t, data, "on-nan=rollback"), tiny(t, data, "on-nan=rollback")
	if _, err := trainFaulty(t, whole, 7, Events{}); err != nil {
		t.Fatal(err)
	}
	// As a process that is killed after step 6, while no checkpoint is due.
	kill := errors.New("killed")
	func() {
		defer func() {
			if r := recover(); r != kill {
				t.Fatal("the run was not killed:", r)
			}
		}()
		trainFaulty(t, killed, 7, Events{Step: func() func(Progress) {
			last := 0
			return func(p Progress) {
				if p.Step == 6 && last == 5 {
					if lines, err := readLog(killed.Out); err == nil && len(lines) > 4 && len(lines[4].Rollbacks) > 0 {
						panic(kill)
					}
				}
				last = p.Step
			}
		}()})
	}()
	state, _, err := readNewestCheckpoint(filepath.Join(killed.Out, checkpointsDir))
	if err != nil || state.Step != 4 || len(state.Rollbacks) != 1 || state.Rollbacks[0].From != 7 || state.Rollbacks[0].To != 4 {
		t.Fatalf("checkpoint %+v, error %v; want that of step 4 with a rollback from step 7", state.position, err)
	}
	if _, err := Resume(t.Context(), killed.Out, nil, Events{}); err != nil {
		t.Fatal(err)
	}
	sameRun(t, whole.Out, killed.Out)
	lines, err := readLog(whole.Out)
	if err != nil || len(lines[4].Rollbacks) != 1 || len(lines[5].Rollbacks) != 0 {
		t.Fatalf("log %+v, error %v; want the rollback in the line of step 5", lines, err)
	}
	if err := whole.Resolve(); err != nil {
		t.Fatal(err)
	}
	schedule := whole.schedule(8)
	for i, l := range lines {
		want := schedule.At(i)
		if i >= 4 {
			want /= 2
		}
		if l.LR != want {
			t.Errorf("step %d has learning rate %v, want %v", l.Step, l.LR, want)
		}
	}
}

func TestNaNRollbacksEnd(t *testing.T) {
	c := tiny(t, drawFaces(t, 8), "on-nan=rollback", "rollbacks=2", "lr=1e30", "warmup=0", "clip=0", "schedule=constant")
	_, err := Train(t.Context(), c, Events{})
	if !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), "after 2 rollbacks") {
		t.Errorf("error %v", err)
	}
}

// The layer in which numbers overflow is named.
func TestNaNLayer(t *testing.T) {
	c := tiny(t, drawFaces(t, 8))
	r, err := newRun(t.Context(), c, alone(), Events{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	const layer = "layer2.conv"
	params := r.network.Params()
	p := params[slices.IndexFunc(params, func(p nn.Param) bool { return p.Name == layer+".weight" })]
	for i := range p.Len {
		r.arena.Weights[p.Offset+i] = 3e38
	}
	_, err = r.run(t.Context())
	if !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), "it begins in layer "+layer+" (forward)") {
		t.Errorf("error %v, want one that names layer %s", err, layer)
	}
}
