package pipeline

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/nn"
	"github.com/faceverify/fv/internal/offheap"
	"github.com/faceverify/fv/internal/ops"
	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/pipeline/loader"
	"github.com/faceverify/fv/pipeline/optim"
)

// trainer is a run under way.
type trainer struct {
	config Config // resolved
	ranks  *ranks
	dir    string
	events Events
	faces  *faces

	pool     *kernel.Pool
	network  *nn.Network
	head     losses.Head // nil if its loss is not minimised
	metric   *metricLoss // nil if there is none
	backbone *nn.Training
	part     *part // of several ranks; else nil
	classes  classRange
	split    *ops.Split // nil unless ranks share the classes
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
	trained          []optim.Range // of the arena, in the step under way
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
func newTrainer(c Config, r *ranks, network *nn.Network, contract embed.Contract, events Events) (*trainer, error) {
	t := &trainer{config: c, ranks: r, dir: c.Out, events: events, network: network, saved: -1}
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
	if err := c.checkRanks(t.ranks); err != nil {
		return err
	}
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
	t.shareClasses()
	if t.metric, err = c.metricLoss(len(t.faces.train.Identities), t.network.Dim()); err != nil {
		return err
	}
	if err := t.planMemory(); err != nil {
		return err
	}
	t.limitHeap()
	t.bad = &quarantine{}
	if t.ranks.writes() {
		t.bad.path = filepath.Join(t.dir, QuarantineFile)
	}
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
		Part: t.ranks.Rank(), Parts: t.ranks.Size(),
		Set: t.faces.train, Contract: t.Contract, Augment: c.augmentation(),
		Batch: c.Batch, PerIdentity: c.PerIdentity, Sampler: c.Sampler, Seed: c.Seed, Cache: t.memoryNeeds.Cache, Workers: t.threads(),
		OnBad: t.addBad,
	})
	return err
}

// addBad notes an image that this rank could not read.
func (t *trainer) addBad(path string, err error) {
	if t.ranks.writes() {
		t.bad.add(path, err)
		return
	}
	t.ranks.addBad(path, err)
}

// build makes the network, its memory and the optimiser.
func (t *trainer) build() (err error) {
	c := &t.config
	t.pool = kernel.NewPool(t.threads())
	images := c.Batch / t.ranks.Size()
	if t.backbone, err = nn.NewTraining(t.network, images, nn.Precision(c.Precision), t.pool); err != nil {
		return err
	}
	params, classes := nn.Len(t.network.Params()), t.classes.count()
	if c.SampleClasses < 1 {
		if t.sample, err = t.newSample(params); err != nil {
			return err
		}
		classes = t.sample.most()
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
	var backbone ops.Backbone = t.backbone
	if t.ranks.several() {
		t.part = newPart(t.backbone, t.ranks, c.Batch, gradients[:params], c.SyncNorms, c.Exchange == string(nn.BF16), c.Accumulate == 1)
		backbone = t.part
	}
	t.graph, err = newGraph(backbone, t.head, t.metric, graphSize{
		batch: c.Batch, images: images, height: c.Size.Height, width: c.Size.Width, params: params, classes: classes,
	}, t.arena.Weights, t.arena.Gradients, losses.NodeOptions{Pool: t.pool, Filter: c.Filter, Split: t.split})
	if err != nil {
		return err
	}
	if t.solver, err = optim.NewSolver(c.optimizer(), nil, size, t.pool); err != nil {
		return err
	}
	if t.split != nil {
		t.solver.Sum = t.ranks.sum
		t.split.Count = classes // of a sample, the most that may be here
	}
	t.setRanges()
	return nil
}

func (t *trainer) newSample(params int) (*classSample, error) {
	c := &t.config
	return newClassSample(t.head, t.classes, sampleSize(c.SampleClasses, t.classes.all, c.Batch), t.network.Dim(), params, optim.MomentNames(c.Optimizer), c.Seed, t.pool)
}

// threads returns how many threads train: 0 means one for each processor.
func (t *trainer) threads() int {
	if n := t.config.Threads; n > 0 {
		return n
	}
	return t.ranks.Threads
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
	if t.part != nil {
		t.part.sums.close()
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
