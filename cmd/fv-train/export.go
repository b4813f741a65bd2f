package main

import (
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/faceverify/fv/cmd/internal/modelflag"
	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/embed/onnx"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/pipeline"
	"github.com/faceverify/fv/pipeline/dataset"
)

type exportCmd struct {
	Model string `arg:"" name:"run" help:"Run folder, model file or ONNX file."`

	ONNX      string   `name:"onnx" required:"" placeholder:"FILE" help:"ONNX file to write. Needed."`
	Opset     int      `default:"17" help:"ONNX's opset, 11 to 21. Default: ${default}."`
	FoldBN    bool     `name:"fold-bn" help:"Make batch norms part of the convolutions and linear layers before them. Default: off."`
	Normalize bool     `help:"Divide the embedding by its length. Default: off."`
	FP16      bool     `name:"fp16" help:"Keep weights in half precision: half the size, computed in single precision. Default: off."`
	Images    string   `placeholder:"DIR" help:"Folder, one sub-folder for each identity, whose images both models are tried on before the file is written. Default: what the run was trained on."`
	Count     int      `default:"32" help:"Images to try. Default: ${default}."`
	Tolerance *float64 `placeholder:"D" help:"Most that a number of a unit-length embedding may differ by; a file that differs by more is not written. Default: 1e-5, or 1e-2 with --fp16."`

	modelflag.Imported `embed:"" group:"ONNX files"`
}

// exported is what --json prints.
type exported struct {
	ONNX      string `json:"onnx"`
	Opset     int    `json:"opset"`
	FoldedBN  bool   `json:"folded_bn"`
	Normalize bool   `json:"normalized"`
	FP16      bool   `json:"fp16"`
	*embed.Export
}

func (c *exportCmd) Run(e *env) error {
	if c.Count < 1 {
		return cli.Usagef("--count %d: want 1 or more", c.Count)
	}
	if c.Tolerance != nil && !(*c.Tolerance > 0 && *c.Tolerance <= 1) {
		return cli.Usagef("--tolerance %v: want a number above 0, up to 1", *c.Tolerance)
	}
	if c.Opset < onnx.MinExportOpset || c.Opset > onnx.MaxExportOpset {
		return cli.Usagef("--opset %d: want %d to %d", c.Opset, onnx.MinExportOpset, onnx.MaxExportOpset)
	}
	if c.Images != "" {
		if err := cli.Exists("--images", c.Images, "a folder with one sub-folder of images for each identity"); err != nil {
			return err
		}
	}
	if !embed.IsONNX(c.ONNX) {
		return cli.Usagef("--onnx %s: want a name that ends in .onnx", c.ONNX)
	}
	if err := cli.NewFile("--onnx", c.ONNX, "model.onnx"); err != nil {
		return err
	}
	m, err := c.Load(c.Model)
	if err != nil {
		return err
	}
	if same(c.Model, c.ONNX) {
		return cli.Usagef("--onnx %s is the model itself: name another file", c.ONNX)
	}
	overridden, err := c.Overridden(c.Model, m.Contract)
	if err != nil {
		return err
	}
	for _, what := range overridden {
		fmt.Fprintf(e.stderr, "warning: %s is written instead\n", what)
	}
	images, err := c.images(e)
	if err != nil {
		return err
	}
	o := embed.ONNXExport{Opset: c.Opset, FoldNorms: c.FoldBN, Normalize: c.Normalize, Half: c.FP16, Version: cli.Version()}
	if c.Tolerance != nil {
		o.Tolerance = *c.Tolerance
	}
	r, err := m.ExportONNX(e.ctx, c.ONNX, o, images)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.text(), "%s: %s, opset %d. On %d images its unit-length embeddings differ from the model's by at most %.2g (%.2g is allowed)\n",
		c.ONNX, bytesText(r.Bytes), c.Opset, r.Images, r.Difference, r.Tolerance)
	to := m.Contract
	fmt.Fprintf(e.text(), "It says that its input is %dx%d (height x width), %s, mean %s, std %s, %s\n", to.Height, to.Width, to.Color, modelflag.Numbers(to.Mean[:]), modelflag.Numbers(to.Std[:]), to.Fit)
	if e.json {
		return cli.WriteJSON(e.stdout, exported{c.ONNX, c.Opset, c.FoldBN, c.Normalize, c.FP16, r})
	}
	return nil
}

// same reports whether two paths are those of one file.
func same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// images returns images to try the export on.
func (c *exportCmd) images(e *env) ([]image.Image, error) {
	dir := c.Images
	if dir == "" {
		var err error
		if dir, err = trainedOn(c.Model); err != nil {
			return nil, err
		}
	}
	set, err := dataset.Open(dir, dataset.Options{})
	if err != nil {
		return nil, err
	}
	var images []image.Image
	for _, s := range spread(set, c.Count).Samples {
		img, err := dataset.DecodeFile(filepath.Join(dir, filepath.FromSlash(s.Path)), dataset.Limits{})
		if err != nil {
			fmt.Fprintf(e.stderr, "skipped %v\n", err)
			continue
		}
		images = append(images, img)
	}
	if len(images) == 0 {
		return nil, fmt.Errorf("none of the %d images of %s that were tried can be read", c.Count, dir)
	}
	return images, nil
}

// trainedOn returns the folder of images that a run was trained on.
func trainedOn(run string) (string, error) {
	const hint = "name a folder of faces with --images: the export is tried on them before it is written"
	file := filepath.Join(run, pipeline.ConfigFile)
	text, err := os.ReadFile(file)
	if err != nil {
		return "", cli.WithHint(cli.Usagef("--images is missing: %s is no run folder that says what it was trained on", run), hint)
	}
	config := pipeline.Default()
	if err := config.DecodeConfig(file, text); err != nil {
		return "", err
	}
	if _, err := os.Stat(config.Data); errors.Is(err, fs.ErrNotExist) {
		return "", cli.WithHint(cli.Usagef("--images is missing: %s, which the run was trained on, is no longer there", config.Data), hint)
	}
	return config.Data, nil
}
