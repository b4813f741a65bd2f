package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"gorgonia.org/gorgonia"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/pipeline/loader"
	"github.com/faceverify/fv/pipeline/optim"
)

// firstBatch returns the number of the batch that the step after so many begins with. Batches at the end of an epoch that are
// too few for a step are left out.
func (t *trainer) firstBatch(steps int) int {
	return steps/t.perEpoch*t.loader.StepsPerEpoch() + steps%t.perEpoch*t.config.Accumulate
}

// batch returns the batch of a number, which is the next one or a later one.
func (t *trainer) batch(ctx context.Context, number int) (*loader.Batch, error) {
	for {
		b, err := t.loader.Next(ctx)
		if err != nil || b.Step >= number {
			return b, err
		}
		b.Release()
	}
}

// step takes the next step. If it is not accepted, an error says why and nothing has changed.
func (t *trainer) step(ctx context.Context) (*logLine, error) {
	started := time.Now()
	c := &t.config
	t.beginLoss(t.Step + 1)
	copy(t.pending, t.buffers)
	t.freeze()
	line := &logLine{Step: t.Step + 1, LR: t.schedule.At(t.Step)}
	var paths []string
	for i := range c.Accumulate {
		b, err := t.batch(ctx, t.firstBatch(t.Step)+i)
		if err != nil {
			return nil, err
		}
		ctx = context.WithoutCancel(ctx) // a step that has begun is finished
		paths = append(paths, b.Paths...)
		labels := b.Labels
		if t.sample != nil {
			labels = t.sample.begin(line.Step, labels, t.arena, t.solver.State())
		}
		loss, err := t.graph.run(b.Images, labels)
		if err == nil {
			t.observe(line, labels)
		}
		b.Release()
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", line.Step, err)
		}
		line.Loss += loss / float64(c.Accumulate)
		line.Cosine += meanCosine(t.graph.embeddings(), c.Batch) / float64(c.Accumulate)
		if math.IsNaN(line.Loss) || math.IsInf(line.Loss, 0) {
			return nil, t.refuse(line, paths, fmt.Sprintf("the loss is %v", loss))
		}
		t.backbone.UpdateBuffers(t.pending)
		t.accumulate(i)
	}
	t.solver.SetRate(line.LR)
	err := t.solver.Step([]gorgonia.ValueGrad{t.arena})
	line.GradNorm = t.solver.Norm()
	if errors.Is(err, optim.ErrNotFinite) {
		return nil, t.refuse(line, paths, fmt.Sprintf("the norm of the gradient is %v", line.GradNorm))
	}
	if err != nil {
		return nil, fmt.Errorf("step %d: %w", line.Step, err)
	}
	t.commitLoss()
	if t.sample != nil {
		t.sample.end(t.arena, t.solver.State())
	}
	t.buffers, t.pending = t.pending, t.buffers
	t.Step++
	t.followAverage()
	t.threshold = nil
	line.Epoch = t.epoch()
	seconds := time.Since(started).Seconds()
	t.Seconds += seconds
	line.ImgS = float64(c.Batch*c.Accumulate) / seconds
	return line, nil
}

// accumulate makes the gradient of the i-th of a step's batches part of their mean, and the last time
// the mean the gradient.
func (t *trainer) accumulate(i int) {
	n := t.config.Accumulate
	if n == 1 {
		return
	}
	if i == 0 {
		clear(t.sum)
	}
	kernel.AddScaled(t.pool, t.sum, t.arena.Gradients, 1/float32(n))
	if i == n-1 {
		copy(t.arena.Gradients, t.sum)
	}
}

// refuse names the images of a step that is not finite in a file.
func (t *trainer) refuse(line *logLine, paths []string, what string) error {
	names := append([]string{fmt.Sprintf("# step %d: %s", line.Step, what)}, paths...)
	list := filepath.Join(t.dir, BadBatchFile)
	err := t.diverged("%s; %s names the images of the step", what, list)
	return errors.Join(err, writeList(list, names))
}

// diverged returns the error of a run that cannot go on after its last accepted step.
func (t *trainer) diverged(format string, args ...any) error {
	return fmt.Errorf("step %d: %w: %s. The checkpoint of step %d is as it was; try a lower --lr, a longer --warmup or a lower --clip",
		t.Step+1, ErrDiverged, fmt.Sprintf(format, args...), t.saved)
}
