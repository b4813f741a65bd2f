package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/matrix"
	"github.com/faceverify/fv/internal/cli"
)

type embedCmd struct {
	Model  string `arg:"" name:"run" help:"Run folder, model file or ONNX file."`
	Source string `arg:"" name:"source" help:"Images: a folder, of images or of one folder of images for each identity; a list (.txt: a path a line; .csv: columns name or path, and perhaps identity); an archive (.tar, .tar.gz, .tgz); or an InsightFace pack (.rec)."`

	Out     string `short:"o" required:"" placeholder:"FILE" help:"File to write: .npy (float32 [N,D], with the images' names in a .names.csv beside it), .parquet or .csv. Needed."`
	Images  string `placeholder:"DIR" help:"Folder that the paths of a list are below. Default: the list's own."`
	Raw     bool   `help:"Write vectors as the network gives them instead of normalised to unit length. Default: off."`
	Flip    string `default:"model" enum:"model,none,sum,concat" help:"How the mirror image takes part: none, sum, concat, or as the model says. Default: ${default}."`
	Restart bool   `help:"Begin anew where an earlier run was stopped, instead of going on. Default: off."`
	Force   bool   `help:"Compute again what is there whole, of the same images by the same model. Default: off."`
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
	Resumed   int    `json:"resumed"` // images that an earlier run had done
	Normalise bool   `json:"normalised"`
	Flip      string `json:"flip"`
}

// shownSkips is how many unreadable images are named on stderr.
const shownSkips = 20

func (c *embedCmd) Run(e *env) error {
	if c.Batch < 1 {
		return cli.Usagef("--batch %d: want 1 or more", c.Batch)
	}
	if isModel(c.Source) && !isModel(c.Model) {
		return cli.WithHint(cli.Usagef("SOURCE: %s is a model, and %s is none", c.Source, c.Model), "they look swapped: fv-eval embed %s %s", c.Source, c.Model)
	}
	source, err := openSource(c.Source, c.Images)
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
	// What is wrong with the name is said before the work.
	if err := matrix.CheckName(c.Out); err != nil {
		return formatUsage("--out ", err)
	}
	sum, err := modelSum(c.Model, m.Contract())
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%s by model %x, flip %s, normalised %v", c.Source, sum[:6], out.Flip, out.Normalise)
	inputs := stamp(source.files)
	if done := whole(c.Out, what, inputs); done != nil && !c.Force && !c.Restart {
		done.Resumed = done.Images + done.Skipped
		fmt.Fprintf(e.text(), "%s is whole already: %d embeddings of %d values, %d images skipped, of the same images by the same model; --force computes them again\n", c.Out, done.Images, done.Dim, done.Skipped)
		if e.json {
			return cli.WriteJSON(e.stdout, done)
		}
		return nil
	}
	parts, err := c.parts(what)
	if err != nil {
		return err
	}
	out.Resumed = len(parts.Names)
	if out.Resumed > 0 {
		fmt.Fprintf(e.stderr, "going on after %d images of %s\n", out.Resumed, parts.Dir)
	}
	if err := c.embed(e, m, source, parts, out.Flip); err != nil {
		if errors.Is(err, context.Canceled) {
			fmt.Fprintf(e.stderr, "%d images are done; the same command goes on from there\n", len(parts.Names))
		}
		if len(parts.Names) == 0 {
			return errors.Join(err, parts.Remove())
		}
		return err
	}
	if err := c.join(e, parts, &out); err != nil {
		return err
	}
	if err := record(out, what, inputs); err != nil {
		return err
	}
	fmt.Fprintf(e.text(), "%s: %d embeddings of %d values; %d images skipped\n", c.Out, out.Images, out.Dim, out.Skipped)
	if e.json {
		return cli.WriteJSON(e.stdout, out)
	}
	return nil
}

// isModel is whether a path looks like that of a model: by its extension, or as a run folder.
func isModel(path string) bool {
	if embed.IsONNX(path) || strings.EqualFold(filepath.Ext(path), filepath.Ext(embed.ModelFile)) {
		return true
	}
	_, err := os.Stat(filepath.Join(path, embed.ModelFile))
	return err == nil
}

