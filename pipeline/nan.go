package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/pipeline/loader"
	"github.com/faceverify/fv/pipeline/optim"
)

// What Config.OnNaN may be: what follows a step whose loss, gradient or weights are not finite.
const (
	onNaNStop     = "stop"     // the run ends with an error
	onNaNSkip     = "skip"     // the step changes nothing, and the next one has other images
	onNaNRollback = "rollback" // the run goes on from its newest checkpoint with half the learning rate
)

// mostSkipped is how many steps in a row may be skipped: what is not finite for so long is no matter of single images.
const mostSkipped = 10

// Rollback is a return to a checkpoint from a step that was not finite. From there on the run is another one than that
// it was: it has half the learning rate.
type Rollback struct {
	From int    `json:"from"` // the step that was not finite
	To   int    `json:"to"`   // the accepted steps that were kept
	Why  string `json:"why"`
}

// notFinite is the error of a step that was not accepted. It wraps ErrDiverged.
type notFinite struct {
	step   int
	what   string // is not finite, and where that began
	spoilt bool   // the weights are those after the step, and must not be gone on from
	err    error
}

func (e *notFinite) Error() string { return e.err.Error() }
func (e *notFinite) Unwrap() error { return e.err }

// wrong says what is not finite of a batch that was computed, or "". Of a step's last batch gradient need not be looked at: the solver does
// when it takes the norm.
func (t *trainer) wrong(loss float64, gradient bool) string {
	switch {
	case math.IsNaN(loss) || math.IsInf(loss, 0):
		return fmt.Sprintf("the loss is %v", loss)
	case gradient && !t.trainedFinite(t.arena.Gradients):
		return optim.ErrNotFinite.Error()
	}
	return ""
}

// wrongAnywhere is wrong of what all ranks have computed: the loss is the same on all, gradients that have not been summed are not.
func (t *trainer) wrongAnywhere(loss float64, gradient bool) string {
	what := t.wrong(loss, gradient)
	if gradient && t.ranks.several() && !t.ranks.all(what == "") && what == "" {
		return optim.ErrNotFinite.Error()
	}
	return what
}

// trainedFinite reports whether that part of the arena, or of its gradient, which is trained is finite. The rest is rows for more classes than
// the step has, which may hold anything.
func (t *trainer) trainedFinite(x []float32) bool {
	for _, r := range t.trained {
		if !kernel.AllFinite(t.pool, x[r.Offset:][:r.Len]) {
			return false
		}
	}
	return true
}

// locate computes a batch again with checks on, and says where what is not finite begins, and after how many layers.
func (t *trainer) locate(b *loader.Batch, labels []int, step int) (where string, at int) {
	for _, p := range t.network.Params() {
		if !kernel.AllFinite(t.pool, t.arena.Weights[p.Offset:][:p.Len]) {
			return "the weights " + p.Name + " are not finite", 0
		}
	}
	if !t.everywhere(t.trainedFinite(t.arena.Weights)) {
		return "the head's weights are not finite", 0
	}
	t.beginLoss(step)
	t.backbone.Watch(true)
	loss, err := t.graph.run(b.Images, labels)
	where, at = t.backbone.Fault(), t.backbone.FaultAt()
	t.backbone.Watch(false)
	switch {
	case err != nil:
		return err.Error(), at
	case where != "":
		return "it begins in " + where, at
	case t.wrong(loss, true) == "":
		return "computed again, the step is finite: memory or processor of this machine may be faulty", at
	}
	return "it begins in the loss, as all embeddings are finite", at
}

// refuse names the images of a batch that is not finite in a file, and returns the step's error.
func (t *trainer) refuse(line *logLine, b *loader.Batch, labels []int, what string) error {
	where, at := t.locate(b, labels, line.Step)
	where, paths, err := t.meetFault(where, at, b.Paths)
	if err != nil {
		return err
	}
	what += ", and " + where
	list := filepath.Join(t.dir, BadBatchFile)
	bad := &notFinite{step: line.Step, what: what}
	bad.err = t.diverged("%s; %s names the images of the batch", what, list)
	if !t.ranks.writes() {
		return bad
	}
	return errors.Join(bad, addBadBatch(list, fmt.Sprintf("# step %d: %s", line.Step, what), paths))
}

// addBadBatch adds a batch to the file of those that were not finite, unless it holds it from before a resume.
func addBadBatch(file, title string, paths []string) error {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	batch := strings.Join(append([]string{title}, paths...), "\n") + "\n"
	if bytes.Contains(text, []byte(batch)) {
		return nil
	}
	return atomicfile.WriteBytes(file, append(text, batch...))
}

// diverged returns the error of a run that cannot go on after its last accepted step.
func (t *trainer) diverged(format string, args ...any) error {
	return fmt.Errorf("step %d: %w: %s. The checkpoint of step %d is as it was; try a lower --lr, a longer --warmup or a lower --clip",
		t.Step+1, ErrDiverged, fmt.Sprintf(format, args...), t.saved)
}

// onNaN does what the settings say about a step that was not accepted. It returns the line of a step that was skipped, nothing after a
// rollback, or err.
func (t *trainer) onNaN(bad *notFinite, err error) (*logLine, error) {
	if t.ofRunFolder(err) {
		return nil, err
	}
	switch t.config.OnNaN {
	case onNaNSkip:
		if bad.spoilt || t.SkippedInARow == mostSkipped {
			return nil, fmt.Errorf("%w. To skip steps does not help here", err)
		}
		line := &logLine{Step: bad.step, LR: t.rate(t.Step), Skipped: bad.what, Rollbacks: t.ledHere()}
		t.SkippedInARow++
		t.Step++
		line.Epoch = t.epoch()
		t.events.warn("step %d is skipped: %s; %s names its images", bad.step, bad.what, BadBatchFile)
		return line, nil
	case onNaNRollback:
		if len(t.Rollbacks) >= t.config.Rollbacks {
			return nil, fmt.Errorf("%w. It is so after %d rollbacks: --rollbacks allows no more", err, len(t.Rollbacks))
		}
		return nil, t.rollBack(bad)
	}
	return nil, err
}

// rollBack returns to the newest checkpoint, which from now on says so: a process that is killed right after goes on with the
// same learning rate.
func (t *trainer) rollBack(bad *notFinite) error {
	saved, _, err := t.ranks.newestCheckpoint(filepath.Join(t.dir, checkpointsDir))
	if err != nil {
		return err
	}
	defer saved.close()
	now := t.position
	if err := t.restore(saved); err != nil {
		return err
	}
	t.Rollbacks = append(now.Rollbacks, Rollback{bad.step, t.Step, bad.what})
	// The model file may be that of a validation since.
	t.Validations, t.Seconds = now.Validations, now.Seconds
	t.monitor, t.symptoms, t.threshold = monitor{}, t.newSymptoms(), nil
	t.events.warn("step %d: %s; %s names the images of the batch. The run goes on after step %d with a learning rate of %.3g",
		bad.step, bad.what, BadBatchFile, t.Step, t.rate(t.Step))
	if err := errors.Join(t.reopenLog(), t.checkpoint()); err != nil {
		return err
	}
	t.loader.Start(t.firstBatch(t.Step))
	return nil
}

// rate returns the learning rate of the step after so many.
func (t *trainer) rate(step int) float64 {
	return math.Ldexp(t.schedule.At(step), -len(t.Rollbacks))
}

// ledHere returns the rollbacks after which the next step is the first.
func (t *trainer) ledHere() []Rollback {
	var here []Rollback
	for _, r := range t.Rollbacks {
		if r.To == t.Step {
			here = append(here, r)
		}
	}
	return here
}
