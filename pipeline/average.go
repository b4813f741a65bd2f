package pipeline

import (
	"fmt"

	"github.com/faceverify/fv/internal/kernel"
)

// average is an exponential moving average of the weights, and of the running statistics of batch norms that go
// with them, over the accepted steps t = 1, 2 ...:
//
//	a_t = d_t a_(t-1) + (1 - d_t) w_t,  d_t = min(d, t/(t + 9))
//
// a_0 are the weights that the run begins with; the smaller d_t of the first steps lets them be forgotten. (TensorFlow's
// ExponentialMovingAverage does so where it is given the number of steps.) It is of the whole arena, or where each step compares with some
// classes only, of the backbone.
type average struct {
	decay   float64 // d
	weights []float32
	buffers []float32
}

// averageStart is how many steps the decay takes to rise to about a half.
const averageStart = 9

func (c *Config) checkEMA() error {
	if d := c.EMA; !(d >= 0 && d < 1) {
		return settingError("ema", "%v: want a decay above 0 and below 1, such as 0.999, or 0 for none", d)
	}
	return nil
}

// newAverage takes memory for the average of an arena of so many weights, of which params are the backbone's.
func (t *trainer) newAverage(params, size, buffers int) error {
	if t.sample != nil {
		size = params
	}
	weights, err := t.floats(size)
	if err != nil {
		return fmt.Errorf("no memory for the average of %d weights: %w", size, err)
	}
	t.average = &average{decay: t.config.EMA, weights: weights, buffers: make([]float32, buffers)}
	return nil
}

// startAverage makes the weights that the run begins with their own average.
func (t *trainer) startAverage() {
	if a := t.average; a != nil {
		copy(a.weights, t.arena.Weights)
		copy(a.buffers, t.buffers)
	}
}

// followAverage takes the weights of a step that was accepted into the average.
func (t *trainer) followAverage() {
	a := t.average
	if a == nil {
		return
	}
	n := float64(t.Step)
	rate := float32(1 - min(a.decay, n/(n+averageStart)))
	kernel.Follow(t.pool, a.weights, t.arena.Weights[:len(a.weights)], rate)
	kernel.Follow(t.pool, a.buffers, t.buffers, rate)
}

// averaged returns what the model is made of: the backbone's weights and statistics, and weights that hold the head's behind the backbone's. They are
// the given ones of the last step, or their averages.
func (t *trainer) averaged(weights []float32) (theta, buffers, all []float32) {
	params := t.graph.backboneParams
	a := t.average
	switch {
	case a == nil:
		return weights[:params], t.buffers, weights
	case len(a.weights) == len(weights):
		weights = a.weights
	}
	return a.weights[:params], a.buffers, weights
}

// state returns the average for a checkpoint but for its weights, which are an arena: see trainer.arenas.
func (a *average) state() map[string][]float32 {
	if a == nil {
		return nil
	}
	if len(a.buffers) == 0 {
		return nil
	}
	return map[string][]float32{"buffers": a.buffers}
}
