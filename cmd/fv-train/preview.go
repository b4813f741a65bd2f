package main

import (
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/pipeline/augment"
	"github.com/faceverify/fv/pipeline/dataset"
	"github.com/faceverify/fv/pipeline/loader"
)

type previewCmd struct {
	settings
	PNG     string `name:"png" default:"preview.png" placeholder:"FILE" help:"Contact sheet to write. Default: ${default}."`
	Rows    int    `default:"8" help:"Images, spread over the folder: a row each. Default: ${default}."`
	Columns int    `default:"9" help:"Pictures in a row: the image as it is, then as the network sees it in one epoch after another. Default: ${default}."`
}

// mostTiles is how many pictures a sheet has at most.
const mostTiles = 10_000

// previewJSON is what --json prints.
type previewJSON struct {
	PNG        string   `json:"png"`
	Images     []string `json:"images"` // of the rows, below the folder
	Columns    int      `json:"columns"`
	Identities int      `json:"identities"` // in the folder
	Found      int      `json:"found"`      // images in the folder
	Unreadable int      `json:"unreadable"` // of the rows, replaced by the next that can be read
}

func (c *previewCmd) Run(e *env) error {
	config, err := c.config(e)
	if err != nil {
		return err
	}
	if err := config.Resolve(); err != nil {
		return err
	}
	if c.Rows < 1 || c.Columns < 2 || c.Rows*c.Columns > mostTiles {
		return cli.Usagef("--rows %d, --columns %d: want at least 1 row and 2 columns, and at most %d pictures", c.Rows, c.Columns, mostTiles)
	}
	if !strings.EqualFold(filepath.Ext(c.PNG), ".png") {
		return cli.Usagef("--png %q: want a name that ends in .png", c.PNG)
	}
	changes := augment.Settings{ // Resolve has filled in the preset's
		Flip: *config.Flip, Shift: *config.Shift, ShiftBy: *config.ShiftBy, RandomCrop: *config.RandomCrop,
		Downscale: *config.Downscale, Jitter: *config.Jitter, Grey: *config.Grey, Rotate: *config.Rotate,
	}
	set, err := dataset.Open(config.Data, dataset.Options{Images: config.Images, People: config.People, MinImages: config.MinImages, MaxImages: config.MaxImages})
	if err != nil {
		return err
	}
	warnings := set.Warnings
	if w := set.LookAligned(config.Size.Height, config.Size.Width); w != "" {
		warnings = append(warnings, w)
	}
	for _, w := range warnings {
		fmt.Fprintln(e.stderr, "warning: "+w)
	}
	out := previewJSON{PNG: c.PNG, Columns: c.Columns, Identities: len(set.Identities), Found: len(set.Samples)}
	rows := spread(set, c.Rows)
	for _, s := range rows.Samples {
		out.Images = append(out.Images, s.Path)
	}
	contract := embed.DefaultContract(config.Size.Height, config.Size.Width)
	contract.Fit = config.Fit
	bad := func(path string, err error) {
		out.Unreadable++
		fmt.Fprintf(e.stderr, "warning: cannot read %s: %v\n", path, err)
	}
	tiles := make([]*image.NRGBA, len(rows.Samples)*c.Columns)
	for from, settings := range []augment.Settings{{}, changes} {
		o := loader.Options{Set: rows, Contract: contract, Augment: settings, Batch: len(rows.Samples), Seed: config.Seed, OnBad: bad}
		columns := [][2]int{{0, 1}, {1, c.Columns}}[from]
		if err := fill(e, tiles, o, c.Columns, columns[0], columns[1]); err != nil {
			return err
		}
		bad = nil // has been told
	}
	sheet := augment.Sheet(tiles, c.Columns)
	if err := atomicfile.Write(c.PNG, func(w io.Writer) error { return png.Encode(w, sheet) }); err != nil {
		var path *fs.PathError
		var link *os.LinkError
		switch { // of the temporary file
		case errors.As(err, &path):
			err = path.Err
		case errors.As(err, &link):
			err = link.Err
		}
		return cli.Usage(fmt.Errorf("--png: %s: %w", c.PNG, err))
	}
	fmt.Fprintf(e.text(), "%s: %d of %d images, each as it is and in %d epochs\n", c.PNG, len(rows.Samples), len(set.Samples), c.Columns-1)
	if e.json {
		return cli.WriteJSON(e.stdout, out)
	}
	return nil
}

// spread returns n images of the set, or all if it has fewer, as far apart as can be.
func spread(set *dataset.Set, n int) *dataset.Set {
	n = min(n, len(set.Samples))
	rows := new(*set)
	rows.Samples = nil
	for i := range n {
		rows.Samples = append(rows.Samples, set.Samples[i*len(set.Samples)/n])
	}
	return rows
}

// fill makes the tiles of the columns from to to, one epoch a column: it is the loader of the
// training that makes them.
func fill(e *env, tiles []*image.NRGBA, o loader.Options, columns, from, to int) error {
	row := map[string]int{}
	for i, s := range o.Set.Samples {
		row[filepath.ToSlash(s.Path)] = i
	}
	l, err := loader.New(o)
	if err != nil {
		return err
	}
	defer l.Close()
	l.Start(from)
	for column := from; column < to; column++ {
		b, err := l.Next(e.ctx)
		if err != nil {
			return err
		}
		size := o.Contract.Len()
		for i, path := range b.Paths {
			tiles[row[path]*columns+column] = picture(b.Images[i*size:][:size], o.Contract)
		}
		b.Release()
	}
	for i := range tiles { // rows whose image was replaced by another
		if column := i % columns; column >= from && column < to && tiles[i] == nil {
			tiles[i] = image.NewNRGBA(image.Rect(0, 0, o.Contract.Width, o.Contract.Height))
		}
	}
	return nil
}

// picture is Contract.Pixels undone.
func picture(pixels []float32, c embed.Contract) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, c.Width, c.Height))
	for i := range c.Width * c.Height {
		for k := range 3 {
			v := float64(pixels[3*i+k]*c.Std[k] + c.Mean[k])
			img.Pix[4*i+k] = uint8(min(max(math.Round(v), 0), 255))
		}
		img.Pix[4*i+3] = 255
	}
	return img
}
