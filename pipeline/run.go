package pipeline

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/faceverify/fv/internal/kernel"
)

// epoch returns the passes over the data so far.
func (t *trainer) epoch() float64 { return float64(t.Step) / float64(t.perEpoch) }

// lastStep returns the number of the last step of this run.
func (t *trainer) lastStep() int {
	last := t.config.Epochs * t.perEpoch
	if m := t.config.MaxSteps; m > 0 {
		last = min(last, m)
	}
	return last
}

// runToEnd trains to the last step, and meets the other ranks once more.
func (t *trainer) runToEnd(ctx context.Context) (*Result, error) {
	r, err := t.run(ctx)
	return r, t.ranks.End(err)
}

// run trains from the present position to the last step.
func (t *trainer) run(ctx context.Context) (*Result, error) {
	if err := t.start(); err != nil {
		return nil, err
	}
	for last := t.lastStep(); t.Step < last || t.Pending != nil; {
		if err := t.advance(ctx); err != nil {
			return nil, t.unwritten(err)
		}
	}
	r, err := t.finish()
	return r, t.unwritten(err)
}

// advance takes the next step, or ends one whose validation was interrupted, and does what is due after it.
func (t *trainer) advance(ctx context.Context) error {
	if line := t.Pending; line != nil {
		return t.record(ctx, line)
	}
	if ctx.Err() != nil && !t.ranks.several() { // several stop at a meeting
		return t.interrupt()
	}
	line, err := t.step(ctx)
	var bad *notFinite
	if errors.As(err, &bad) {
		if line, err = t.onNaN(bad, err); err == nil && line == nil {
			return nil // back at an earlier step
		}
	}
	if err != nil {
		if errors.Is(err, context.Canceled) {
			err = t.interrupt()
		}
		return err
	}
	if err := t.tellBad(); err != nil {
		return err
	}
	if line.Skipped == "" {
		t.progress(line)
		if err := t.monitor.step(t.Step, line.Cosine); err != nil {
			return errors.Join(err, t.log.append(*line))
		}
		if err := t.watch(line); err != nil {
			return err
		}
	}
	return t.record(ctx, line)
}

func (t *trainer) start() error {
	t.loader.Start(t.firstBatch(t.Step))
	t.ranks.sent.Store(0) // the first step is not to count the preparations
	if t.events.Start == nil {
		return nil
	}
	s := Start{
		Dir: t.dir, Config: t.config, Identities: len(t.faces.train.Identities), Images: len(t.faces.train.Samples),
		Params: t.graph.backboneParams, HeadParams: arenaLen(0, t.head, len(t.faces.train.Identities), t.network.Dim()),
		StepsPerEpoch: t.perEpoch, Steps: t.lastStep(), First: t.Step,
		Bytes: t.backbone.Bytes(), Memory: t.memoryNeeds, Threads: t.pool.Threads(), Ranks: t.ranks.Size(), Classes: t.classes.count(), Kernels: kernel.Variant(), LeastScale: t.leastScale,
	}
	if t.faces.pairs != nil {
		s.ValidationPairs = len(t.faces.pairs.Pairs)
	}
	t.events.Start(s)
	return nil
}

// tellBad tells of images that could not be read since it was called last.
func (t *trainer) tellBad() error {
	news, err := t.bad.news()
	for _, line := range news {
		t.events.warn("%s; training goes on without it", line)
	}
	return err
}

// progress tells of a step that was accepted.
func (t *trainer) progress(line *logLine) {
	const keep = 0.9 // of the speed so far
	if t.speed == 0 {
		t.speed = line.ImgS
	}
	t.speed = 1 / (keep/t.speed + (1-keep)/line.ImgS) // times are smoothed, not speeds
	if t.events.Step == nil {
		return
	}
	images := float64((t.lastStep() - t.Step) * t.config.Batch * t.config.Accumulate)
	target := 0.0
	if line.TargetAngle != nil {
		target = *line.TargetAngle
	}
	t.events.Step(Progress{
		TargetAngle: target,
		Step:        t.Step, Steps: t.lastStep(), Epoch: line.Epoch, Loss: line.Loss, LR: line.LR, GradNorm: line.GradNorm,
		ImagesPerSecond: t.speed, Remaining: time.Duration(images / t.speed * float64(time.Second)),
	})
}

// due reports whether something is to happen after the present step that happens every so often, and
// after the last.
func (t *trainer) due(every Span) bool {
	return t.Step%every.Steps(t.perEpoch) == 0 || t.Step == t.lastStep()
}

// record does what is due after a step that was accepted: it validates, writes the step's
// line and a checkpoint.
func (t *trainer) record(ctx context.Context, line *logLine) error {
	if t.due(t.config.ValEvery) {
		if err := t.measureClasses(line); err != nil {
			return err
		}
	}
	if t.faces.pairs != nil && t.due(t.config.ValEvery) {
		v, err := t.validate(ctx)
		if errors.Is(err, context.Canceled) || ctx.Err() != nil && !t.ranks.several() {
			t.Pending = line
			return t.interrupt()
		}
		if err != nil {
			return errors.Join(err, t.log.append(*line))
		}
		line.Val = v
		if err := t.validated(*v); err != nil {
			return err
		}
	}
	t.Pending = nil
	if err := t.log.append(*line); err != nil {
		return err
	}
	// A run that may have collapsed keeps the checkpoints from before.
	if t.due(t.config.CheckpointEvery) && !t.monitor.suspicious() {
		return t.checkpoint()
	}
	return nil
}

// validated keeps the outcome of a validation, and the model if it is the best so far.
func (t *trainer) validated(v Validation) error {
	best := true
	for _, other := range t.Validations {
		best = best && v.AUC > other.AUC
	}
	t.Validations = append(t.Validations, v)
	if best {
		if err := t.lend(func(l *lent) error { return t.saveModel(l, ModelFile) }); err != nil {
			return err
		}
	}
	if t.events.Validated != nil {
		t.events.Validated(v, best)
	}
	return nil
}

// interrupt writes a checkpoint of the present position and returns an InterruptedError.
func (t *trainer) interrupt() error {
	if t.saved != t.Step || t.Pending != nil {
		if err := t.checkpoint(); err != nil {
			return err
		}
	}
	return &InterruptedError{t.dir, t.Step}
}

// finish writes the report and returns the outcome.
func (t *trainer) finish() (*Result, error) {
	if err := t.tellBad(); err != nil {
		return nil, err
	}
	r := &Result{
		Dir: t.dir, Model: filepath.Join(t.dir, ModelFile), Report: filepath.Join(t.dir, ReportFile),
		Steps: t.Step, Epochs: t.epoch(), Images: len(t.faces.train.Samples), Identities: len(t.faces.train.Identities),
		BadImages: t.bad.count(), Seconds: t.Seconds,
	}
	if !t.ranks.writes() {
		return r, nil
	}
	lines, err := readLog(t.dir)
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		if l.Skipped == "" {
			r.Loss = l.Loss
		}
	}
	if t.Seconds > 0 {
		r.ImagesPerSecond = float64(t.Step*t.config.Batch*t.config.Accumulate) / t.Seconds
	}
	for i, v := range t.Validations {
		if r.Best == nil || v.AUC > r.Best.AUC {
			r.Best = &t.Validations[i]
		}
		r.Last = &t.Validations[i]
	}
	return r, t.report(r, lines)
}
