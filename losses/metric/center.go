package metric

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"

	"github.com/faceverify/fv/internal/ops"
	"github.com/faceverify/fv/losses/spec"
)

func init() {
	described.Add(spec.Loss{
		Name: "center", Title: "center loss",
		Equation: "mean over i of ‖x_i - c_y‖²/2;  c_j moves by -α sum over its x_i of (c_j - x_i)/(1 + how many)",
		Paper:    "A Discriminative Feature Learning Approach, Wen et al. 2016, eq. 2 to 4 (ECCV 2016)",
		Notes:    "Added to a softmax, with a weight of 0.003 in the paper. Centres are no parameters: they move when a step is accepted. Embeddings are not normalised. The paper sums over the batch; this is a mean, as the authors' code has it.",
		Params:   []spec.Param{{Name: "alpha", Default: 0.5, Doc: "α, how fast centres follow"}},
	})
}

// Center pulls embeddings to a centre of their identity, the mean over the batch of
//
//	‖x_i - c_y_i‖²/2
//
// (Wen et al. 2016, eq. 2), to be added to a loss that separates identities. The centres follow by a rule of
// their own (eq. 4), when the step is accepted:
//
//	c_j ← c_j - α sum over i of class j of (c_j - x_i)/(1 + n_j)
//
// where n_j is how many there are. For each training step: Begin, any number of evaluations, and Commit if
// the step is accepted. Centres start at 0.
type Center struct {
	Alpha float64 // α from 0 to 1; 0.5 by default

	classes, dim int
	centers      []float32 // [C,D]; float32 as checkpoints keep them
	sum          map[int][]float64
	count        map[int]int
}

// NewCenter returns the loss of embeddings of dim numbers, with all centres at 0.
func NewCenter(classes, dim int, alpha float64) *Center {
	c := &Center{Alpha: alpha, classes: classes, dim: dim, centers: make([]float32, classes*dim)}
	c.Begin(0)
	return c
}

// Name returns "center".
func (*Center) Name() string { return "center" }

// Validate returns an error that names the setting that is out of range.
func (c *Center) Validate() error { return within("center", "alpha", c.Alpha, 0, 1) }

// Batch returns the loss of embeddings x [N,D] of classes [N], and overwrites dx [N,D] with its gradient. A
// label outside [0,C) is an error.
func (c *Center) Batch(dx, x []float64, labels []int) (float64, error) {
	if len(dx) != len(x) || len(x) != len(labels)*c.dim {
		panic(fmt.Sprintf("metric: %d gradients and %d numbers of %d embeddings of %d", len(dx), len(x), len(labels), c.dim))
	}
	n := float64(max(len(labels), 1))
	var loss float64
	for i, y := range labels {
		if y < 0 || y >= c.classes {
			return 0, fmt.Errorf("metric: label %d of sample %d is not one of %d classes", y, i, c.classes)
		}
		if c.sum[y] == nil {
			c.sum[y] = make([]float64, c.dim)
		}
		c.count[y]++
		for k, v := range x[i*c.dim:][:c.dim] {
			r := v - float64(c.centers[y*c.dim+k])
			loss += r * r / 2
			dx[i*c.dim+k] = r / n
			c.sum[y][k] -= r
		}
	}
	return loss / n, nil
}

// Node returns the node of the loss of embeddings [N,D] float32 of classes, labels [N] int: a float32 scalar.
func (c *Center) Node(embedding, labels *gorgonia.Node) (*gorgonia.Node, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if embedding == nil || embedding.Dims() != 2 || embedding.Shape()[1] != c.dim {
		return nil, fmt.Errorf("metric: center wants embeddings [N,%d]", c.dim)
	}
	return ops.Scalar(c.Name(), func(dx, x, _ []float64, labels []int) (float64, error) {
		return c.Batch(dx, x, labels)
	}, embedding, labels)
}

// Begin prepares for a step and drops what an earlier one did not commit.
func (c *Center) Begin(int) { c.sum, c.count = map[int][]float64{}, map[int]int{} }

// Commit moves the centres of the classes that the step saw (eq. 4).
func (c *Center) Commit() {
	for y, sum := range c.sum {
		for k, v := range sum {
			at := y*c.dim + k
			c.centers[at] = float32(float64(c.centers[at]) - c.Alpha*v/float64(1+c.count[y]))
		}
	}
	c.Begin(0)
}

// State returns a copy of the centres as "centers" [C*D].
func (c *Center) State() map[string][]float32 {
	return map[string][]float32{"centers": append([]float32(nil), c.centers...)}
}

// SetState restores what State returned. Another name or length, or what is no number, is an error.
func (c *Center) SetState(s map[string][]float32) error {
	v := s["centers"]
	if len(s) != 1 || len(v) != len(c.centers) {
		return fmt.Errorf("metric: center: the state holds %d numbers of centres, want %d", len(v), len(c.centers))
	}
	for _, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return fmt.Errorf("metric: center: the state has a centre at %v", x)
		}
	}
	copy(c.centers, v)
	c.Begin(0)
	return nil
}
