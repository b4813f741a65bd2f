package optim

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Arena is all parameters of a model and their gradients, each as one flat slice.
// To Gorgonia it is a single value with its gradient: it implements
// gorgonia.ValueGrad.
type Arena struct {
	Weights, Gradients []float32

	weights, gradients *tensor.Dense // over the same memory
}

// NewArena returns an arena over the given memory. It panics if the lengths differ
// or are 0.
func NewArena(weights, gradients []float32) *Arena {
	if len(weights) != len(gradients) || len(weights) == 0 {
		panic(fmt.Sprintf("optim: %d weights and %d gradients", len(weights), len(gradients)))
	}
	flat := func(x []float32) *tensor.Dense {
		return tensor.New(tensor.WithShape(len(x)), tensor.WithBacking(x))
	}
	return &Arena{weights, gradients, flat(weights), flat(gradients)}
}

// Value implements gorgonia.Valuer.
func (a *Arena) Value() gorgonia.Value { return a.weights }

// Grad implements gorgonia.ValueGrad; it never fails.
func (a *Arena) Grad() (gorgonia.Value, error) { return a.gradients, nil }

// Range is a stretch of an arena that is treated alike.
type Range struct {
	Offset, Len int
	Rate        float64 // factor of the learning rate
	Decay       float64 // factor of the weight decay
	Frozen      bool    // never changed, and left out of the gradient's norm
	Apart       bool    // other processes have other numbers here, which are part of the gradient's norm: see Solver.Sum
}

// Merge returns ranges with neighbours that are treated alike made one.
func Merge(ranges []Range) []Range {
	var out []Range
	for _, r := range ranges {
		if n := len(out); n > 0 {
			last := &out[n-1]
			if last.Offset+last.Len == r.Offset && last.Rate == r.Rate && last.Decay == r.Decay && last.Frozen == r.Frozen && last.Apart == r.Apart {
				last.Len += r.Len
				continue
			}
		}
		out = append(out, r)
	}
	return out
}