// parts opens what an earlier run left, if it embedded the same images in the same way.
func (c *embedCmd) parts(what string) (*matrix.Parts, error) {
	parts, err := matrix.OpenParts(c.Out, what)
	if other := (*matrix.OtherPartsError)(nil); errors.As(err, &other) && c.Restart {
		parts, err = &matrix.Parts{Dir: other.Dir}, nil
	} else if other != nil {
		return nil, cli.WithHint(err, "--restart removes them and begins anew")
	}
	if err != nil || !c.Restart {
		return parts, err
	}
	if err := parts.Remove(); err != nil {
		return nil, err
	}
	return matrix.OpenParts(c.Out, what)
}

// modelSum tells models apart by what their file holds, and by how images become their input, which flags may say.
func modelSum(path string, contract embed.Contract) ([]byte, error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		path = filepath.Join(path, embed.ModelFile)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	fmt.Fprintf(h, "%+v", contract)
	return h.Sum(nil), err
}

// embed writes parts of the images that are not done: one for each chunk, one whenever the last is old, and one
// of what is done when it is stopped.
func (c *embedCmd) embed(e *env, m eval.Embedder, source *imageSource, parts *matrix.Parts, flip string) error {
	bar := newProgress(e.stderr, "embedding", "images")
	defer bar.done()
	bar.from(len(parts.Names))
	saved := time.Now()
	return source.chunks(e.ctx, parts.Names, func(chunk []sourceImage) error {
		names, of := make([]string, len(chunk)), make(map[string]sourceImage, len(chunk))
		for i, x := range chunk {
			names[i], of[x.name] = x.name, x
		}
		done := len(parts.Names)
		var rows []matrix.PartRow
		save := func() error {
			if len(rows) == 0 {
				return nil
			}
			err := parts.Add(rows)
			rows, saved = nil, time.Now()
			return err
		}
		at := 0 // in the chunk
		for v, err := range eval.EmbedBatches(e.ctx, m, func(name string) (image.Image, error) { return of[name].load() }, names, flip != eval.FlipNone, eval.Options{
			Batch: c.Batch, Progress: func(n, _ int) { bar.set(done+n, source.total) },
		}) {
			if err != nil {
				return errors.Join(err, save())
			}
			n := v.Len() + len(v.Failed)
			rows = append(rows, partRows(v, chunk[at:][:n], flip, c.Raw)...)
			if at += n; time.Since(saved) >= source.age {
				if err := save(); err != nil {
					return err
				}
			}
		}
		return save()
	})
}

// partRows returns what became of images: the vectors of v, or why there is none.
func partRows(v *eval.Vectors, of []sourceImage, flip string, raw bool) []matrix.PartRow {
	rows := make([]matrix.PartRow, len(of))
	for i, x := range of {
		rows[i] = matrix.PartRow{Name: x.name, Identity: x.identity}
		if err := v.Failed[x.name]; err != nil {
			rows[i].Problem = err.Error()
			continue
		}
		rows[i].Vector = v.At(nil, x.name, flip)
		rows[i].Norm = normalise(rows[i].Vector, raw)
	}
	return rows
}

// join writes the parts to the file that was asked for, and removes them.
func (c *embedCmd) join(e *env, parts *matrix.Parts, out *embedded) error {
	w, err := matrix.Create(c.Out, out.Dim)
	if err != nil {
		return err
	}
	defer w.Abort()
	nobody := 0
	for row, err := range parts.Rows() {
		if err != nil {
			return err
		}
		if row.Problem != "" {
			if out.Skipped++; out.Skipped <= shownSkips {
				fmt.Fprintf(e.stderr, "skipped %s\n", row.Problem)
			}
			continue
		}
		if err := w.Write(row.Identity, row.Name, row.Vector, row.Norm); err != nil {
			return fmt.Errorf("%s: %w", c.Out, err)
		}
		out.Images++
		if row.Identity == "" {
			nobody++
		}
	}
	if out.Skipped > shownSkips {
		fmt.Fprintf(e.stderr, "... and %d more\n", out.Skipped-shownSkips)
	}
	if out.Images == 0 {
		return errors.Join(fmt.Errorf("none of the %d images of %s can be read", out.Skipped, c.Source), parts.Remove())
	}
	if nobody > 0 {
		fmt.Fprintf(e.stderr, "warning: %d of %d images lie in no folder of a person: their identity is empty, and allpairs, identify and blufr cannot use them\n", nobody, out.Images)
	}
	if err := w.Commit(); err != nil {
		return fmt.Errorf("%s: %w", c.Out, err)
	}
	return parts.Remove()
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
