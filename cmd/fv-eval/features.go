package main

import (
	"fmt"
	"image"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/features"
	"github.com/faceverify/fv/eval/matrix"
	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/pipeline/dataset"
)

type featuresCmd struct {
	Model string `arg:"" name:"run" help:"Run folder, model file or ONNX file with embeddings of 2 or 3 numbers."`
	Dir   string `arg:"" name:"folder" help:"Folder of one folder of images for each identity; or an idx file of images (MNIST)."`

	Out       string `short:"o" default:"features-out" placeholder:"DIR" help:"Folder for features.html, pictures and result.json. Default: ${default}."`
	People    string `placeholder:"FILE" help:"Only the identities that this file names: an LFW people file, or a name a line. Default: all."`
	MinImages int    `default:"1" help:"Leave out identities with fewer images. Default: ${default}."`
	MaxImages int    `default:"0" help:"Use at most this many images of an identity; 0 means all. Default: ${default}."`
	Batch     int    `default:"64" help:"Images embedded at once. Default: ${default}."`
	Threads   int    `default:"0" help:"Threads; 0 means one for each processor. Default: ${default}."`

	imported `embed:"" group:"ONNX files"`
}

// featuresFile is result.json, and what --json prints.
type featuresFile struct {
	Version string `json:"version"`
	Command string `json:"command"`
	Model   string `json:"model"`
	Folder  string `json:"folder"`
	Skipped int    `json:"skipped"` // images that could not be read
	*features.Result
}

func (c *featuresCmd) Run(e *env) error {
	if c.Batch < 1 || c.MinImages < 1 || c.MaxImages < 0 {
		return cli.Usagef("--batch %d, --min-images %d, --max-images %d: want at least 1, 1 and 0", c.Batch, c.MinImages, c.MaxImages)
	}
	if err := checkOut(c.Out); err != nil {
		return err
	}
	if err := cli.Exists("FOLDER", c.Dir, "a folder with one sub-folder of images for each identity"); err != nil {
		return err
	}
	set, err := dataset.Open(c.Dir, dataset.Options{People: c.People, MinImages: c.MinImages, MaxImages: c.MaxImages})
	if err != nil {
		return err
	}
	for _, w := range set.Warnings {
		fmt.Fprintln(e.stderr, "warning: "+w)
	}
	m, err := c.open(c.Model, c.Threads, c.Batch)
	if err != nil {
		return err
	}
	defer m.Close()
	if d := m.Dim(); d != 2 && d != 3 {
		return cli.WithHint(fmt.Errorf("%s: its embeddings have %d numbers; a picture of them wants 2, on a circle, or 3, on a sphere", c.Model, d),
			"train a network with --embedding 3 for it; fv-eval verify draws the angles of any")
	}
	embeddings, skipped, err := c.embed(e, m, set)
	if err != nil {
		return err
	}
	r, err := features.Measure(e.ctx, embeddings, c.Threads)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Dir, err)
	}
	doc := &featuresFile{Version: cli.Version(), Command: commandLine(e.args), Model: c.Model, Folder: c.Dir, Skipped: skipped, Result: r}
	doc.print(e.text())
	if err := c.write(e, doc, m); err != nil {
		return err
	}
	if e.json {
		return cli.WriteJSON(e.stdout, doc)
	}
	return nil
}

// embed returns the embeddings of a set's images, and how many could not be read.
func (c *featuresCmd) embed(e *env, m model, set *dataset.Set) (*matrix.Matrix, int, error) {
	files := make([]string, len(set.Samples))
	for i := range files {
		files[i] = set.File(i)
	}
	load := func(name string) (image.Image, error) { return set.Decode(name) }
	bar := newProgress(e.stderr, "embedding", "images")
	vectors, err := eval.EmbedImages(e.ctx, m, load, files, false, eval.Options{Batch: c.Batch, Progress: bar.set})
	bar.done()
	if err != nil {
		return nil, 0, err
	}
	out := &matrix.Matrix{Path: c.Dir, Dim: m.Dim()}
	skipped := 0
	for i, s := range set.Samples {
		if err := vectors.Failed[files[i]]; err != nil {
			if skipped++; skipped <= shownSkips {
				fmt.Fprintf(e.stderr, "skipped %v\n", err)
			}
			continue
		}
		out.Data = append(out.Data, vectors.At(nil, files[i], eval.FlipNone)...)
		out.Names, out.Identities = append(out.Names, s.Path), append(out.Identities, set.Identities[s.Identity])
	}
	return out, skipped, nil
}

func (d *featuresFile) print(w io.Writer) {
	fmt.Fprintf(w, "%d images of %d identities on the %s: %d positive and %d negative pairs\n", d.Images, len(d.Identities), d.Surface(), d.Positive, d.Negative)
	fmt.Fprintf(w, "  overlap of the angles %.2f %%   angular Fisher score %.4f\n", 100*d.Angles.Overlap, d.AngularFisher)
	fmt.Fprintf(w, "  mean angle of positive pairs %.2f° (most often %.1f°), of negative pairs %.2f°\n\n", d.PositiveDegrees, d.ModeDegrees, d.NegativeDegrees)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  identity\timages\tto its own mean\tnearest other mean\tto that")
	for _, x := range d.Identities {
		fmt.Fprintf(t, "  %s\t%d\t%.2f°\t%s\t%.2f°\n", x.Name, x.Images, x.OwnDegrees, x.Nearest, x.NearestDegrees)
	}
	t.Flush()
}

// write writes the page, the pictures and result.json.
func (c *featuresCmd) write(e *env, d *featuresFile, m model) error {
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	surface, angles := d.Picture("", true), eval.PlotAngles(d.Angles, "", math.NaN(), 0)
	o := features.PageOptions{
		Title:    "Features: " + filepath.Base(filepath.Clean(c.Model)),
		Subtitle: fmt.Sprintf("%d images of %d identities in %s", d.Images, len(d.Identities), c.Dir),
		Settings: append(page.Fields{{Name: "Model", Value: c.Model}, {Name: "Images", Value: c.Dir}}, m.fields()...),
		Command:  d.Command, Version: "fv-eval " + d.Version,
	}
	files := []struct {
		name  string
		write func(io.Writer) error
	}{
		{"features.html", func(w io.Writer) error { return features.Page(w, d.Result, o) }},
		{d.Surface() + ".png", surface.WritePNG},
		{d.Surface() + ".svg", surface.WriteSVG},
		{"angles.png", angles.WritePNG},
		{"angles.svg", angles.WriteSVG},
		{"result.json", func(w io.Writer) error { return cli.WriteJSON(w, d) }},
	}
	var names []string
	for _, f := range files {
		if err := atomicfile.Write(filepath.Join(c.Out, f.name), f.write); err != nil {
			return err
		}
		names = append(names, f.name)
	}
	fmt.Fprintf(e.text(), "\nwritten to %s: %s\n", c.Out, strings.Join(names, ", "))
	return nil
}
