//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/pipeline"
)

// What is predicted.
var (
	backbones   = []string{"mobilefacenet", "iresnet50"}
	classCounts = []int{10575, 1_000_000}
)

// images is how many of them a machine has in a step.
const images = 64

// machine is what steps take on one.
type machine struct {
	Nodes  map[string]node // of backbones, without a head
	Heads  map[int]float64 // seconds of heads, by classes
	Update float64         // seconds that the optimiser takes for a class
}

// node returns what a machine does that trains a backbone on so many classes.
func (m *machine) node(backbone string, classes int) node {
	n := m.Nodes[backbone]
	n.Head, n.Update = m.Heads[classes], m.Update*float64(classes)
	return n
}

// readMachine returns what was measured before, or measures it and writes it to the file.
func readMachine(ctx context.Context, name string) (*machine, error) {
	text, err := os.ReadFile(name)
	if err == nil {
		m := new(machine)
		if err := json.Unmarshal(text, m); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return m, m.check(name)
	}
	if name != "" && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	m, err := measure(ctx)
	if err != nil || name == "" {
		return m, err
	}
	if text, err = json.MarshalIndent(m, "", "\t"); err != nil {
		return nil, err
	}
	return m, os.WriteFile(name, append(text, '\n'), 0o666)
}

// check returns an error where a file lacks something.
func (m *machine) check(name string) error {
	for _, b := range backbones {
		if n := m.Nodes[b]; n.Images <= 0 || n.Norms <= 0 || !(n.Forward > 0 && n.Backward > 0) {
			return fmt.Errorf("%s: no times of %s; measure them anew in another file", name, b)
		}
	}
	for _, c := range classCounts {
		if !(m.Heads[c] > 0) {
			return fmt.Errorf("%s: no time of a head of %d classes; measure it anew in another file", name, c)
		}
	}
	return nil
}

// measure times steps with all processors of this machine.
func measure(ctx context.Context) (*machine, error) {
	m := &machine{Nodes: map[string]node{}, Heads: map[int]float64{}}
	for _, b := range backbones {
		n, err := measureBackbone(ctx, b, 0)
		if err != nil {
			return nil, err
		}
		m.Nodes[b] = n
	}
	for _, c := range classCounts {
		seconds, err := bench(ctx, "mobilefacenet", 0, pipeline.BenchOptions{Classes: c, HeadOnly: true})
		if err != nil {
			return nil, err
		}
		m.Heads[c] = seconds.StepMS / 1000
		fmt.Fprintf(os.Stderr, "head of %d classes: %.3f s\n", c, m.Heads[c])
	}
	// What a step with many classes takes beyond that with few, and beyond the head, is the optimiser's.
	const many = 1_000_000
	whole, err := bench(ctx, "mobilefacenet", 0, pipeline.BenchOptions{Classes: many})
	if err != nil {
		return nil, err
	}
	n := m.Nodes["mobilefacenet"]
	m.Update = max(0, whole.StepMS/1000-n.Forward-n.Backward-n.Other-m.Heads[many]) / many
	fmt.Fprintf(os.Stderr, "step of %d classes: %.3f s, of which %.3f s are the optimiser's for their weights\n", many, whole.StepMS/1000, m.Update*many)
	return m, nil
}

// measureBackbone times steps of a backbone with next to no head.
func measureBackbone(ctx context.Context, backbone string, threads int) (node, error) {
	n := node{Images: images, Dim: 512}
	network, err := embed.Backbone(backbone, embed.BackboneOptions{Height: 112, Width: 112, Embedding: n.Dim})
	if err != nil {
		return n, err
	}
	for _, p := range network.Params() {
		n.Params += p.Len
	}
	for _, p := range network.Buffers() { // a mean and a variance for each norm
		n.Channels += p.Len / 2
	}
	n.Norms = len(network.Buffers()) / 2
	r, err := bench(ctx, backbone, threads, pipeline.BenchOptions{Classes: 2, Kernels: true})
	if err != nil {
		return n, err
	}
	for _, k := range r.Kernels {
		n.Forward += k.ForwardMS / 1000
		n.Backward += k.BackwardMS / 1000
	}
	n.Other = max(0, r.StepMS/1000-n.Forward-n.Backward)
	fmt.Fprintf(os.Stderr, "%s: %.2f M parameters, %d norms of %d channels in all; %d images forward %.3f s, backward %.3f s, all else %.3f s, on %s kernels and %d threads\n",
		backbone, float64(n.Params)/1e6, n.Norms, n.Channels, images, n.Forward, n.Backward, n.Other, r.Variant, r.Threads)
	return n, nil
}

func bench(ctx context.Context, backbone string, threads int, o pipeline.BenchOptions) (*pipeline.BenchResult, error) {
	c := pipeline.Default()
	c.Backbone, c.Batch, c.Threads = backbone, images, threads
	o.Steps = 5
	return pipeline.Bench(ctx, c, o)
}
