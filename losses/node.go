package losses

import (
	"gorgonia.org/gorgonia"

	"github.com/faceverify/fv/internal/ops"
	"github.com/faceverify/fv/internal/random"
)

// Nodes are the inputs of a head's node; Options of the node are in NodeOptions.
//
//	Embedding [N,D] float32
//	Weight    [C,D] float32, a row for each class, or [C,K,D] with K sub-centers
//	Bias      [C] or [1] float32 for a head whose Geometry has a bias, or else nil
//	Labels    [N] int, from 0 to C-1
type Nodes = ops.HeadNodes

// NodeOptions are settings of a node beside the head's: a filter between classes, which of them are here and which on other processes, the worker
// pool, and the memory that gradients are written to.
type NodeOptions = ops.HeadOptions

// Loss returns the node of the mean over the batch of
//
//	-log( e^z_iy / sum over j of e^z_ij )
//
// a float32 scalar, where z are the head's logits, or of the head's binary losses: see
// Geometry. What a Penalised head adds is part of it. It goes over the classes in
// blocks, forward and backward. It stores no logits, and of the products that these are made of at most a quarter as many floats as
// there are weights.
//
// Build the tape machine without gorgonia.BindDualValues: after RunAll, the nodes that
// gorgonia.Grad returned then hold the gradients, in NodeOptions.DWeight and DBias
// if these were given.
func Loss(h Head, in Nodes, o NodeOptions) (*gorgonia.Node, error) {
	if err := h.Validate(); err != nil {
		return nil, err
	}
	return ops.Loss(h, in, o)
}

// Logits returns the node of the head's logits [N,C], margin included, for losses
// of one's own. LossScale, Binary and what a Penalised head adds are left to them. It is an error if NodeOptions say that other processes have some of the
// classes.
func Logits(h Head, in Nodes, o NodeOptions) (*gorgonia.Node, error) {
	if err := h.Validate(); err != nil {
		return nil, err
	}
	return ops.Logits(h, in, o)
}

// weightDeviation is the standard deviation of class weights at the start. Their length
// matters to heads that normalise them only through the learning rate.
const weightDeviation = 0.01

// Biased is a head whose bias does not start at 0.
type Biased interface {
	Head
	StartBias(classes int) float64
}

// Init fills a parameter of a head over so many classes: weights with draws from N(0, 0.01²)
// that depend on the seed only, a bias with 0 or what a Biased head says.
func Init(h Head, classes int, p ParamShape, data []float32, seed uint64) {
	InitPart(h, classes, p, data, 0, seed)
}

// InitPart fills a part of a parameter as Init fills the whole: data are its numbers from the first on.
func InitPart(h Head, classes int, p ParamShape, data []float32, first int, seed uint64) {
	if p.Name == "weight" {
		r := random.New(seed, random.Init, 0, -1)
		for range first {
			r.NormFloat64() // takes any number of draws
		}
		for i := range data {
			data[i] = float32(weightDeviation * r.NormFloat64())
		}
		return
	}
	var start float64
	if b, ok := h.(Biased); ok {
		start = b.StartBias(classes)
	}
	for i := range data {
		data[i] = float32(start)
	}
}

// ParamShapes returns the parameters of a head over classes of embeddings of dim numbers,
// in the order in which they are kept: "weight" [C,D], or [C,K,D] with K sub-centers; and, with a bias, "bias" [C] or [1].
func ParamShapes(h Head, classes, dim int) []ParamShape {
	g := h.Geometry()
	ps := []ParamShape{{"weight", g.WeightShape(classes, dim)}}
	if n := g.BiasLen(classes); n > 0 {
		ps = append(ps, ParamShape{"bias", []int{n}})
	}
	return ps
}

// ParamShape is the name and the shape of a parameter.
type ParamShape struct {
	Name  string
	Shape []int
}

// Len returns the number of floats of the parameter.
func (p ParamShape) Len() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}
