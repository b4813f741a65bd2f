package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/nn"
	"github.com/faceverify/fv/internal/offheap"
	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/pipeline/loader"
	"github.com/faceverify/fv/pipeline/optim"
)

// trainer is a run under way.
type trainer struct {
	config Config // resolved
	dir    string
	events Events
	faces  *faces

	pool     *kernel.Pool
	network  *nn.Network
	head     losses.Head // nil if its loss is not minimised
	metric   *metricLoss // nil if there is none
	backbone *nn.Training
	graph    *graph
	loader   *loader.Loader

	arena            *optim.Arena
	sample           *classSample // nil if each step compares with all classes
	average          *average     // of the weights; nil without --ema
	sum              []float32    // of the parts of a step's gradient; nil if it has one batch
	memory           [][]float32  // to give back
	memoryNeeds      MemoryPlan
	freeHeap         func()    // undoes limitHeap
	buffers, pending []float32 // running statistics: accepted, and with the step under way
	solver           *optim.Solver
	schedule         optim.Schedule
	perEpoch         int     // steps
	leastScale       float64 // that is recommended; 0 where nothing is
	frozen           int     // parameters of the backbone that are never trained

	position
	saved     int // step of the newest checkpoint
	threshold *embed.Threshold
	monitor   monitor
	symptoms  symptoms
	bad       *quarantine
	log       *stepLog
	unlock    func()
	speed     float64 // images per second, smoothed
}

