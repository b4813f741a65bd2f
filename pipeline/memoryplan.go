package pipeline

import (
	"fmt"
	"runtime/debug"
	"sort"
	"strings"

	"github.com/faceverify/fv/internal/nn"
	"github.com/faceverify/fv/pipeline/loader"
	"github.com/faceverify/fv/pipeline/optim"
)

// MemoryPlan is the memory in bytes that a run takes. Decoded images, which Cache holds, are the only part that can be less
// without another batch or network.
type MemoryPlan struct {
	Activations int64 // and their gradients
	Weights     int64 // of backbone and head: with gradients, optimiser's state and copies in the kernels' order
	Batches     int64 // made ahead
	Checkpoint  int64 // pieces of one that is written or read
	Index       int64 // of the images
	Program     int64 // all else, as measured
	Cache       int64 // most for decoded images
}

// Needed returns the memory without the cache.
func (m MemoryPlan) Needed() int64 {
	return m.Activations + m.Weights + m.Batches + m.Checkpoint + m.Index + m.Program
}

// parts says what the memory without the cache is for.
func (m MemoryPlan) parts() string {
	var parts []string
	for _, p := range []struct {
		bytes int64
		what  string
	}{
		{m.Activations, "activations"}, {m.Weights, "weights and optimiser"}, {m.Batches, "batches made ahead"},
		{m.Checkpoint, "writing checkpoints"}, {m.Index, "the list of images"}, {m.Program, "the program"},
	} {
		parts = append(parts, mebibytes(p.bytes)+" "+p.what)
	}
	return strings.Join(parts, ", ")
}

// mebibytes is an amount of memory rounded up.
func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20) }

// programBytes is what the program takes beside what is planned: code, stacks, buffers of the kernels, and garbage that the collector
// has not come to.
const programBytes = 128 << 20

// memoryPlan works out what a run of resolved settings takes for batches of a size.
func (t *trainer) memoryPlan(batch int) (MemoryPlan, error) {
	c := &t.config
	images := max(1, batch/t.ranks.Size()) // of this rank
	activations, err := nn.TrainingBytes(t.network, images, nn.Precision(c.Precision))
	if err != nil {
		return MemoryPlan{}, err
	}
	const float = 4
	params, classes := int64(nn.Len(t.network.Params())), t.classes.count()
	moments := int64(len(optim.MomentNames(c.Optimizer)))
	all := int64(arenaLen(int(params), t.head, classes, t.network.Dim()))
	step, tables := all, int64(0)
	if c.SampleClasses < 1 {
		// Memory for more of a step's classes than are usually this rank's is taken, and not touched.
		some := sampleSize(c.SampleClasses, t.classes.all, batch) * classes / t.classes.all
		step = int64(arenaLen(int(params), t.head, some, t.network.Dim()))
		tables = all * (1 + moments)
	}
	arenas := 2 + moments // weights, gradients and moments
	if c.Accumulate > 1 {
		arenas++
	}
	if c.EMA > 0 {
		arenas++
	}
	samples := int64(len(t.faces.train.Samples))
	return MemoryPlan{
		Activations: int64(activations),
		Weights:     float * (step*arenas + tables + 3*params + (step-params)/4), // convolutions are packed for three passes; a head's products take up to a quarter
		Batches:     float * int64(loader.Held*images*t.Contract.Len()),
		Checkpoint:  float * 2 * pieceLen,
		Index:       samples*bytesPerImage + t.faces.train.PathBytes(),
		Program:     programBytes,
	}, nil
}

// bytesPerImage is what lists of images take beside the paths: the sample, its place in two epochs' orders, its state in the cache.
const bytesPerImage = 24 + 8 + 8 + 8 + 4

// planMemory plans the run's memory within --max-memory. It returns an error that names the largest batch that would do.
func (t *trainer) planMemory() (err error) {
	c := &t.config
	if t.memoryNeeds, err = t.memoryPlan(c.Batch); err != nil {
		return err
	}
	m := &t.memoryNeeds
	if m.Cache = int64(c.Cache); m.Cache < 0 {
		m.Cache = totalMemory() / 4 / int64(t.ranks.Here)
	}
	m.Cache = min(m.Cache, int64(len(t.faces.train.Samples)*t.Contract.Len()))
	limit := int64(c.MaxMemory)
	if limit == 0 {
		if total := totalMemory() / int64(t.ranks.Here); total > 0 && m.Needed() > total {
			t.events.warn("this run needs about %s (%s), and the machine has %s: it may be ended by the system", mebibytes(m.Needed()), m.parts(), mebibytes(total))
		}
		return nil
	}
	if room := limit - m.Needed(); room < 0 {
		return settingError("max-memory", "a batch of %d needs %s (%s), and %s are allowed; %s", c.Batch, mebibytes(m.Needed()), m.parts(), mebibytes(limit), t.lessMemory(limit))
	} else if m.Cache > room {
		if c.Cache > 0 {
			t.events.warn("--cache %s is more than --max-memory leaves; %s are used", mebibytes(int64(c.Cache)), mebibytes(room))
		}
		m.Cache = room
	}
	return nil
}

// lessMemory says how the run would do with so much memory.
func (t *trainer) lessMemory(limit int64) string {
	fits := func(batch int) bool {
		m, err := t.memoryPlan(batch)
		return err == nil && m.Needed() <= limit
	}
	least := max(2, t.config.PerIdentity)
	if !fits(least) {
		cure := "choose a smaller --backbone, --size or --embedding"
		if 2*t.memoryNeeds.Weights > limit {
			cure += ", or more ranks, which share the classes out (docs/mpi.md)"
		}
		return fmt.Sprintf("no batch fits, not even one of %d: %s", least, cure)
	}
	largest := least - 1 + sort.Search(t.config.Batch-least, func(i int) bool { return !fits(least + i) })
	if k := t.config.PerIdentity; k > 0 {
		largest -= largest % k
	}
	if n := t.ranks.Size(); largest > n {
		largest -= largest % n
	}
	return fmt.Sprintf("the largest batch that fits is --batch %d; with --accumulate a step has several of them", largest)
}

// limitHeap holds the collector to what --max-memory leaves beside memory that it does not manage, until the function that it returns is
// called. Before the memory is planned, all is the collector's.
func (t *trainer) limitHeap() func() {
	limit := int64(t.config.MaxMemory)
	if limit == 0 {
		return func() {}
	}
	m := t.memoryNeeds
	before := debug.SetMemoryLimit(limit - m.Cache - m.Activations - m.Weights)
	return func() { debug.SetMemoryLimit(before) }
}
