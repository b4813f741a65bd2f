package main

import (
	"fmt"

	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/pipeline/dataset"
)

type unpackCmd struct {
	Pack string `arg:"" help:"InsightFace pack (.rec), or an idx file of images (MNIST)."`
	Out  string `arg:"" help:"Folder to write; it must not be there."`
}

// unpackJSON is what --json prints.
type unpackJSON struct {
	Out        string `json:"out"`
	Identities int    `json:"identities"`
	Images     int    `json:"images"`     // written
	Unreadable int    `json:"unreadable"` // left out
}

func (c *unpackCmd) Run(e *env) error {
	if err := cli.Exists("PACK", c.Pack, "an InsightFace pack (.rec), or an idx file of images"); err != nil {
		return err
	}
	set, err := dataset.Open(c.Pack, dataset.Options{})
	if err != nil {
		return err
	}
	out := unpackJSON{Out: c.Out, Identities: len(set.Identities)}
	out.Images, err = set.Unpack(e.ctx, c.Out, func(path string, err error) {
		out.Unreadable++
		fmt.Fprintf(e.stderr, "warning: %s is left out: %v\n", path, err)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(e.text(), "%s: %d images of %d identities; %d left out\n", c.Out, out.Images, out.Identities, out.Unreadable)
	if e.json {
		return cli.WriteJSON(e.stdout, out)
	}
	return nil
}
