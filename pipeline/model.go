package pipeline

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/nn"
	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/pipeline/optim"
)

// ranges returns how the optimiser treats the arena: weights of convolutions, linear layers
// and classes decay; biases, norms and slopes do not.
func ranges(params []nn.Param, head []losses.ParamShape, rateOfBackbone float64) []optim.Range {
	var rs []optim.Range
	add := func(length int, decays bool, rate float64) {
		r := optim.Range{Len: length, Rate: rate}
		if n := len(rs); n > 0 {
			r.Offset = rs[n-1].Offset + rs[n-1].Len
		}
		if decays {
			r.Decay = 1
		}
		rs = append(rs, r)
	}
	for _, p := range params {
		add(p.Len, p.Decay, rateOfBackbone)
	}
	for _, p := range head {
		add(p.Len(), len(p.Shape) > 1, 1)
	}
	return rs
}

// headShapes returns the parameters of the head over all classes.
func (t *trainer) headShapes() []losses.ParamShape {
	return headShapes(t.head, len(t.faces.train.Identities), t.network.Dim())
}

// whole returns the weights of the backbone and of the head over all classes, and their moments.
func (t *trainer) whole() (weights []float32, moments map[string][]float32) {
	if t.sample != nil {
		return t.sample.all(t.arena, t.solver.State())
	}
	return t.arena.Weights, t.solver.State()
}

// initialise fills the weights: at random, or with those of a model that is not nil.
func (t *trainer) initialise(from *embed.Model) {
	weights, _ := t.whole()
	params := t.graph.backboneParams
	t.network.Init(t.arena.Weights[:params], t.buffers, t.config.Seed)
	at := params
	for _, p := range t.headShapes() {
		losses.Init(t.head, len(t.faces.train.Identities), p, weights[at:at+p.Len()], t.config.Seed)
		at += p.Len()
	}
	if from == nil {
		return
	}
	copy(t.arena.Weights[:params], from.Theta)
	copy(t.buffers, from.Buffers)
	if !slices.Equal(from.Classes, t.faces.train.Identities) {
		return // other people: their weights start at random
	}
	at = params
	for _, p := range t.headShapes() {
		if w, ok := from.HeadParams[p.Name]; ok && slices.Equal(w.Shape, p.Shape) {
			copy(weights[at:at+p.Len()], w.Data)
		}
		at += p.Len()
	}
}

// describe returns the description of a network by its name. Tests replace it, by one that makes the smallest narrower.
var describe = embed.Backbone

// network returns the description of the backbone.
func (c *Config) network() (*nn.Network, error) {
	n, err := describe(c.Backbone, embed.BackboneOptions{Embedding: c.Embedding, Height: c.Size.Height, Width: c.Size.Width})
	if err != nil {
		return nil, settingError("backbone", "%w", err)
	}
	return n, nil
}

// headInfo says what the network was trained with: the head, or the metric loss in its place.
func (c *Config) headInfo() embed.HeadInfo {
	if head, name := c.objective(); !head {
		return embed.HeadInfo{Name: name, Settings: c.LossParams}
	}
	return embed.HeadInfo{Name: c.Head, Settings: c.headValues(), MarginGradient: c.MarginGradient, FeatureNorm: c.FeatureNorm}
}

// model returns the model as it is now, over the trainer's own memory.
func (t *trainer) model() *embed.Model {
	c := &t.config
	params := t.graph.backboneParams
	weights, _ := t.whole()
	theta, buffers, rest := t.averaged(weights)
	m := &embed.Model{
		Network: t.network, Theta: theta, Buffers: buffers, Contract: t.Contract,
		Head:    c.headInfo(),
		Classes: t.faces.train.Identities, HeadParams: map[string]embed.Tensor{},
		Threshold: t.threshold,
		Meta: map[string]string{
			"step": strconv.Itoa(t.Step), "seed": strconv.FormatUint(c.Seed, 10),
			"epochs": strconv.FormatFloat(t.epoch(), 'f', 2, 64),
		},
	}
	at := params
	for _, p := range t.headShapes() {
		m.HeadParams[p.Name] = embed.Tensor{Shape: p.Shape, Data: rest[at : at+p.Len()]}
		at += p.Len()
	}
	return m
}

func (t *trainer) saveModel(name string) error {
	if !t.ranks.writes() {
		return nil
	}
	path := filepath.Join(t.dir, name)
	if err := t.model().Save(path); err != nil {
		return fmt.Errorf("cannot write the model of step %d: %w", t.Step, err)
	}
	return nil
}

// checkpoint writes the last model, then a checkpoint: a run that ends here can be resumed, and
// its model used.
func (t *trainer) checkpoint() error {
	if !t.finite() {
		return t.diverged("weights or running statistics are not finite")
	}
	if err := t.sameWeights(); err != nil {
		return err
	}
	if !t.ranks.writes() {
		t.saved = t.Step
		return nil
	}
	if err := t.log.sync(); err != nil {
		return err
	}
	name := ModelFile
	if t.faces.pairs != nil {
		name = LastModelFile
	}
	if t.Step > 0 {
		if err := t.saveModel(name); err != nil {
			return err
		}
	}
	t.OptimizerSteps = t.solver.Steps()
	weights, moments := t.whole()
	c := &checkpoint{position: t.position, Weights: weights, Buffers: t.buffers, Average: t.average.state(), Optimizer: moments}
	head, metric := t.memories()
	if head != nil {
		c.Head = head.State()
	}
	if metric != nil {
		c.Metric = metric.State()
	}
	if err := c.write(filepath.Join(t.dir, checkpointsDir)); err != nil {
		return err
	}
	t.saved = t.Step
	return nil
}

// restore puts a checkpoint's contents in their places.
func (t *trainer) restore(c *checkpoint) error {
	weights, _ := t.whole()
	if len(c.Weights) != len(weights) || len(c.Buffers) != len(t.buffers) {
		return fmt.Errorf("the checkpoint of step %d has %d weights and %d statistics, the network %d and %d: it is of another version",
			c.Step, len(c.Weights), len(c.Buffers), len(weights), len(t.buffers))
	}
	copy(weights, c.Weights)
	copy(t.buffers, c.Buffers)
	if err := t.average.restore(c.Average); err != nil {
		return fmt.Errorf("the checkpoint of step %d: %w", c.Step, err)
	}
	moments := c.Optimizer
	if t.sample != nil {
		if err := t.sample.restore(t.arena, c.Optimizer); err != nil {
			return fmt.Errorf("the checkpoint of step %d: %w", c.Step, err)
		}
		moments = t.sample.backbone(t.solver.State())
	}
	if err := t.solver.SetState(moments, c.OptimizerSteps); err != nil {
		return fmt.Errorf("the checkpoint of step %d: %w", c.Step, err)
	}
	head, metric := t.memories()
	for _, m := range []struct {
		memory memory
		state  map[string][]float32
	}{{head, c.Head}, {metric, c.Metric}} {
		if m.memory == nil {
			continue
		}
		if err := m.memory.SetState(maps.Clone(m.state)); err != nil {
			return fmt.Errorf("the checkpoint of step %d: %w", c.Step, err)
		}
	}
	settings := t.position.Config // free ones may be new
	t.position = c.position
	t.position.Config = settings
	t.saved = t.Step
	return nil
}

// finite reports whether all that a checkpoint holds can be gone on from.
func (t *trainer) finite() bool {
	weights, moments := t.whole()
	ok := kernel.AllFinite(t.pool, weights) && kernel.AllFinite(t.pool, t.buffers)
	for _, m := range moments {
		ok = ok && kernel.AllFinite(t.pool, m)
	}
	return ok
}
