//go:build linux

package main

import (
	"context"
	"fmt"
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

// machine is what steps take on this one.
type machine struct {
	nodes  map[string]node // of backbones, without a head
	heads  map[int]float64 // seconds of heads, by classes
	update float64         // seconds that the optimiser takes for a class
}

// node returns what a machine does that trains a backbone on so many classes.
func (m *machine) node(backbone string, classes int) node {
	n := m.nodes[backbone]
	n.head, n.update = m.heads[classes], m.update*float64(classes)
	return n
}

// measure times steps with all processors of this machine.
func measure(ctx context.Context) (*machine, error) {
	m := &machine{nodes: map[string]node{}, heads: map[int]float64{}}
	for _, b := range backbones {
		n, err := measureBackbone(ctx, b, 0)
		if err != nil {
			return nil, err
		}
		m.nodes[b] = n
	}
	for _, c := range classCounts {
		seconds, err := bench(ctx, "mobilefacenet", 0, pipeline.BenchOptions{Classes: c, HeadOnly: true})
		if err != nil {
			return nil, err
		}
		m.heads[c] = seconds.StepMS / 1000
		fmt.Fprintf(os.Stderr, "head of %d classes: %.3f s\n", c, m.heads[c])
	}
	// What a step with many classes takes beyond that with few, and beyond the head, is the optimiser's.
	const many = 1_000_000
	whole, err := bench(ctx, "mobilefacenet", 0, pipeline.BenchOptions{Classes: many})
	if err != nil {
		return nil, err
	}
	n := m.nodes["mobilefacenet"]
	m.update = max(0, whole.StepMS/1000-n.forward-n.backward-n.other-m.heads[many]) / many
	fmt.Fprintf(os.Stderr, "step of %d classes: %.3f s, of which %.3f s are the optimiser's for their weights\n", many, whole.StepMS/1000, m.update*many)
	return m, nil
}

// measureBackbone times steps of a backbone with next to no head.
func measureBackbone(ctx context.Context, backbone string, threads int) (node, error) {
	n := node{images: images, dim: 512}
	network, err := embed.Backbone(backbone, embed.BackboneOptions{Height: 112, Width: 112, Embedding: n.dim})
	if err != nil {
		return n, err
	}
	for _, p := range network.Params() {
		n.params += p.Len
	}
	for _, p := range network.Buffers() { // a mean and a variance for each norm
		n.channels += p.Len / 2
	}
	n.norms = len(network.Buffers()) / 2
	r, err := bench(ctx, backbone, threads, pipeline.BenchOptions{Classes: 2, Kernels: true})
	if err != nil {
		return n, err
	}
	for _, k := range r.Kernels {
		n.forward += k.ForwardMS / 1000
		n.backward += k.BackwardMS / 1000
	}
	n.other = max(0, r.StepMS/1000-n.forward-n.backward)
	fmt.Fprintf(os.Stderr, "%s: %.2f M parameters, %d norms of %d channels in all; %d images forward %.3f s, backward %.3f s, all else %.3f s, on %s kernels and %d threads\n",
		backbone, float64(n.params)/1e6, n.norms, n.channels, images, n.forward, n.backward, n.other, r.Variant, r.Threads)
	return n, nil
}

func bench(ctx context.Context, backbone string, threads int, o pipeline.BenchOptions) (*pipeline.BenchResult, error) {
	c := pipeline.Default()
	c.Backbone, c.Batch, c.Threads = backbone, images, threads
	o.Steps = 5
	return pipeline.Bench(ctx, c, o)
}
