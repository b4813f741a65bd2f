package pipeline

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"gorgonia.org/gorgonia"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/nn"
	"github.com/faceverify/fv/internal/random"
	"github.com/faceverify/fv/pipeline/dataset"
)

// BenchOptions say what Bench times.
type BenchOptions struct {
	Classes   int  // identities of the head
	Steps     int  // to time
	Inference bool // the network alone, as an Embedder runs it, in place of training steps
	HeadOnly  bool // the head alone, from the loss to the gradients, in place of training steps
	Kernels   bool // also what each kind of unit takes

	Model *embed.Model // whose embeddings are timed, in place of those of a backbone's initial weights; Inference is then set
}

// BenchResult says how fast training steps, or embeddings, were.
type BenchResult struct {
	Backbone  string  `json:"backbone,omitempty"` // empty for a head alone
	Inference bool    `json:"inference"`
	Precision string  `json:"precision"` // fp32 or bf16
	Head      string  `json:"head,omitempty"`
	Classes   int     `json:"classes,omitempty"`
	Sample    float64 `json:"sample_classes,omitempty"` // share of the classes in a step
	Batch     int     `json:"batch"`
	Threads   int     `json:"threads"`
	Variant   string  `json:"variant"` // of the kernels
	Steps     int     `json:"steps"`   // that were timed
	ImgS      float64 `json:"img_s"`   // images a second in the median step
	BestImgS  float64 `json:"best_img_s"`
	StepMS    float64 `json:"step_ms"` // milliseconds of the median step
	// Two operations for each multiply-accumulate of convolutions, linear layers and the head,
	// forward and backward, in the median step; and what the processor's threads reach together
	// in a loop of multiply-adds of that precision on registers. Both 0 where there is no such loop. A convolution
	// counts as it is defined, so that the share of one that saves products (Winograd's) can be above 1.
	GFLOPS      float64 `json:"gflops"`
	PeakGFLOPS  float64 `json:"peak_gflops"`
	ShareOfPeak float64 `json:"share_of_peak"`
	Bytes       int     `json:"bytes"`                 // of activations and gradients
	PeakRSSMB   float64 `json:"peak_rss_mb,omitempty"` // the process's largest memory, in MB of 10⁶ bytes, where the system tells

	Kernels []KernelTime `json:"kernels,omitempty"`
}

// KernelTime says what units of the same kind and shape took in an average step.
type KernelTime struct {
	Unit           string  `json:"unit"`
	Count          int     `json:"count"`
	ForwardMS      float64 `json:"forward_ms"`
	BackwardMS     float64 `json:"backward_ms"`
	ForwardGFLOPS  float64 `json:"forward_gflops"` // 0 where nothing is multiplied but by one value a channel
	BackwardGFLOPS float64 `json:"backward_gflops"`
}

// benchWarmup is how many steps come before those that are timed: they touch all memory.
const benchWarmup = 2

// bench is what Bench times.
type bench struct {
	step    func() error
	timings func() []nn.Timing
	bytes   int
	macs    int // of an image, beyond the units'
	close   func()
}

// Bench times training steps of c's backbone, head and optimiser, on one batch of random images
// with random labels. It runs the graph and the optimiser that Train runs; only loading images
// is left out. Of a head alone it takes random embeddings of c.Embedding numbers.
func Bench(ctx context.Context, c Config, o BenchOptions) (*BenchResult, error) {
	least := 2
	if o.Inference {
		least = 1
	}
	// A batch of 1 is no training batch, which Resolve would say.
	batch := c.Batch
	c.Batch = max(batch, 2)
	if err := errors.Join(c.Resolve(), atLeast("classes", o.Classes, 2), atLeast("steps", o.Steps, 1), atLeast("batch", batch, least)); err != nil {
		return nil, err
	}
	c.Batch = batch
	if o.HeadOnly && (o.Inference || o.Kernels) {
		return nil, settingError("head-only", "a head alone is neither inference nor a network whose kernels could be shown")
	}
	model, err := benchModel(&c, o)
	if err != nil {
		return nil, err
	}
	network := model.Network
	pool := kernel.NewPool(c.Threads)
	defer pool.Close()
	r := &BenchResult{
		Backbone: network.Name, Inference: o.Inference, Precision: c.Precision, Batch: batch, Threads: pool.Threads(), Variant: kernel.Variant(), Steps: o.Steps,
	}
	if !o.Inference {
		r.Head, r.Classes, r.Sample = c.Head, o.Classes, c.SampleClasses
	}
	peak := func() { r.PeakGFLOPS = max(r.PeakGFLOPS, nn.Precision(c.Precision).PeakGFLOPS(pool)) }
	peak()
	var b *bench
	switch {
	case o.Inference:
		b, err = benchInference(&c, model, pool)
	case o.HeadOnly:
		r.Backbone = ""
		b, err = benchHead(&c, o.Classes, pool)
	default:
		b, err = benchTraining(&c, network, o.Classes)
	}
	if err != nil {
		return nil, err
	}
	defer b.close()

	seconds := make([]float64, 0, o.Steps)
	for i := range benchWarmup + o.Steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if i == benchWarmup {
			b.timings() // forgets the first steps
		}
		began := time.Now()
		if err := b.step(); err != nil {
			return nil, err
		}
		if i >= benchWarmup {
			seconds = append(seconds, time.Since(began).Seconds())
		}
	}
	timings := b.timings()
	peak() // the better of before and after: other work may have been in the way
	slices.Sort(seconds)
	median := (seconds[(o.Steps-1)/2] + seconds[o.Steps/2]) / 2
	r.ImgS, r.BestImgS, r.StepMS = float64(batch)/median, float64(batch)/seconds[0], 1000*median
	if r.PeakGFLOPS > 0 {
		macs := b.macs
		for _, t := range timings {
			macs += t.ForwardMACs + t.BackwardMACs
		}
		r.GFLOPS = 2 * float64(macs) * r.ImgS / 1e9
		r.ShareOfPeak = r.GFLOPS / r.PeakGFLOPS
	}
	r.Bytes, r.PeakRSSMB = b.bytes, float64(peakMemory())/1e6
	if o.Kernels {
		r.Kernels = kernelTimes(timings, batch, o.Steps)
	}
	return r, nil
}