// newTrainer makes everything ready for a run of resolved settings but weights, position and
// log.
func newTrainer(c Config, network *nn.Network, contract embed.Contract, events Events) (*trainer, error) {
	t := &trainer{config: c, dir: c.Out, events: events, network: network, saved: -1}
	if c.Backbone == ownNetwork {
		t.Network = network
	}
	t.Contract = contract
	if err := t.prepare(); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// prepare opens the data and builds all that works on them.
func (t *trainer) prepare() (err error) {
	c := &t.config
	t.freeHeap = t.limitHeap()
	if t.faces, err = openFaces(c, t.events.warn); err != nil {
		return err
	}
	t.chooseScale()
	if head, _ := c.objective(); head {
		if t.head, err = c.head(); err != nil {
			return err
		}
	}
	if t.metric, err = c.metricLoss(len(t.faces.train.Identities), t.network.Dim()); err != nil {
		return err
	}
	if err := t.planMemory(); err != nil {
		return err
	}
	t.limitHeap()
	t.bad = &quarantine{path: filepath.Join(t.dir, QuarantineFile)}
	if err := t.openLoader(); err != nil {
		return err
	}
	t.perEpoch = t.loader.StepsPerEpoch() / c.Accumulate
	t.schedule = c.schedule(t.perEpoch)
	if t.head != nil && c.MarginWarmup > 0 {
		if t.head, err = c.growingHead(t.perEpoch); err != nil {
			return err
		}
	}
	if t.frozen, err = frozenBelow(t.network, c.FreezeUntil); err != nil {
		return err
	}
	if err := t.schedule.Validate(); err != nil {
		return blame("schedule", "", err)
	}
	if err := t.build(); err != nil {
		return err
	}
	t.symptoms = t.newSymptoms()
	return nil
}

func (t *trainer) openLoader() error {
	c := &t.config
	var err error
	t.loader, err = loader.New(loader.Options{
		Set: t.faces.train, Contract: t.Contract, Augment: c.augmentation(),
		Batch: c.Batch, PerIdentity: c.PerIdentity, Sampler: c.Sampler, Seed: c.Seed, Cache: t.memoryNeeds.Cache, Workers: c.Threads,
		OnBad: t.bad.add,
	})
	return err
}

// build makes the network, its memory and the optimiser.
func (t *trainer) build() (err error) {
	c := &t.config
	t.pool = kernel.NewPool(c.Threads)
	if t.backbone, err = nn.NewTraining(t.network, c.Batch, nn.Precision(c.Precision), t.pool); err != nil {
		return err
	}
	params, classes := nn.Len(t.network.Params()), len(t.faces.train.Identities)
	if c.SampleClasses < 1 {
		if t.sample, err = t.newSample(params, classes); err != nil {
			return err
		}
		classes = cap(t.sample.index)
	}
	size := arenaLen(params, t.head, classes, t.network.Dim())
	weights, err1 := t.floats(size)
	gradients, err2 := t.floats(size)
	if c.Accumulate > 1 {
		t.sum, err = t.floats(size)
	}
	if err := errors.Join(err, err1, err2); err != nil {
		return fmt.Errorf("no memory for %d weights and their gradients: %w", size, err)
	}
	t.arena = optim.NewArena(weights, gradients)
	stats := nn.Len(t.network.Buffers())
	t.buffers, t.pending = make([]float32, stats), make([]float32, stats)
	if c.EMA > 0 {
		if err := t.newAverage(params, size, stats); err != nil {
			return err
		}
	}
	t.graph, err = newGraph(t.backbone, t.head, t.metric, graphSize{
		batch: c.Batch, height: c.Size.Height, width: c.Size.Width, params: params, classes: classes,
	}, t.arena.Weights, t.arena.Gradients, losses.NodeOptions{Pool: t.pool, Filter: c.Filter})
	if err != nil {
		return err
	}
	t.solver, err = optim.NewSolver(c.optimizer(), ranges(t.network.Params(), t.graph.headParams, float64(c.LRBackbone)), size, t.pool)
	return err
}

func (t *trainer) newSample(params, classes int) (*classSample, error) {
	c := &t.config
	return newClassSample(t.head, classes, sampleSize(c.SampleClasses, classes, c.Batch), t.network.Dim(), params, optim.MomentNames(c.Optimizer), c.Seed, t.pool)
}

// floats returns memory of the operating system, which close gives back: the collector shall not let garbage
// grow to the size of the weights before it looks.
func (t *trainer) floats(n int) ([]float32, error) {
	x, err := offheap.Floats(n)
	t.memory = append(t.memory, x)
	return x, err
}

func (t *trainer) close() {
	if t.loader != nil {
		t.loader.Close()
	}
	if t.graph != nil {
		t.graph.close()
	}
	if t.backbone != nil {
		t.backbone.Close()
	}
	if t.log != nil {
		t.log.close()
	}
	if t.freeHeap != nil {
		t.freeHeap()
	}
	if t.unlock != nil {
		t.unlock()
	}
	if t.pool != nil {
		t.pool.Close()
	}
	if t.solver != nil {
		t.solver.Close()
	}
	if t.sample != nil {
		t.sample.close()
	}
	for _, x := range t.memory {
		offheap.FreeFloats(x)
	}
}

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
	if ctx.Err() != nil {
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
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
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
		t.watch(line)
	}
	return t.record(ctx, line)
}

func (t *trainer) start() error {
	t.loader.Start(t.firstBatch(t.Step))
	if t.events.Start == nil {
		return nil
	}
	s := Start{
		Dir: t.dir, Config: t.config, Identities: len(t.faces.train.Identities), Images: len(t.faces.train.Samples),
		Params: t.graph.backboneParams, HeadParams: arenaLen(0, t.head, len(t.faces.train.Identities), t.network.Dim()),
		StepsPerEpoch: t.perEpoch, Steps: t.lastStep(), First: t.Step,
		Bytes: t.backbone.Bytes(), Memory: t.memoryNeeds, Threads: t.pool.Threads(), Kernels: kernel.Variant(), LeastScale: t.leastScale,
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
		t.measureClasses(line)
	}
	if t.faces.pairs != nil && t.due(t.config.ValEvery) {
		v, err := t.validate(ctx)
		if ctx.Err() != nil {
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
		if err := t.saveModel(ModelFile); err != nil {
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
