package main

import (
	"fmt"

	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/pipeline"
)

type benchCmd struct {
	Backbone  string        `default:"mobilefacenet" placeholder:"NAME" help:"Network. Default: ${default}."`
	Embedding int           `default:"512" help:"Numbers in an embedding. Default: ${default}."`
	Size      pipeline.Size `default:"112x112" placeholder:"HxW" help:"Height and width of the input, multiples of 16. Default: ${default}."`
	Head      string        `default:"amsoftmax" placeholder:"NAME" help:"Head. Default: ${default}."`
	Classes   int           `default:"10575" help:"Identities. Default: ${default}."`
	Batch     int           `default:"64" help:"Images in a step. Default: ${default}."`
	Steps     int           `default:"6" help:"Steps to time, after two that are not. Default: ${default}."`
	Threads   int           `default:"0" help:"Threads; 0 means one for each processor. Default: ${default}."`
	Seed      uint64        `default:"1" help:"Seed of weights and images. Default: ${default}."`
}

func (c *benchCmd) Run(e *env) error {
	config := pipeline.Default()
	config.Backbone, config.Embedding, config.Size = c.Backbone, c.Embedding, c.Size
	config.Head, config.Batch, config.Threads, config.Seed = c.Head, c.Batch, c.Threads, c.Seed
	r, err := pipeline.Bench(e.ctx, config, c.Classes, c.Steps)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.text(), "%s, %s over %d classes, batch %d, %d threads, %s kernels: %.1f images/s (median of %d steps, %.0f ms each; best %.1f), %s of activations\n",
		r.Backbone, r.Head, r.Classes, r.Batch, r.Threads, r.Kernels, r.ImgS, r.Steps, r.StepMS, r.Best, bytesText(r.Bytes))
	if e.json {
		return cli.WriteJSON(e.stdout, r)
	}
	return nil
}
