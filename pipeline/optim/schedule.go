package optim

import (
	"fmt"
	"math"
	"strings"

	"github.com/faceverify/fv/internal/setting"
)

// Names of the decays of a Schedule.
const (
	Constant   = "constant"   // 1
	Cosine     = "cosine"     // (1 + cos(π i/S))/2
	Polynomial = "polynomial" // (1 - i/S)^Power
	Linear     = "linear"     // 1 - i/S
	Step       = "step"       // Gamma^(number of milestones passed)
)

// Decays returns the names that Schedule.Decay may have.
func Decays() []string { return []string{Cosine, Polynomial, Linear, Step, Constant} }

// Schedule is the learning rate as a function of the step i = 0 ... S-1:
//
//	lr(i) = Base · min(1, (i+1)/Warmup) · decay(i)
//
// The decay runs from the first step on, also while the rate warms up.
type Schedule struct {
	Base   float64 // the highest rate
	Steps  int     // S, of the whole run; at least 1
	Warmup int     // steps over which the rate rises; 0: none

	Decay string
	Power float64 // of Polynomial
	// Milestones are the steps from which on Step multiplies by Gamma once more, in
	// ascending order.
	Milestones []int
	Gamma      float64
}

// Validate returns an error that names the field that is out of range.
func (s Schedule) Validate() error {
	switch {
	case !(s.Base > 0) || math.IsInf(s.Base, 0):
		return setting.Errorf("lr", "the learning rate is %v, want a number above 0", s.Base)
	case s.Steps < 1:
		return fmt.Errorf("the run has %d steps, want at least 1", s.Steps)
	case s.Warmup < 0:
		return setting.Errorf("warmup", "the warm-up has %d steps, want 0 or more", s.Warmup)
	case s.Warmup > s.Steps:
		return setting.Errorf("warmup", "the warm-up of %d steps is longer than the run of %d", s.Warmup, s.Steps)
	}
	switch s.Decay {
	case Constant, Cosine, Linear:
	case Polynomial:
		if !(s.Power > 0) || math.IsInf(s.Power, 0) {
			return setting.Errorf("power", "the power of the polynomial schedule is %v, want a number above 0", s.Power)
		}
	case Step:
		if len(s.Milestones) == 0 {
			return setting.Errorf("milestones", "the step schedule needs milestones, such as 10,14")
		}
		for i, m := range s.Milestones {
			if m < 1 || i > 0 && m <= s.Milestones[i-1] {
				return setting.Errorf("milestones", "the milestones must rise and come after the first step")
			}
		}
		if !(s.Gamma > 0 && s.Gamma <= 1) {
			return setting.Errorf("gamma", "the factor of the step schedule is %v, want above 0 and at most 1", s.Gamma)
		}
	default:
		return setting.Errorf("schedule", "there is no schedule %q; there are %s", s.Decay, strings.Join(Decays(), ", "))
	}
	return nil
}

// At returns the learning rate of step i.
func (s Schedule) At(i int) float64 {
	lr := s.Base
	if s.Warmup > 0 {
		lr *= min(1, float64(i+1)/float64(s.Warmup))
	}
	done := float64(i) / float64(s.Steps)
	switch s.Decay {
	case Cosine:
		lr *= (1 + math.Cos(math.Pi*done)) / 2
	case Polynomial:
		lr *= math.Pow(1-done, s.Power)
	case Linear:
		lr *= 1 - done
	case Step:
		for _, m := range s.Milestones {
			if i >= m {
				lr *= s.Gamma
			}
		}
	}
	return lr
}
