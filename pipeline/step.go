package pipeline

import (
	"context"
	"errors"
	"fmt"
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

// wholeBatch returns the batch of a number, or this rank's part of it, and the labels of all of it. Where the run may stop before it and
// is to, the error is context.Canceled.
func (t *trainer) wholeBatch(ctx context.Context, number int, mayStop bool) (*loader.Batch, []int, error) {
	b, err := t.batch(ctx, number)
	var labels []int
	if err == nil {
		labels = b.Labels
	}
	labels, err = t.meetBatch(ctx, labels, err, mayStop)
	return b, labels, err
}

// exchange brings together what ranks make of a step's batches one by one, where the backward pass has not done so: gradients that were
// accumulated, and the statistics of batch norms of a rank's own.
func (t *trainer) exchange() {
	c := &t.config
	if !t.ranks.several() {
		return
	}
	if c.Accumulate > 1 {
		t.part.sums.final(0, t.graph.backboneParams)
		t.ranks.broken(t.part.sums.wait())
	}
	if !c.SyncNorms {
		t.ranks.mean(t.pending)
	}
}

// tick is the least time in seconds that a step takes: clocks may be coarser.
const tick = 1e-9

// step takes the next step. If it is not accepted, an error says why and nothing has changed.
func (t *trainer) step(ctx context.Context) (*logLine, error) {
	started := time.Now()
	c := &t.config
	t.beginLoss(t.Step + 1)
	copy(t.pending, t.buffers)
	t.freeze()
	line := &logLine{Step: t.Step + 1, LR: t.rate(t.Step), Rollbacks: t.ledHere()}
	var b *loader.Batch // the last one is that which a gradient that is not finite is of
	var labels []int
	for i := range c.Accumulate {
		var err error
		if b, labels, err = t.wholeBatch(ctx, t.firstBatch(t.Step)+i, i == 0); err != nil {
			return nil, err
		}
		ctx = context.WithoutCancel(ctx) // a step that has begun is finished
		if t.sample != nil {
			labels = t.sample.begin(line.Step, labels, t.arena, t.solver.State())
			t.sampled()
		}
		loss, err := t.graph.run(b.Images, labels)
		if err == nil {
			err = t.ranks.err
		}
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", line.Step, err)
		}
		last := i == c.Accumulate-1
		if what := t.wrongAnywhere(loss, !last); what != "" {
			return nil, t.refuse(line, b, labels, what)
		}
		t.observe(line, labels)
		if !last {
			b.Release()
		}
		line.Loss += loss / float64(c.Accumulate)
		line.Cosine += meanCosine(t.graph.embeddings(), c.Batch) / float64(c.Accumulate)
		t.backbone.UpdateBuffers(t.pending)
		t.accumulate(i)
	}
	t.exchange()
	if err := t.ranks.err; err != nil {
		return nil, fmt.Errorf("step %d: %w", line.Step, err)
	}
	t.solver.SetRate(line.LR)
	err := t.solver.Step([]gorgonia.ValueGrad{t.arena})
	line.GradNorm = t.solver.Norm()
	if t.ranks.err != nil {
		return nil, fmt.Errorf("step %d: %w", line.Step, t.ranks.err)
	}
	if errors.Is(err, optim.ErrNotFinite) {
		return nil, t.refuse(line, b, labels, err.Error())
	}
	b.Release()
	if err != nil {
		return nil, fmt.Errorf("step %d: %w", line.Step, err)
	}
	if !t.everywhere(t.trainedFinite(t.arena.Weights) && kernel.AllFinite(t.pool, t.pending)) {
		what := fmt.Sprintf("weights or running statistics are not finite after a step of learning rate %.3g and a gradient of norm %.3g", line.LR, line.GradNorm)
		return nil, &notFinite{line.Step, what, true, t.diverged("%s", what)}
	}
	t.SkippedInARow = 0
	t.commitLoss()
	if t.sample != nil {
		t.sample.end(t.arena, t.solver.State())
	}
	t.buffers, t.pending = t.pending, t.buffers
	t.Step++
	t.followAverage()
	t.threshold = nil
	line.Epoch = t.epoch()
	seconds := max(time.Since(started).Seconds(), tick) // by the monotonic clock: setting the other one changes nothing
	t.Seconds += seconds
	line.Exchange = t.exchanged()
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
