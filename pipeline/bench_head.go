package pipeline

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/nn"
	"github.com/faceverify/fv/internal/offheap"
	"github.com/faceverify/fv/internal/random"
	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/pipeline/optim"
)

// headBench is a head without a backbone: the embeddings are a parameter as the weights are. A step goes from the loss
// to the gradients of both; where it compares with some of the classes, it also takes these out of all, takes a step of the
// optimiser with them, and puts them back.
type headBench struct {
	config  *Config
	head    losses.Head
	machine gorgonia.VM
	node    *gorgonia.Node // of the labels
	labels  []int
	arena   *optim.Arena
	solver  *optim.Solver
	sample  *classSample // nil if a step compares with all classes
	memory  [][]float32
}

// benchHead readies a head over so many classes.
func benchHead(c *Config, classes int, pool *kernel.Pool) (*bench, error) {
	h := &headBench{config: c}
	var err error
	if h.head, err = c.head(); err != nil {
		return nil, err
	}
	some := classes
	if c.SampleClasses < 1 {
		some = sampleSize(c.SampleClasses, classes, c.Batch)
		if h.sample, err = newClassSample(h.head, classRange{0, classes, classes}, some, c.Embedding, 0, optim.MomentNames(c.Optimizer), c.Seed, pool); err != nil {
			return nil, err
		}
	}
	if err := h.build(some, pool); err != nil {
		h.close()
		return nil, err
	}
	weights := h.arena.Weights
	if h.sample != nil {
		weights = h.sample.weights
	}
	at := 0
	for _, p := range losses.ParamShapes(h.head, classes, c.Embedding) {
		losses.Init(h.head, classes, p, weights[at:at+p.Len()], c.Seed)
		at += p.Len()
	}
	r := random.New(c.Seed, random.Order, 0, 0)
	for range c.Batch {
		h.labels = append(h.labels, r.IntN(classes))
	}
	return &bench{
		step:    h.step,
		timings: func() []nn.Timing { return nil },
		macs:    3 * c.Embedding * some,
		close:   h.close,
	}, nil
}

// build makes the graph over the classes of a step.
func (h *headBench) build(classes int, pool *kernel.Pool) error {
	c := h.config
	shapes := losses.ParamShapes(h.head, classes, c.Embedding)
	size := arenaLen(0, h.head, classes, c.Embedding)
	weights, err1 := h.floats(size)
	gradients, err2 := h.floats(size)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("no memory for %d weights and their gradients: %w", size, err)
	}
	h.arena = optim.NewArena(weights, gradients)

	g := gorgonia.NewGraph()
	x := make([]float32, c.Batch*c.Embedding)
	r := random.New(c.Seed, random.Init, 0, 0)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	node := func(name string, data []float32, shape ...int) *gorgonia.Node {
		value := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
		return gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name), gorgonia.WithValue(value))
	}
	h.node = gorgonia.NewTensor(g, tensor.Int, 1, gorgonia.WithShape(c.Batch), gorgonia.WithName("labels"))
	in := losses.Nodes{Embedding: node("embedding", x, c.Batch, c.Embedding), Labels: h.node}
	o := losses.NodeOptions{Pool: pool}
	wrt := gorgonia.Nodes{in.Embedding}
	at := 0
	for i, p := range shapes {
		end := at + p.Len()
		n := node(p.Name, weights[at:end:end], p.Shape...)
		wrt = append(wrt, n)
		if i == 0 {
			in.Weight, o.DWeight = n, gradients[at:end:end]
		} else {
			in.Bias, o.DBias = n, gradients[at:end:end]
		}
		at = end
	}
	loss, err := losses.Loss(h.head, in, o)
	if err != nil {
		return err
	}
	if _, err := gorgonia.Grad(loss, wrt...); err != nil {
		return fmt.Errorf("cannot differentiate the head: %w", err)
	}
	h.machine = gorgonia.NewTapeMachine(g)
	h.solver, err = optim.NewSolver(c.optimizer(), ranges(nil, shapes, 1), size, pool)
	return err
}

func (h *headBench) floats(n int) ([]float32, error) {
	x, err := offheap.Floats(n)
	h.memory = append(h.memory, x)
	return x, err
}

func (h *headBench) step() error {
	stateful, _ := h.head.(losses.Stateful)
	if stateful != nil {
		stateful.Begin(h.solver.Steps() + 1)
	}
	labels := h.labels
	if h.sample != nil {
		labels = h.sample.begin(h.solver.Steps()+1, labels, h.arena, h.solver.State())
	}
	if err := gorgonia.Let(h.node, tensor.New(tensor.WithShape(len(labels)), tensor.WithBacking(labels))); err != nil {
		return err
	}
	if err := h.machine.RunAll(); err != nil {
		return err
	}
	h.machine.Reset()
	if stateful != nil {
		stateful.Commit()
	}
	if h.sample == nil {
		return nil
	}
	h.solver.SetRate(*h.config.LR)
	if err := h.solver.Step([]gorgonia.ValueGrad{h.arena}); err != nil {
		return err
	}
	h.sample.end(h.arena, h.solver.State())
	return nil
}

func (h *headBench) close() {
	if h.machine != nil {
		h.machine.Close()
	}
	if h.solver != nil {
		h.solver.Close()
	}
	if h.sample != nil {
		h.sample.close()
	}
	for _, x := range h.memory {
		offheap.FreeFloats(x)
	}
}
