// Package plain holds the losses that need no class weights: of numbers against numbers, of
// probabilities, and of logits against classes. Each is a small value whose functions give the loss and its
// derivative in float64; Node and ClassNode make Gorgonia nodes of them.
package plain

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"

	"github.com/faceverify/fv/internal/ops"
	"github.com/faceverify/fv/losses/spec"
)

// Elementwise is a loss of single predictions: that of a batch is the mean over all of them.
type Elementwise interface {
	// Name returns the name under which the loss is described.
	Name() string
	// Validate returns an error that names the setting that is out of range.
	Validate() error
	// At returns the loss of the prediction x of the target t, and its derivative with respect to x.
	At(x, t float64) (value, dx float64)
}

// Classwise is a loss of logits over classes.
type Classwise interface {
	// Name returns the name under which the loss is described.
	Name() string
	// Validate returns an error that names the setting that is out of range.
	Validate() error
	// Batch returns the loss of the logits z [N,C] of samples with the given classes [N], and
	// overwrites dz [N,C] with its gradient. A label outside [0,C) is an error.
	Batch(dz, z []float64, labels []int) (float64, error)
}

// described holds what is known of the losses; each is added by the file that holds it.
var described = spec.List{}

// Specs returns the descriptions of all plain losses, sorted by name.
func Specs() []spec.Loss { return described.Sorted() }

// Mean returns the mean of the loss over predictions x and targets t, and overwrites dx with
// its gradient. The slices have equal lengths; a mean over nothing is 0.
func Mean(l Elementwise, dx, x, t []float64) float64 {
	if len(dx) != len(x) || len(t) != len(x) {
		panic(fmt.Sprintf("plain: %d gradients, %d predictions and %d targets", len(dx), len(x), len(t)))
	}
	var sum float64
	n := float64(max(len(x), 1))
	for i, v := range x {
		value, d := l.At(v, t[i])
		sum += value
		dx[i] = d / n
	}
	return sum / n
}

// Node returns the node of the mean loss of predictions x, a float32 tensor, against targets t of the
// same shape: a float32 scalar. The targets are not differentiated.
func Node(l Elementwise, x, t *gorgonia.Node) (*gorgonia.Node, error) {
	if err := l.Validate(); err != nil {
		return nil, err
	}
	return ops.Scalar(l.Name(), func(dx, x, target []float64, labels []int) (float64, error) {
		if target == nil {
			return 0, fmt.Errorf("plain: %s wants targets of the shape of the predictions, not classes", l.Name())
		}
		return Mean(l, dx, x, target), nil
	}, x, t)
}

// ClassNode returns the node of the loss of logits [N,C] float32 of samples with the given classes, labels
// [N] int: a float32 scalar.
func ClassNode(l Classwise, logits, labels *gorgonia.Node) (*gorgonia.Node, error) {
	if err := l.Validate(); err != nil {
		return nil, err
	}
	if logits == nil || logits.Dims() != 2 {
		return nil, fmt.Errorf("plain: %s wants logits [N,C]", l.Name())
	}
	return ops.Scalar(l.Name(), func(dz, z, _ []float64, labels []int) (float64, error) {
		return l.Batch(dz, z, labels)
	}, logits, labels)
}

// atLeast returns an error unless v is a number of at least lo.
func atLeast(loss, name string, v, lo float64) error {
	if !(v >= lo) || math.IsInf(v, 0) {
		return fmt.Errorf("plain: %s: %s is %v, want a number of at least %v", loss, name, v, lo)
	}
	return nil
}
