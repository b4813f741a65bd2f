package optim

import (
	"math"
	"strings"
	"testing"
)

func TestSchedule(t *testing.T) {
	for _, c := range []struct {
		s    Schedule
		at   int
		want float64
	}{
		{Schedule{Base: 0.1, Steps: 1664, Warmup: 200, Decay: Polynomial, Power: 1}, 0, 0.1 / 200},
		{Schedule{Base: 0.1, Steps: 1664, Warmup: 200, Decay: Polynomial, Power: 1}, 99, 0.1 * 0.5 * (1 - 99.0/1664)},
		{Schedule{Base: 0.1, Steps: 1664, Warmup: 200, Decay: Polynomial, Power: 1}, 199, 0.1 * (1 - 199.0/1664)},
		{Schedule{Base: 0.1, Steps: 1664, Warmup: 200, Decay: Linear}, 1663, 0.1 / 1664},
		{Schedule{Base: 2, Steps: 10, Decay: Polynomial, Power: 2}, 5, 0.5},
		{Schedule{Base: 2, Steps: 10, Decay: Cosine}, 0, 2},
		{Schedule{Base: 2, Steps: 10, Decay: Cosine}, 5, 1},
		{Schedule{Base: 2, Steps: 12, Decay: Cosine}, 8, 0.5},
		{Schedule{Base: 1, Steps: 30, Decay: Step, Gamma: 0.1, Milestones: []int{10, 20}}, 9, 1},
		{Schedule{Base: 1, Steps: 30, Decay: Step, Gamma: 0.1, Milestones: []int{10, 20}}, 10, 0.1},
		{Schedule{Base: 1, Steps: 30, Decay: Step, Gamma: 0.1, Milestones: []int{10, 20}}, 29, 0.01},
		{Schedule{Base: 3, Steps: 30, Decay: Constant}, 29, 3},
	} {
		if err := c.s.Validate(); err != nil {
			t.Errorf("%+v: %v", c.s, err)
		}
		if got := c.s.At(c.at); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("%+v: rate %v at step %d, want %v", c.s, got, c.at, c.want)
		}
	}
}

func TestScheduleMistakes(t *testing.T) {
	for _, c := range []struct {
		s    Schedule
		want string
	}{
		{Schedule{Base: 0, Steps: 1, Decay: Cosine}, "learning rate"},
		{Schedule{Base: math.NaN(), Steps: 1, Decay: Cosine}, "learning rate"},
		{Schedule{Base: 1, Decay: Cosine}, "0 steps"},
		{Schedule{Base: 1, Steps: 5, Warmup: 6, Decay: Cosine}, "longer than the run"},
		{Schedule{Base: 1, Steps: 5, Decay: "cosinus"}, "there are cosine"},
		{Schedule{Base: 1, Steps: 5, Decay: Polynomial}, "power"},
		{Schedule{Base: 1, Steps: 5, Decay: Step, Gamma: 0.1}, "needs milestones"},
		{Schedule{Base: 1, Steps: 5, Decay: Step, Gamma: 0.1, Milestones: []int{3, 3}}, "must rise"},
		{Schedule{Base: 1, Steps: 5, Decay: Step, Gamma: 2, Milestones: []int{3}}, "factor"},
	} {
		if err := c.s.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.s, err, c.want)
		}
	}
}
