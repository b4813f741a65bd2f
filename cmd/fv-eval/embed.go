package main

import (
	"errors"
	"fmt"
	"image"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/matrix"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/pipeline/dataset"
)

type embedCmd struct {
	Model string `arg:"" name:"run" help:"Run folder, model file or ONNX file."`
	Dir   string `arg:"" name:"folder" help:"Folder of images, or of one folder of images for each identity."`

	Out     string `short:"o" required:"" placeholder:"FILE" help:"File to write: .npy (float32 [N,D], with the images' names in a .names.csv beside it), .parquet or .csv. Needed."`
	Raw     bool   `help:"Write vectors as the network gives them instead of normalised to unit length. Default: off."`
	Flip    string `default:"model" enum:"model,none,sum,concat" help:"How the mirror image takes part: none, sum, concat, or as the model says. Default: ${default}."`
	Batch   int    `default:"64" help:"Images embedded at once. Default: ${default}."`
	Threads int    `default:"0" help:"Threads; 0 means one for each processor. Default: ${default}."`

	imported `embed:"" group:"ONNX files"`
}

// embedded is what --json prints.
type embedded struct {
	Out       string `json:"out"`
	Images    int    `json:"images"`
	Dim       int    `json:"dim"`
	Skipped   int    `json:"skipped"` // images that could not be read
	Normalise bool   `json:"normalised"`
	Flip      string `json:"flip"`
}

// embedChunk is how many images' vectors are held at once.
const embedChunk = 1024

// shownSkips is how many unreadable images are named on stderr.
const shownSkips = 20

func (c *embedCmd) Run(e *env) error {
	if c.Batch < 1 {
		return cli.Usagef("--batch %d: want 1 or more", c.Batch)
	}
	names, err := imageNames(c.Dir)
	if err != nil {
		return err
	}
	m, err := c.open(c.Model, c.Threads, c.Batch)
	if err != nil {
		return err
	}
	defer m.Close()
	out := embedded{Out: c.Out, Dim: m.Dim(), Normalise: !c.Raw, Flip: m.flip(c.Flip)}
	if out.Flip == eval.FlipConcat {
		out.Dim *= 2
	}
	w, err := matrix.Create(c.Out, out.Dim)
	if err != nil {
		return formatUsage("--out ", err)
	}
	defer w.Abort()
	load := func(name string) (image.Image, error) {
		return dataset.DecodeFile(filepath.Join(c.Dir, filepath.FromSlash(name)), dataset.Limits{})
	}
	bar := newProgress(e.stderr, "embedding", "images")
	done := 0
	var v []float32
	for chunk := range slices.Chunk(names, embedChunk) {
		vectors, err := eval.EmbedImages(e.ctx, m, load, chunk, out.Flip != eval.FlipNone, eval.Options{
			Batch: c.Batch, Progress: func(n, _ int) { bar.set(done+n, len(names)) },
		})
		if err != nil {
			bar.done()
			return err
		}
		done += len(chunk)
		for _, name := range chunk {
			if err := vectors.Failed[name]; err != nil {
				if out.Skipped++; out.Skipped <= shownSkips {
					fmt.Fprintf(e.stderr, "skipped %v\n", err)
				}
				continue
			}
			v = vectors.At(v, name, out.Flip)
			norm := normalise(v, c.Raw)
			if err := w.Write(identityOf(name), name, v, norm); err != nil {
				return fmt.Errorf("%s: %w", c.Out, err)
			}
			out.Images++
		}
	}
	bar.done()
	if out.Skipped > shownSkips {
		fmt.Fprintf(e.stderr, "... and %d more\n", out.Skipped-shownSkips)
	}
	if out.Images == 0 {
		return fmt.Errorf("none of the %d images of %s can be read", len(names), c.Dir)
	}
	if err := w.Commit(); err != nil {
		return fmt.Errorf("%s: %w", c.Out, err)
	}
	fmt.Fprintf(e.text(), "%s: %d embeddings of %d values; %d images skipped\n", c.Out, out.Images, out.Dim, out.Skipped)
	if e.json {
		return cli.WriteJSON(e.stdout, out)
	}
	return nil
}

// formatUsage makes a file name with a wrong extension a mistake of the flag.
func formatUsage(flag string, err error) error {
	if format := (*matrix.FormatError)(nil); errors.As(err, &format) {
		return cli.Usage(fmt.Errorf("%s%w", flag, err))
	}
	return err
}

// normalise returns the length of v, and divides v by it unless raw.
func normalise(v []float32, raw bool) float64 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	norm := math.Sqrt(sum)
	if !raw {
		for i, x := range v {
			v[i] = float32(float64(x) / norm)
		}
	}
	return norm
}

// identityOf is the first folder of a slash-separated path, "" if there is none.
func identityOf(name string) string {
	identity, _, ok := strings.Cut(name, "/")
	if !ok {
		return ""
	}
	return identity
}

// imageNames returns the slash-separated paths of the images below dir, sorted. Links to
// folders are not followed.
func imageNames(dir string) ([]string, error) {
	if st, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !st.IsDir() {
		return nil, fmt.Errorf("%s is a file; a folder of images is wanted", dir)
	}
	var names []string
	// With a separator at the end a link to a folder is walked too.
	err := filepath.WalkDir(dir+string(filepath.Separator), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() || !slices.Contains(eval.ImageExtensions, strings.ToLower(filepath.Ext(path))) {
			return nil
		}
		name, err := filepath.Rel(dir, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, cli.WithHint(fmt.Errorf("%s: no images", dir), "images end in %s", strings.Join(eval.ImageExtensions, ", "))
	}
	slices.Sort(names)
	return names, nil
}
