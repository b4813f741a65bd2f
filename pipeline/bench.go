package pipeline

import (
	"context"
	"errors"
	"slices"
	"time"

	"gorgonia.org/gorgonia"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/random"
	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/pipeline/dataset"
)

// BenchResult says how fast training steps were.
type BenchResult struct {
	Backbone string  `json:"backbone"`
	Head     string  `json:"head"`
	Batch    int     `json:"batch"`
	Classes  int     `json:"classes"`
	Threads  int     `json:"threads"`
	Kernels  string  `json:"kernels"`
	Steps    int     `json:"steps"`   // that were timed
	ImgS     float64 `json:"img_s"`   // images a second in the median step
	Best     float64 `json:"best"`    // images a second in the fastest step
	StepMS   float64 `json:"step_ms"` // milliseconds of the median step
	Bytes    int     `json:"bytes"`   // of activations and gradients
}

// benchWarmup is how many steps come before those that are timed: they touch all memory.
const benchWarmup = 2

// Bench times training steps of c's backbone, head and optimiser, on one batch of random images
// with random labels of so many classes. It runs the graph and the optimiser that Train runs;
// only loading images is left out.
func Bench(ctx context.Context, c Config, classes, steps int) (*BenchResult, error) {
	if err := errors.Join(c.Resolve(), atLeast("classes", classes, 2), atLeast("steps", steps, 1), atLeast("batch", c.Batch, 2)); err != nil {
		return nil, err
	}
	t := &trainer{config: c, faces: &faces{train: &dataset.Set{Identities: make([]string, classes)}}}
	var err error
	if t.network, err = c.network(); err != nil {
		return nil, err
	}
	if t.head, err = c.head(); err != nil {
		return nil, err
	}
	defer t.close()
	if err := t.build(); err != nil {
		return nil, err
	}
	t.initialise(nil)
	images, labels := noise(&c, classes)
	seconds := make([]float64, 0, steps)
	for i := range benchWarmup + steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		began := time.Now()
		if err := t.benchStep(images, labels); err != nil {
			return nil, err
		}
		if i >= benchWarmup {
			seconds = append(seconds, time.Since(began).Seconds())
		}
	}
	slices.Sort(seconds)
	median := (seconds[(steps-1)/2] + seconds[steps/2]) / 2
	return &BenchResult{
		Backbone: c.Backbone, Head: c.Head, Batch: c.Batch, Classes: classes, Threads: t.pool.Threads(), Kernels: kernel.Variant(),
		Steps: steps, ImgS: float64(c.Batch) / median, Best: float64(c.Batch) / seconds[0], StepMS: 1000 * median, Bytes: t.backbone.Bytes(),
	}, nil
}

// noise returns a batch of normally distributed pixels and uniform labels.
func noise(c *Config, classes int) (images []float32, labels []int) {
	rng := random.New(c.Seed, random.Order, 0, 0)
	images, labels = make([]float32, c.Batch*c.Size.Height*c.Size.Width*3), make([]int, c.Batch)
	for i := range images {
		images[i] = float32(rng.NormFloat64())
	}
	for i := range labels {
		labels[i] = rng.IntN(classes)
	}
	return images, labels
}

// benchStep is a step without what surrounds it: data, log and checkpoints.
func (t *trainer) benchStep(images []float32, labels []int) error {
	stateful, _ := t.head.(losses.Stateful)
	if stateful != nil {
		stateful.Begin(t.solver.Steps() + 1)
	}
	if _, err := t.graph.run(images, labels); err != nil {
		return err
	}
	t.backbone.UpdateBuffers(t.buffers)
	t.solver.SetRate(*t.config.LR)
	if err := t.solver.Step([]gorgonia.ValueGrad{t.arena}); err != nil {
		return err
	}
	if stateful != nil {
		stateful.Commit()
	}
	return nil
}
