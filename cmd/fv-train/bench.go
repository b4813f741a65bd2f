package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/pipeline"
)

type benchCmd struct {
	Backbone  string        `default:"mobilefacenet" placeholder:"NAME" help:"Network. Default: ${default}."`
	Embedding int           `default:"512" help:"Numbers in an embedding. Default: ${default}."`
	Size      pipeline.Size `default:"112x112" placeholder:"HxW" help:"Height and width of the input, multiples of 16. Default: ${default}."`
	Model     string        `placeholder:"FILE" help:"Time the embeddings of this model file, run folder or ONNX file, in place of a backbone's. An ONNX file that takes any size gets that of --size. Default: none."`
	Inference bool          `help:"Time embeddings in place of training steps."`
	HeadOnly  bool          `help:"Time the head alone on random embeddings, from the loss to the gradients; with --sample-classes also the optimiser's step."`
	Data      string        `placeholder:"FOLDER" help:"Time how batches of this folder's images are made, in place of training steps: decoded, augmented and converted."`
	Augment   string        `default:"light" placeholder:"none|light|strong" help:"Random changes to those images. Default: ${default}."`
	Head      string        `default:"amsoftmax" placeholder:"NAME" help:"Head. Default: ${default}."`
	Classes   int           `default:"10575" help:"Identities. Default: ${default}."`
	Sample    float64       `name:"sample-classes" default:"1" placeholder:"SHARE" help:"Share of them that a step compares with (Partial FC). Default: ${default}."`
	Batch     int           `default:"64" help:"Images in a step. Default: ${default}."`
	Steps     int           `default:"6" help:"Steps to time, after two that are not. Default: ${default}."`
	Threads   int           `default:"0" help:"Threads; 0 means one for each processor. Default: ${default}."`
	Precision string        `default:"fp32" placeholder:"fp32|bf16" help:"What convolutions multiply. Default: ${default}."`
	Seed      uint64        `default:"1" help:"Seed of weights and images. Default: ${default}."`
	Kernels   bool          `help:"Show what each kind of layer takes, and its speed."`
}

func (c *benchCmd) Run(e *env) error {
	config := pipeline.Default()
	config.Backbone, config.Embedding, config.Size = c.Backbone, c.Embedding, c.Size
	config.Head, config.Batch, config.Threads, config.Seed, config.Precision, config.SampleClasses = c.Head, c.Batch, c.Threads, c.Seed, c.Precision, c.Sample
	config.Data, config.Augment = c.Data, c.Augment
	if c.Data != "" {
		return c.loading(e, config)
	}
	o := pipeline.BenchOptions{Classes: c.Classes, Steps: c.Steps, Inference: c.Inference, HeadOnly: c.HeadOnly, Kernels: c.Kernels}
	if c.Model != "" {
		var err error
		if o.Model, err = c.model(); err != nil {
			return cli.Usage(fmt.Errorf("--model: %w", err))
		}
		o.Inference = true
	}
	r, err := pipeline.Bench(e.ctx, config, o)
	if err != nil {
		return err
	}
	benchText(e.text(), r)
	if e.json {
		return cli.WriteJSON(e.stdout, r)
	}
	return nil
}

// model reads the model to time. How images become its input does not matter to noise, so any contract will do.
func (c *benchCmd) model() (*embed.Model, error) {
	if !embed.IsONNX(c.Model) {
		return embed.Load(c.Model)
	}
	return embed.LoadONNX(c.Model, embed.ONNXOptions{Height: c.Size.Height, Width: c.Size.Width, Mean: []float32{127.5}, Std: []float32{127.5}})
}

// loading times the making of batches.
func (c *benchCmd) loading(e *env, config pipeline.Config) error {
	r, err := pipeline.BenchLoading(e.ctx, config)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.text(), "%s: %d images in batches of %d, %s augmentation, threads %d\n", r.Folder, r.Images, r.Batch, r.Augment, r.Threads)
	fmt.Fprintf(e.text(), "%.0f images/s from files, %.0f images/s from memory\n", r.DecodedImgS, r.CachedImgS)
	if r.Unreadable > 0 {
		fmt.Fprintf(e.text(), "%d images cannot be read\n", r.Unreadable)
	}
	if e.json {
		return cli.WriteJSON(e.stdout, r)
	}
	return nil
}

func benchText(w io.Writer, r *pipeline.BenchResult) {
	what := fmt.Sprintf("training with %s over %d classes", r.Head, r.Classes)
	if r.Inference {
		what = "inference"
	}
	if r.Sample > 0 && r.Sample < 1 {
		what += fmt.Sprintf(", %g of them in a step", r.Sample)
	}
	name := r.Backbone
	if name == "" {
		name = "the head alone"
	}
	fmt.Fprintf(w, "%s, %s in %s, batch %d, threads %d, %s kernels\n", name, what, r.Precision, r.Batch, r.Threads, r.Variant)
	fmt.Fprintf(w, "%.1f images/s in the median of %d steps, %.3g ms each; best %.1f\n", r.ImgS, r.Steps, r.StepMS, r.BestImgS)
	if r.PeakGFLOPS > 0 {
		fmt.Fprintf(w, "%.0f of the %.0f GFLOP/s that multiply-adds on registers reach here: %.0f %%\n", r.GFLOPS, r.PeakGFLOPS, 100*r.ShareOfPeak)
	}
	if r.Bytes > 0 {
		fmt.Fprintf(w, "%s of activations\n", bytesText(r.Bytes))
	}
	if r.PeakRSSMB > 0 {
		fmt.Fprintf(w, "the process took up to %.0f MB\n", r.PeakRSSMB)
	}
	if len(r.Kernels) == 0 {
		return
	}
	speed := func(gflops float64) string {
		if gflops == 0 {
			return ""
		}
		return fmt.Sprintf("%.0f", gflops)
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "forward ms\tGFLOP/s\tbackward ms\tGFLOP/s\t\n")
	for _, k := range r.Kernels {
		fmt.Fprintf(t, "%.2f\t%s\t%.2f\t%s\t  %d x %s\n", k.ForwardMS, speed(k.ForwardGFLOPS), k.BackwardMS, speed(k.BackwardGFLOPS), k.Count, k.Unit)
	}
	t.Flush()
}
