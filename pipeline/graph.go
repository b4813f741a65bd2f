package pipeline

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/faceverify/fv/internal/ops"
	"github.com/faceverify/fv/losses"
)

// graph is the training step as Gorgonia runs it:
//
//	images [N,H,W,3], θ -> embedding [N,D];  embedding, head's weights, labels [N] -> loss
//
// or without a head embedding, labels -> loss,
//
// with the gradient of the loss with respect to θ and the head's parameters, written to
// memory that is passed in.
type graph struct {
	machine           gorgonia.VM
	loss, embedding   *gorgonia.Node
	images, labels    *gorgonia.Node
	imageShape        tensor.Shape
	backboneParams    int
	headParams        []losses.ParamShape
	weights, gradient []float32
}

// graphSize is what the shapes of a graph follow from.
type graphSize struct {
	batch, height, width int
	images               int // of the batch that the backbone is given
	params               int // of the backbone
	classes              int
}

// newGraph builds the graph over weights and gradient: the backbone's parameters, then the
// head's. Of head and metric loss one may be nil. The backbone's gradient and the head's are ranges of the same arena.
func newGraph(b ops.Backbone, h losses.Head, m *metricLoss, s graphSize, weights, gradient []float32, o losses.NodeOptions) (*graph, error) {
	gr := &graph{
		imageShape:     tensor.Shape{s.images, s.height, s.width, 3},
		backboneParams: s.params,
		headParams:     headShapes(h, s.classes, b.Dim()),
		weights:        weights,
		gradient:       gradient,
	}
	g := gorgonia.NewGraph()
	gr.images = gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(gr.imageShape...), gorgonia.WithName("images"))
	gr.labels = gorgonia.NewTensor(g, tensor.Int, 1, gorgonia.WithShape(s.batch), gorgonia.WithName("labels"))

	at := 0
	// parameter is the node of the next of the arena's parameters, and the memory of its gradient.
	parameter := func(name string, shape ...int) (*gorgonia.Node, []float32) {
		n := tensor.Shape(shape).TotalSize()
		value := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(weights[at:at+n:at+n]))
		node := gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name), gorgonia.WithValue(value))
		d := gradient[at : at+n : at+n]
		at += n
		return node, d
	}
	theta, dTheta := parameter("theta", s.params)
	in := losses.Nodes{Labels: gr.labels}
	wrt := gorgonia.Nodes{theta}
	for i, p := range gr.headParams {
		node, d := parameter("head."+p.Name, p.Shape...)
		wrt = append(wrt, node)
		if i == 0 {
			in.Weight, o.DWeight = node, d
		} else {
			in.Bias, o.DBias = node, d
		}
	}
	if at != len(weights) {
		panic(fmt.Sprintf("pipeline: the arena has %d weights, backbone and head have %d", len(weights), at))
	}
	var err error
	if gr.embedding, err = ops.Embed(b, s.batch, gr.images, theta, dTheta); err != nil {
		return nil, err
	}
	in.Embedding = gr.embedding
	if gr.loss, err = totalLoss(h, m, in, o); err != nil {
		return nil, err
	}
	if _, err := gorgonia.Grad(gr.loss, wrt...); err != nil {
		return nil, fmt.Errorf("cannot differentiate the training step: %w", err)
	}
	gr.machine = gorgonia.NewTapeMachine(g)
	return gr, nil
}

// arenaLen returns the number of weights of a backbone with so many and its head.
func arenaLen(params int, h losses.Head, classes, dim int) int {
	n := params
	for _, p := range headShapes(h, classes, dim) {
		n += p.Len()
	}
	return n
}

// headShapes returns the parameters of a head, which may be nil.
func headShapes(h losses.Head, classes, dim int) []losses.ParamShape {
	if h == nil {
		return nil
	}
	return losses.ParamShapes(h, classes, dim)
}

// run computes the loss of a batch and overwrites the gradient.
func (gr *graph) run(images []float32, labels []int) (loss float64, err error) {
	values := []struct {
		node  *gorgonia.Node
		value *tensor.Dense
	}{
		{gr.images, tensor.New(tensor.WithShape(gr.imageShape...), tensor.WithBacking(images))},
		{gr.labels, tensor.New(tensor.WithShape(len(labels)), tensor.WithBacking(labels))},
	}
	for _, v := range values {
		if err := gorgonia.Let(v.node, v.value); err != nil {
			return 0, err
		}
	}
	if err := gr.machine.RunAll(); err != nil {
		return 0, err
	}
	gr.machine.Reset()
	return float64(gr.loss.Value().Data().(float32)), nil
}

// embeddings returns those of the last batch [N,D], until the next run.
func (gr *graph) embeddings() []float32 { return gr.embedding.Value().Data().([]float32) }

func (gr *graph) close() error { return gr.machine.Close() }
