package pipeline

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/embed/tensorfile"
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

// headShapes returns the parameters of the head over so many classes.
func (t *trainer) headShapes(classes int) []losses.ParamShape {
	return headShapes(t.head, classes, t.network.Dim())
}

// whole returns the weights of the backbone and of the head over this rank's classes, and their moments.
func (t *trainer) whole() (weights []float32, moments map[string][]float32) {
	if t.sample != nil {
		return t.sample.all(t.arena, t.solver.State())
	}
	return t.arena.Weights, t.solver.State()
}

// initialise fills the weights: at random, or with those of a model that is not nil.
func (t *trainer) initialise(from *embed.Model) (err error) {
	weights, _ := t.whole()
	params := t.graph.backboneParams
	t.network.Init(t.arena.Weights[:params], t.buffers, t.config.Seed)
	t.eachParam(weights, func(p losses.ParamShape, own []float32, first int) {
		losses.InitPart(t.head, t.classes.all, p, own, first, t.config.Seed)
	})
	if from == nil {
		return nil
	}
	copy(t.arena.Weights[:params], from.Theta)
	copy(t.buffers, from.Buffers)
	if !slices.Equal(from.Classes, t.faces.train.Identities) {
		return nil // other people: their weights start at random
	}
	t.eachParam(weights, func(p losses.ParamShape, own []float32, first int) {
		if w, ok := from.HeadParams[p.Name]; ok && slices.Equal(w.Shape, p.Shape) {
			err = errors.Join(err, w.ReadAt(own, first))
		}
	})
	return err
}

// eachParam calls f with the parameters of the head over all classes, and this rank's numbers of each: those from first on.
func (t *trainer) eachParam(weights []float32, f func(p losses.ParamShape, own []float32, first int)) {
	at := t.graph.backboneParams
	whole := t.headShapes(t.classes.all)
	for i, own := range t.headShapes(t.classes.count()) {
		first := 0
		if perClass(t.head, own) {
			first = t.classes.first * (own.Len() / own.Shape[0])
		}
		f(whole[i], weights[at:at+own.Len()], first)
		at += own.Len()
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

// model returns the model as it is now, over the trainer's own memory. A head that is split is not part of it.
func (t *trainer) model() *embed.Model {
	c := &t.config
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
	if t.split == nil {
		t.eachParam(rest, func(p losses.ParamShape, own []float32, _ int) {
			m.HeadParams[p.Name] = embed.Tensor{Shape: p.Shape, Data: own}
		})
	}
	return m
}

// saveModel writes the model, for which ranks lend what they have.
func (t *trainer) saveModel(l *lent, name string) error {
	m := t.model()
	if t.split != nil {
		arena := "weights"
		if t.average != nil && len(t.average.weights) > t.graph.backboneParams {
			arena = "average.weights"
		}
		for i, p := range t.headShapes(t.classes.all) {
			m.HeadParams[p.Name] = embed.Tensor{Shape: p.Shape, Stream: l.stream(arena, t.stretches()[1+i])}
		}
	}
	path := filepath.Join(t.dir, name)
	if err := m.Save(path); err != nil {
		return fmt.Errorf("cannot write the model of step %d: %w", t.Step, err)
	}
	return nil
}

// checkpoint writes the last model, then a checkpoint: a run that ends here can be resumed, and
// its model used.
func (t *trainer) checkpoint() error {
	if err := t.sameWeights(); err != nil {
		return err
	}
	if !t.finite() {
		return t.diverged("weights or running statistics are not finite")
	}
	if err := t.lend(t.writeCheckpoint); err != nil {
		return err
	}
	t.saved = t.Step
	return nil
}

func (t *trainer) writeCheckpoint(l *lent) error {
	if err := t.log.sync(); err != nil {
		return err
	}
	name := ModelFile
	if t.faces.pairs != nil {
		name = LastModelFile
	}
	if t.Step > 0 {
		if err := t.saveModel(l, name); err != nil {
			return err
		}
	}
	t.OptimizerSteps = t.solver.Steps()
	c := &checkpoint{position: t.position, Buffers: t.buffers, Average: t.average.state()}
	head, metric := t.memories()
	if head != nil {
		c.Head = head.State()
	}
	if metric != nil {
		c.Metric = metric.State()
	}
	var arenas []tensorfile.Tensor
	for name, own := range l.own {
		ss := t.stretchesOf(own)
		arenas = append(arenas, tensorfile.Tensor{Name: name, Shape: []int{length(ss)}, Stream: l.stream(name, ss)})
	}
	return c.write(filepath.Join(t.dir, checkpointsDir), arenas...)
}

// restore puts a checkpoint's contents in their places.
func (t *trainer) restore(c *checkpoint) error {
	if err := t.fits(c); err != nil {
		return fmt.Errorf("the checkpoint of step %d %w: it is of another version", c.Step, err)
	}
	if err := t.load(c); err != nil {
		return err
	}
	copy(t.buffers, c.Buffers)
	if t.average != nil {
		copy(t.average.buffers, c.Average["buffers"])
	}
	if t.sample != nil {
		t.sample.restored(t.arena, t.solver.State())
	}
	if err := t.solver.SetState(t.solver.State(), c.OptimizerSteps); err != nil {
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

// fits returns an error unless a checkpoint has all that the run has, of the same sizes.
func (t *trainer) fits(c *checkpoint) error {
	if len(c.Buffers) != len(t.buffers) {
		return fmt.Errorf("has %d statistics, the network %d", len(c.Buffers), len(t.buffers))
	}
	if t.average != nil && len(c.Average["buffers"]) != len(t.average.buffers) {
		return fmt.Errorf("has the average of %d statistics, the network %d", len(c.Average["buffers"]), len(t.average.buffers))
	}
	for name, own := range t.arenas() {
		if n := length(t.stretchesOf(own)); c.arenas[name] != n {
			return fmt.Errorf("has %d numbers of %s, the network %d", c.arenas[name], name, n)
		}
	}
	return nil
}

// finite reports whether all that a checkpoint holds can be gone on from.
func (t *trainer) finite() bool {
	weights, moments := t.whole()
	ok := kernel.AllFinite(t.pool, weights) && kernel.AllFinite(t.pool, t.buffers)
	for _, m := range moments {
		ok = ok && kernel.AllFinite(t.pool, m)
	}
	return t.everywhere(ok)
}
