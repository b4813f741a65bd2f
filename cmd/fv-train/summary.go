package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/internal/nn"
	"github.com/faceverify/fv/pipeline"
)

type summaryCmd struct {
	Backbone  string        `default:"mobilefacenet" placeholder:"NAME" help:"Network: sfnet4, 10, 20, 36 or 64, each also with -bn; mobilefacenet; iresnet18, 34, 50 or 100. Default: ${default}."`
	Model     string        `placeholder:"MODEL" help:"Model file, run folder or ONNX file whose network to show instead of a backbone. Default: none."`
	Embedding int           `default:"512" help:"Numbers in an embedding. Default: ${default}."`
	Size      pipeline.Size `default:"112x112" placeholder:"HxW" help:"Height and width of the input, multiples of 16. Default: ${default}."`
	Batch     int           `default:"64" help:"Images in a step, for the memory. Default: ${default}."`
	Classes   int           `default:"0" help:"Identities to train on, for the head's part of the memory. Default: ${default}."`
}

// summaryJSON is what --json prints.
type summaryJSON struct {
	nn.Summary
	Batch  int            `json:"batch"`
	Memory trainingMemory `json:"training_memory"`
}

// trainingMemory is what training a network takes, in bytes.
type trainingMemory struct {
	Activations int `json:"activations"` // and their gradients
	Parameters  int `json:"parameters"`  // of backbone and head: weights, gradients and momentum
	Total       int `json:"total"`
}

func (c *summaryCmd) Run(e *env) error {
	network, err := c.network()
	if err != nil {
		return err
	}
	if c.Embedding < 1 {
		return cli.Usagef("--embedding %d: want 1 or more", c.Embedding)
	}
	if c.Batch < 2 {
		return cli.Usagef("--batch %d: want 2 or more", c.Batch)
	}
	if c.Classes < 0 {
		return cli.Usagef("--classes %d: want 0 or more", c.Classes)
	}
	s := network.Summary()
	activations, cannot := nn.TrainingBytes(network, c.Batch, nn.FP32)
	const floats = 4 * 3 // weight, gradient and momentum
	m := trainingMemory{Activations: activations, Parameters: floats * (s.Params + c.Classes*s.Dim)}
	m.Total = m.Activations + m.Parameters

	t := tabwriter.NewWriter(e.text(), 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "layer\tkind\toutput (CxHxW)\tparameters\tMACs\n")
	for _, r := range s.Rows {
		fmt.Fprintf(t, "%s\t%s\t%v\t%d\t%d\n", r.Name, r.Kind, r.Output, r.Params, r.MACs)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(e.text(), "\n%s: input %v, embedding %d\n  parameters       %s (%d)\n  MACs an image    %s (%d)\n", s.Name, s.Input, s.Dim, count(s.Params), s.Params, count(s.MACs), s.MACs)
	if cannot != nil {
		fmt.Fprintf(e.text(), "  it cannot be trained here: %v\n", cannot)
		m = trainingMemory{}
	} else {
		fmt.Fprintf(e.text(), "  training memory  %s at batch %d: %s activations, %s weights, gradients and momentum\n",
			bytesText(m.Total), c.Batch, bytesText(m.Activations), bytesText(m.Parameters))
	}
	if e.json {
		return cli.WriteJSON(e.stdout, summaryJSON{s, c.Batch, m})
	}
	return nil
}

// network returns the network to show.
func (c *summaryCmd) network() (*nn.Network, error) {
	if c.Model == "" {
		return network(c.Backbone, c.Embedding, c.Size)
	}
	if err := cli.Exists("--model", c.Model, "a model file, a run folder or an ONNX file"); err != nil {
		return nil, err
	}
	if !embed.IsONNX(c.Model) {
		m, err := embed.Load(c.Model)
		if err != nil {
			return nil, err
		}
		return m.Network, nil
	}
	o := embed.ONNXOptions{Mean: []float32{0}, Std: []float32{1}} // how images become its input matters to nobody here
	m, err := embed.LoadONNX(c.Model, o)
	if errors.Is(err, embed.ErrAnySize) {
		o.Height, o.Width = c.Size.Height, c.Size.Width
		m, err = embed.LoadONNX(c.Model, o)
	}
	if err != nil {
		return nil, err
	}
	return m.Network, nil
}

// network returns a backbone's description; what is wrong with the flags is a usage error.
func network(name string, embedding int, size pipeline.Size) (*nn.Network, error) {
	n, err := embed.Backbone(name, embed.BackboneOptions{Embedding: embedding, Height: size.Height, Width: size.Width})
	if err != nil {
		return nil, cli.Usage(err)
	}
	return n, nil
}
