package optim

import (
	"errors"
	"math"

	"github.com/faceverify/fv/internal/setting"
)

// Names of the optimisers.
const (
	SGD   = "sgd"
	AdamW = "adamw"
)

// Settings are what stays the same over a run.
//
// SGD is PyTorch's, with the decay added to the gradient:
//
//	d = g + Decay w;  v = Momentum v + d;  w -= lr v, or lr (d + Momentum v) with Nesterov
//
// AdamW is that of Loshchilov and Hutter (2019), with bias correction and the decay apart
// from the gradient, as in PyTorch.
type Settings struct {
	Name         string // SGD or AdamW
	Momentum     float64
	Nesterov     bool
	Beta1, Beta2 float64
	Epsilon      float64
	Decay        float64
	// Clip is the largest global norm of the gradient: a longer one is multiplied
	// by Clip/(norm + 1e-6). 0: no clipping.
	Clip float64
}

// Validate returns an error that names the setting that is out of range.
func (s Settings) Validate() error {
	unit := func(name string, v float64) error {
		if !(v >= 0 && v < 1) {
			return setting.Errorf(name, "%s is %v, want at least 0 and below 1", name, v)
		}
		return nil
	}
	notNegative := func(name string, v float64) error {
		if !(v >= 0) || math.IsInf(v, 0) {
			return setting.Errorf(name, "%s is %v, want 0 or more", name, v)
		}
		return nil
	}
	err := errors.Join(notNegative("weight-decay", s.Decay), notNegative("clip", s.Clip))
	switch s.Name {
	case SGD:
		if s.Nesterov && s.Momentum == 0 {
			err = errors.Join(err, setting.Errorf("nesterov", "nesterov needs a momentum above 0"))
		}
		return errors.Join(err, unit("momentum", s.Momentum))
	case AdamW:
		if !(s.Epsilon > 0) {
			err = errors.Join(err, setting.Errorf("epsilon", "epsilon is %v, want a number above 0", s.Epsilon))
		}
		return errors.Join(err, unit("beta1", s.Beta1), unit("beta2", s.Beta2))
	}
	return setting.Errorf("optimizer", "there is no optimizer %q; there are %s and %s", s.Name, SGD, AdamW)
}
