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
	"github.com/faceverify/fv/internal/mpi/team"
)

type embedCmd struct {
	Model  string `arg:"" name:"run" help:"Run folder, model file or ONNX file."`
	Source string `arg:"" name:"source" help:"Images: a folder, of images or of one folder of images for each identity; a list (.txt: a path a line; .csv: columns name or path, and perhaps identity; .lst or .parquet as training takes them); an archive (.tar, .tar.gz, .tgz); an InsightFace pack (.rec); or an idx file of images."`

	Out     string `short:"o" required:"" placeholder:"FILE" help:"File to write: .npy (float32 [N,D], with the images' names in a .names.csv beside it), .parquet or .csv. Needed."`
	Images  string `placeholder:"DIR" help:"Folder that the paths of a list are below. Default: the list's own."`
	Raw     bool   `help:"Write vectors as the network gives them instead of normalised to unit length. Default: off."`
	Flip    string `default:"model" enum:"model,none,sum,concat" help:"How the mirror image takes part: none, sum, concat, or as the model says. Default: ${default}."`
	Restart bool   `help:"Begin anew where an earlier run was stopped, instead of going on. Default: off."`
	Force   bool   `help:"Compute again what is there whole, of the same images by the same model. Default: off."`
	Batch   int    `default:"64" help:"Images embedded at once. Default: ${default}."`
	Threads int    `default:"0" help:"Threads; 0 means one for each processor. Default: ${default}."`

	ranked   `embed:""`
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

func (c *embedCmd) Run(e *env) error { return c.together(e, func() error { return c.run(e) }) }

func (c *embedCmd) run(e *env) error {
	if c.Batch < 1 {
		return cli.Usagef("--batch %d: want 1 or more", c.Batch)
	}
	if isModel(c.Source) && !isModel(c.Model) {
		return cli.WithHint(cli.Usagef("SOURCE: %s is a model, and %s is none", c.Source, c.Model), "they look swapped: fv-eval embed %s %s", c.Source, c.Model)
	}
	w := &embedding{embedCmd: c, env: e}
	if err := e.each("the preparations", w.prepare); err != nil {
		return err
	}
	defer w.model.Close()
	return w.run(w.model)
}

// embedding is the work of the command.
type embedding struct {
	*embedCmd
	*env
	source       *imageSource
	model        model
	what, inputs string        // what is made, and of what
	parts        *matrix.Parts // nil on ranks that do not write
	done         int           // images that an earlier run had done
	out          embedded
}

// prepare opens what is read.
func (w *embedding) prepare() (err error) {
	if w.source, err = openSource(w.Source, w.Images); err != nil {
		return err
	}
	w.source.part, w.source.parts = w.team.Rank(), w.team.Size()
	if w.model, err = w.open(w.Model, w.threads(w.Threads), w.Batch); err != nil {
		return err
	}
	w.out = embedded{Out: w.Out, Dim: w.model.Dim(), Normalise: !w.Raw, Flip: w.model.flip(w.Flip)}
	if w.out.Flip == eval.FlipConcat {
		w.out.Dim *= 2
	}
	// What is wrong with the name is said before the work.
	if err := matrix.CheckName(w.Out); err != nil {
		return formatUsage("--out ", err)
	}
	sum, err := modelSum(w.Model, w.model.Contract())
	if err != nil {
		return err
	}
	for _, warning := range w.source.warnings {
		fmt.Fprintf(w.stderr, "warning: %s\n", warning)
	}
	w.what = fmt.Sprintf("%s by model %x, flip %s, normalised %v", w.Source, sum[:6], w.out.Flip, w.out.Normalise)
	w.inputs = stamp(w.source.files)
	return nil
}

// run embeds what is not done by m, and makes the file.
func (w *embedding) run(m eval.Embedder) error {
	if err := w.sameStart(); err != nil {
		return err
	}
	if whole, err := w.begin(); whole || err != nil {
		return err
	}
	err := w.embed(m)
	switch {
	case err == nil:
		return w.first("the writing", w.finish)
	case !w.team.Writes():
		return err
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(w.stderr, "%d images are done; the same command goes on from there\n", len(w.parts.Names))
	}
	if len(w.parts.Names) == 0 {
		return errors.Join(err, w.parts.Remove())
	}
	return err
}

// begin opens what an earlier run left, or says that it is whole.
func (w *embedding) begin() (whole bool, err error) {
	if w.team.Writes() {
		whole, err = w.resume()
	}
	words, err := team.Meet(w.team, "what is done", begun{whole, w.done}, err)
	if err != nil {
		return false, err
	}
	w.done = words[0].Images
	return words[0].Whole, nil
}

// begun is what rank 0 knows of the work.
type begun struct {
	Whole  bool
	Images int // that are done
}

func (w *embedding) resume() (whole bool, err error) {
	if done := wholeFile(w.Out, w.what, w.inputs); done != nil && !w.Force && !w.Restart {
		done.Resumed = done.Images + done.Skipped
		fmt.Fprintf(w.text(), "%s is whole already: %d embeddings of %d values, %d images skipped, of the same images by the same model; --force computes them again\n", w.Out, done.Images, done.Dim, done.Skipped)
		if w.json {
			return true, cli.WriteJSON(w.stdout, done)
		}
		return true, nil
	}
	if w.parts, err = w.openParts(w.what); err != nil {
		return false, err
	}
	w.done = len(w.parts.Names)
	w.out.Resumed = w.done
	if w.done > 0 {
		fmt.Fprintf(w.stderr, "going on after %d images of %s\n", w.done, w.parts.Dir)
	}
	return false, nil
}

// finish makes the file of the parts.
func (w *embedding) finish() error {
	if err := w.join(); err != nil {
		return err
	}
	if err := record(w.out, w.what, w.inputs); err != nil {
		return err
	}
	fmt.Fprintf(w.text(), "%s: %d embeddings of %d values; %d images skipped\n", w.Out, w.out.Images, w.out.Dim, w.out.Skipped)
	if w.json {
		return cli.WriteJSON(w.stdout, w.out)
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

// openParts opens what an earlier run left, if it embedded the same images in the same way.
func (c *embedCmd) openParts(what string) (*matrix.Parts, error) {
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
// of what is done when it is stopped. Several ranks write shorter parts, each as a whole: see sharedEmbedding.
func (w *embedding) embed(m eval.Embedder) error {
	bar := newProgress(w.stderr, "embedding", "images")
	defer bar.done()
	bar.from(w.done)
	if w.team.Several() {
		s := &sharedEmbedding{embedding: w, m: m, bar: bar, at: w.done, next: w.team.Size() * w.Batch}
		return s.run()
	}
	saved := time.Now()
	return w.source.chunks(w.ctx, w.done, w.names(), func(chunk []sourceImage) error {
		done := len(w.parts.Names)
		var rows []matrix.PartRow
		save := func() error {
			if len(rows) == 0 {
				return nil
			}
			err := w.parts.Add(rows)
			rows, saved = nil, time.Now()
			return err
		}
		at := 0 // in the chunk
		err := w.vectors(w.ctx, m, chunk, func(batch []matrix.PartRow) error {
			rows = append(rows, batch...)
			at += len(batch)
			bar.set(done+at, w.source.total)
			if time.Since(saved) >= w.source.age {
				return save()
			}
			return nil
		})
		return errors.Join(err, save())
	})
}

// names are those of the images that are done, as far as this rank knows.
func (w *embedding) names() []string {
	if w.parts == nil {
		return nil
	}
	return w.parts.Names
}

// vectors embeds images and calls do with what became of those of each batch.
func (w *embedding) vectors(ctx context.Context, m eval.Embedder, images []sourceImage, do func([]matrix.PartRow) error) error {
	names, of := make([]string, len(images)), make(map[string]sourceImage, len(images))
	for i, x := range images {
		names[i], of[x.name] = x.name, x
	}
	load := func(name string) (image.Image, error) { return of[name].load() }
	at := 0
	for v, err := range eval.EmbedBatches(ctx, m, load, names, w.out.Flip != eval.FlipNone, eval.Options{Batch: w.Batch}) {
		if err != nil {
			return err
		}
		n := v.Len() + len(v.Failed)
		if err := do(partRows(v, images[at:][:n], w.out.Flip, w.Raw)); err != nil {
			return err
		}
		at += n
	}
	return nil
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
func (w *embedding) join() error {
	out := &w.out
	file, err := matrix.Create(w.Out, out.Dim)
	if err != nil {
		return err
	}
	defer file.Abort()
	nobody := 0
	for row, err := range w.parts.Rows() {
		if err != nil {
			return err
		}
		if row.Problem != "" {
			if out.Skipped++; out.Skipped <= shownSkips {
				fmt.Fprintf(w.stderr, "skipped %s\n", row.Problem)
			}
			continue
		}
		if err := file.Write(row.Identity, row.Name, row.Vector, row.Norm); err != nil {
			return fmt.Errorf("%s: %w", w.Out, err)
		}
		out.Images++
		if row.Identity == "" {
			nobody++
		}
	}
	if out.Skipped > shownSkips {
		fmt.Fprintf(w.stderr, "... and %d more\n", out.Skipped-shownSkips)
	}
	if out.Images == 0 {
		return errors.Join(fmt.Errorf("none of the %d images of %s can be read", out.Skipped, w.Source), w.parts.Remove())
	}
	if nobody > 0 {
		fmt.Fprintf(w.stderr, "warning: %d of %d images lie in no folder of a person: their identity is empty, and allpairs, identify and blufr cannot use them\n", nobody, out.Images)
	}
	if err := file.Commit(); err != nil {
		return fmt.Errorf("%s: %w", w.Out, err)
	}
	return w.parts.Remove()
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
