package nn

import (
	"fmt"
	"strings"
	"time"
)

// Timing says how long a unit, what a plan executes as one, took since the last call of Timings.
type Timing struct {
	Unit              string // such as "convolution 3x3, 64 to 128, at 28x28"; alike where the work is
	Forward, Backward time.Duration
	// Multiply-accumulates of an image, as Summary counts them. Backward's are 0 in inference.
	ForwardMACs, BackwardMACs int
}

// Timings returns what each unit took in all passes since the last call, in the order of the forward pass.
func (p *plan) Timings() []Timing {
	ts := make([]Timing, len(p.units))
	for i, u := range p.units {
		forward, backward := u.macs()
		if !p.training {
			backward = 0
		}
		ts[i] = Timing{u.String(), p.took[i].forward, p.took[i].backward, forward, backward}
	}
	clear(p.took)
	return ts
}

// took is how long a unit's passes took.
type took struct{ forward, backward time.Duration }

func (u *convolution) String() string {
	kind, groups, kernel := "convolution", "", ""
	if u.dense != nil {
		kernel = ", " + u.dense.Kind()
	}
	switch {
	case u.isDepthwise():
		kind = "depthwise"
	case u.Groups > 1:
		groups = fmt.Sprintf(" in %d groups", u.Groups)
	}
	stride := ""
	if u.Stride > 1 {
		stride = fmt.Sprintf("/%d", u.Stride)
	}
	return fmt.Sprintf("%s %dx%d%s, %d to %d%s, at %dx%d%s", kind, u.Kernel, u.KernelWidth, stride, u.from.C, u.Out, groups, u.shape.H, u.shape.W, kernel)
}

// macs: backward, the gradient of the weights takes as many as forward, that of the input too.
func (u *convolution) macs() (forward, backward int) {
	forward = u.shape.Len() * u.from.C / u.Groups * u.Kernel * u.KernelWidth
	return forward, backwardMACs(forward, u.source)
}

func backwardMACs(forward int, source bool) int {
	if source {
		return forward
	}
	return 2 * forward
}

func (u *linear) String() string { return fmt.Sprintf("linear, %d to %d", u.from.Len(), u.Out) }

func (u *linear) macs() (forward, backward int) {
	forward = u.Out * u.from.Len()
	return forward, backwardMACs(forward, u.source)
}

func (u *affine) String() string {
	var parts []string
	if u.bias != nil {
		parts = append(parts, "bias")
	}
	if u.norm != nil {
		parts = append(parts, "batch norm")
	}
	if u.activation != nil {
		parts = append(parts, string(u.activation.Kind))
	}
	if u.res != nil {
		parts = append(parts, "sum")
	}
	s := u.x.shape
	return fmt.Sprintf("%s, %d at %dx%d", strings.Join(parts, " + "), s.C, s.H, s.W)
}

func (u *affine) macs() (forward, backward int) { return 0, 0 }