// benchTraining readies training steps.
func benchTraining(c *Config, network *nn.Network, classes int) (*bench, error) {
	t := &trainer{ranks: alone(), config: *c, network: network, faces: &faces{train: &dataset.Set{Identities: make([]string, classes)}}}
	var err error
	if t.head, err = c.head(); err != nil {
		return nil, err
	}
	t.shareClasses()
	if err := t.build(); err != nil {
		t.close()
		return nil, err
	}
	if err := t.initialise(nil); err != nil {
		t.close()
		return nil, err
	}
	images, labels := noise(c, classes)
	return &bench{
		step:    func() error { return t.benchStep(images, labels) },
		timings: t.backbone.Timings,
		bytes:   t.backbone.Bytes(),
		macs:    3 * network.Dim() * sampleSize(c.SampleClasses, classes, c.Batch),
		close:   t.close,
	}, nil
}

// benchModel returns o's model, or a backbone with initial weights.
func benchModel(c *Config, o BenchOptions) (*embed.Model, error) {
	if o.Model != nil {
		if !o.Inference {
			return nil, settingError("model", "a model's embeddings are timed, not its training")
		}
		in := o.Model.Network.Input
		c.Size = Size{Height: in.H, Width: in.W}
		return o.Model, nil
	}
	network, err := c.network()
	if err != nil {
		return nil, err
	}
	return &embed.Model{Network: network}, nil
}

// benchInference readies forward passes.
func benchInference(c *Config, m *embed.Model, pool *kernel.Pool) (*bench, error) {
	theta, buffers := m.Theta, m.Buffers
	if theta == nil {
		theta, buffers = make([]float32, nn.Len(m.Network.Params())), make([]float32, nn.Len(m.Network.Buffers()))
		m.Network.Init(theta, buffers, c.Seed)
	}
	plan, err := nn.NewInference(m.Network, theta, buffers, c.Batch, nn.Precision(c.Precision), pool)
	if err != nil {
		return nil, err
	}
	images, _ := noise(c, 1)
	return &bench{
		step:    func() error { plan.Forward(images, c.Batch); return nil },
		timings: plan.Timings,
		bytes:   plan.Bytes(),
		close:   plan.Close,
	}, nil
}

// kernelTimes adds up the timings of units alike, those that took longest first.
func kernelTimes(timings []nn.Timing, batch, steps int) []KernelTime {
	total := map[string]nn.Timing{}
	count := map[string]int{}
	for _, t := range timings {
		sum := total[t.Unit]
		total[t.Unit] = nn.Timing{
			Unit: t.Unit, Forward: sum.Forward + t.Forward, Backward: sum.Backward + t.Backward,
			ForwardMACs: sum.ForwardMACs + t.ForwardMACs, BackwardMACs: sum.BackwardMACs + t.BackwardMACs,
		}
		count[t.Unit]++
	}
	speed := func(macs int, d time.Duration) float64 {
		if d == 0 {
			return 0
		}
		return 2 * float64(macs*batch*steps) / d.Seconds() / 1e9
	}
	ms := func(d time.Duration) float64 { return 1000 * d.Seconds() / float64(steps) }
	sorted := slices.SortedFunc(maps.Values(total), func(a, b nn.Timing) int {
		return cmp.Or(cmp.Compare(b.Forward+b.Backward, a.Forward+a.Backward), cmp.Compare(a.Unit, b.Unit))
	})
	var ks []KernelTime
	for _, t := range sorted {
		ks = append(ks, KernelTime{
			Unit: t.Unit, Count: count[t.Unit], ForwardMS: ms(t.Forward), BackwardMS: ms(t.Backward),
			ForwardGFLOPS: speed(t.ForwardMACs, t.Forward), BackwardGFLOPS: speed(t.BackwardMACs, t.Backward),
		})
	}
	return ks
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
	t.beginLoss(t.solver.Steps() + 1)
	if t.sample != nil {
		labels = t.sample.begin(t.solver.Steps()+1, labels, t.arena, t.solver.State())
	}
	if _, err := t.graph.run(images, labels); err != nil {
		return err
	}
	t.backbone.UpdateBuffers(t.buffers)
	t.solver.SetRate(*t.config.LR)
	if err := t.solver.Step([]gorgonia.ValueGrad{t.arena}); err != nil {
		return err
	}
	t.commitLoss()
	if t.sample != nil {
		t.sample.end(t.arena, t.solver.State())
	}
	return nil
}
