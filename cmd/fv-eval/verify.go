package main

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/matrix"
	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/pipeline/dataset"
	"github.com/faceverify/fv/pipeline/dataset/binpack"
)

type verifyCmd struct {
	Model string `arg:"" optional:"" name:"run" help:"Run folder, model file or ONNX file; not needed with --embeddings or --scores."`

	Images     string    `placeholder:"DIR" help:"Folder that the images of the pairs are below. Needed with a model."`
	Pairs      string    `placeholder:"FILE" help:"Pairs file: LFW's formats, lines a,b,label (1 one person, 0 two), or an InsightFace pack (.bin), which holds the images too. Needed, unless --scores is given."`
	Embeddings string    `placeholder:"FILE" help:"Take the images' embeddings from this file (.npy, .parquet or .csv, as fv-eval embed writes them) instead of a model and images. Default: none."`
	Scores     string    `placeholder:"FILE.csv" help:"Evaluate the scores of this file (label,score,a,b,fold) instead of a model. Default: none."`
	Out        string    `short:"o" default:"eval-out" placeholder:"DIR" help:"Folder for pictures, scores.csv, result.json and report.html. Default: ${default}."`
	Protocol   []string  `placeholder:"NAME,..." help:"Accuracy protocols: insightface, sphereface, plain, facexzoo, opensphere or all; the first is the headline. Default: insightface; with --scores or --embeddings plain; opensphere if the pairs have no folds."`
	Flip       string    `default:"model" enum:"model,none,sum,concat" help:"How the mirror image takes part in embeddings: none, sum, concat, or as the model says. A protocol that prescribes it uses its own. Default: ${default}."`
	FAR        []float64 `name:"far" default:"0.1,0.01,0.001,0.0001" help:"False accept rates to give thresholds for. Default: ${default}."`
	Overlay    []string  `type:"existingfile" placeholder:"FILE" help:"ROC points of another system (TPR FPR a line) to draw as well; can be repeated. Default: none."`
	Bootstrap  int       `default:"1000" placeholder:"N" help:"Replicates of a bootstrap over identities, for 95 % intervals of AUC, EER and TAR; 0 for none. Default: ${default}."`
	Seed       uint64    `default:"1" help:"What the bootstrap draws. Default: ${default}."`
	Missing    string    `default:"error" enum:"error,skip" help:"What to do about images that cannot be read or have no embedding: error lists them all and stops, skip leaves their pairs out and counts them. Default: ${default}."`
	Batch      int       `default:"64" help:"Images embedded at once. Default: ${default}."`
	Threads    int       `default:"0" help:"Threads; 0 means one for each processor. Default: ${default}."`
	Title      string    `help:"Title of the report. Default: from the model and the pairs."`

	imported `embed:"" group:"ONNX files"`
}

// resultFile is result.json, and what --json prints: the result and where it is from.
type resultFile struct {
	Version string `json:"version"`
	Command string `json:"command"`
	Model   string `json:"model"` // "" for scores
	Images  string `json:"image_folder"`
	Pairs   string `json:"pairs"` // the pairs or the score file
	// Embeddings is the file that the embeddings are from, "" if a model made them.
	Embeddings string `json:"embeddings"`
	Out        string `json:"out"`
	*eval.Result
}

func (c *verifyCmd) Run(e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	options, err := c.options()
	if err != nil {
		return err
	}
	var curves []*eval.Curve
	for _, path := range c.Overlay {
		curve, err := eval.ReadCurve(path)
		if err != nil {
			return err
		}
		curves = append(curves, curve)
	}
	report := eval.ReportOptions{Title: c.Title, Curves: curves, Version: "fv-eval " + cli.Version(), Command: commandLine(e.args)}
	measure := c.model
	switch {
	case c.Scores != "":
		measure = c.scores
	case c.Embeddings != "":
		measure = c.embeddings
	}
	result, err := measure(e, options, &report)
	if err != nil {
		return err
	}
	files, err := eval.WriteOutputs(c.Out, report)
	if err != nil {
		return err
	}
	doc := resultFile{cli.Version(), report.Command, c.Model, c.Images, c.Pairs, c.Embeddings, c.Out, result}
	if c.Scores != "" {
		doc.Pairs = c.Scores
	}
	err = atomicfile.Write(filepath.Join(c.Out, "result.json"), func(w io.Writer) error { return cli.WriteJSON(w, doc) })
	if err != nil {
		return err
	}
	printResult(e.text(), report.Results[0].Name, result, curves)
	fmt.Fprintf(e.text(), "\nwritten to %s: %s, result.json\n", c.Out, strings.Join(files, ", "))
	if e.json {
		return cli.WriteJSON(e.stdout, doc)
	}
	return nil
}

// check finds what is missing or too much before any work is done.
func (c *verifyCmd) check() error {
	if c.Bootstrap < 0 || c.Bootstrap > 1e6 {
		return cli.Usagef("--bootstrap %d: want 0 to 1000000", c.Bootstrap)
	}
	if err := checkOut(c.Out); err != nil {
		return err
	}
	if c.Flip != "model" && (c.Scores != "" || c.Embeddings != "") {
		return cli.Usagef("--flip %s is for a model: the embeddings or scores of a file are as they are", c.Flip)
	}
	switch {
	case c.Scores != "":
		if c.Model != "" || c.Pairs != "" || c.Images != "" || c.Embeddings != "" {
			return cli.Usagef("--scores stands alone: the labels are in the file, so neither a model nor --pairs, --images or --embeddings is wanted")
		}
		return nil
	case c.Embeddings != "":
		if c.Model != "" || c.Images != "" {
			return cli.Usagef("--embeddings takes the place of a model and --images")
		}
		if c.Pairs == "" {
			return cli.WithHint(cli.Usagef("--pairs is missing: the pairs file"), "fv-eval allpairs %s scores every pair, without a pairs file", c.Embeddings)
		}
		return nil
	}
	images := c.Images
	if c.isPack() {
		if images != "" {
			return cli.Usagef("--images is not wanted with a pack: %s holds the images", c.Pairs)
		}
		images = c.Pairs
	}
	for _, need := range []struct{ name, value, what string }{
		{"RUN", c.Model, "the run folder or model file to measure"},
		{"--images", images, "the folder with one folder of images for each identity"},
		{"--pairs", c.Pairs, "the pairs file"},
	} {
		if need.value == "" {
			return cli.WithHint(cli.Usagef("%s is missing: %s", need.name, need.what), "fv-eval verify RUN --images DIR --pairs FILE, or fv-eval verify --scores FILE.csv")
		}
	}
	return nil
}

func (c *verifyCmd) options() (eval.Options, error) {
	o := eval.Options{FARs: c.FAR, Bootstrap: c.Bootstrap, Seed: c.Seed, Batch: c.Batch, SkipMissing: c.Missing == "skip", Protocols: c.Protocol}
	if len(o.Protocols) == 0 {
		o.Protocols = []string{eval.InsightFace}
		if c.Scores != "" || c.Embeddings != "" {
			o.Protocols = []string{eval.Plain}
		}
	}
	if len(o.Protocols) == 1 && o.Protocols[0] == "all" {
		o.Protocols = nil
		for _, p := range eval.Protocols() {
			if c.Scores == "" || p.Name != eval.SphereFace {
				o.Protocols = append(o.Protocols, p.Name)
			}
		}
	}
	if c.Batch < 1 {
		return o, cli.Usagef("--batch %d: want 1 or more", c.Batch)
	}
	for _, name := range o.Protocols {
		if _, err := eval.ProtocolByName(name); err != nil {
			return o, cli.Usage(fmt.Errorf("--protocol: %w", err))
		}
	}
	return o, checkFARs(c.FAR)
}

// withoutFolds takes the protocol that needs no folds where none was asked for and the pairs have none.
func (c *verifyCmd) withoutFolds(o *eval.Options, pairs *eval.Pairs) {
	if len(c.Protocol) == 0 && pairs.Folds < 2 {
		o.Protocols = []string{eval.OpenSphere}
	}
}

// scores evaluates a score file.
func (c *verifyCmd) scores(_ *env, o eval.Options, report *eval.ReportOptions) (*eval.Result, error) {
	scores, pairs, err := eval.ReadScores(c.Scores)
	if err != nil {
		return nil, err
	}
	c.withoutFolds(&o, pairs)
	result, err := eval.Evaluate(scores, pairs, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Scores, err)
	}
	name := filepath.Base(c.Scores)
	if report.Title == "" {
		report.Title = "Face verification: " + name
	}
	report.Subtitle = fmt.Sprintf("%d pairs with scores from %s", len(scores), c.Scores)
	report.Results = []eval.NamedResult{{Name: name, Result: result}}
	report.Settings = page.Fields{{Name: "Scores", Value: c.Scores}}
	return result, nil
}

// embeddings evaluates a file of embeddings.
func (c *verifyCmd) embeddings(_ *env, o eval.Options, report *eval.ReportOptions) (*eval.Result, error) {
	pairs, err := eval.ReadPairs(c.Pairs)
	if err != nil {
		return nil, fmt.Errorf("--pairs: %w", err)
	}
	c.withoutFolds(&o, pairs)
	m, err := matrix.Read(c.Embeddings)
	if err != nil {
		return nil, formatUsage("--embeddings ", err)
	}
	vectors, err := pairVectors(m, pairs)
	if err != nil {
		return nil, err
	}
	if missing := vectors.Missing(); missing != nil && c.Missing != "skip" {
		return nil, cli.WithHint(fmt.Errorf("%s in %s: %w", c.Pairs, c.Embeddings, missing), "the file's first name is %s; --missing skip leaves such pairs out", m.Names[0])
	}
	o.Flip = eval.FlipGiven
	result, err := vectors.Verify(pairs, o)
	if err != nil {
		return nil, err
	}
	name := filepath.Base(c.Embeddings)
	if report.Title == "" {
		report.Title = "Face verification: " + name
	}
	report.Subtitle = fmt.Sprintf("%d pairs of %s, with embeddings from %s", len(result.Scores), filepath.Base(c.Pairs), c.Embeddings)
	report.Results = []eval.NamedResult{{Name: name, Result: result}}
	report.Settings = page.Fields{
		{Name: "Embeddings", Value: fmt.Sprintf("%s: %d of %d values", c.Embeddings, m.Len(), m.Dim)},
		{Name: "Pairs file", Value: c.Pairs},
	}
	return result, nil
}

// pairVectors takes the embeddings of the images of pairs from m, and tells pairs who they show.
func pairVectors(m *matrix.Matrix, pairs *eval.Pairs) (*eval.Vectors, error) {
	row, err := m.Lookup()
	if err != nil {
		return nil, err
	}
	var names []string
	var data []float32
	identities := map[string]string{}
	failed := map[string]error{}
	for _, name := range pairs.Images() {
		i, ok := row(name)
		if !ok {
			failed[name] = errors.New("no embedding of this name, with any extension")
			continue
		}
		names, data = append(names, name), append(data, m.Row(i)...)
		identities[name] = m.Identities[i]
	}
	pairs.Identities = identities
	vectors, err := eval.NewVectors(names, m.Dim, data, nil)
	if err != nil {
		return nil, err
	}
	vectors.Failed = failed
	return vectors, nil
}

// source returns the pairs and how their images are loaded: from a pack, or from a pairs file and a
// folder.
func (c *verifyCmd) source() (*eval.Pairs, eval.LoadFunc, error) {
	if c.isPack() {
		pack, err := binpack.Read(c.Pairs)
		if err != nil {
			return nil, nil, fmt.Errorf("--pairs: %w", err)
		}
		return pack.Pairs(), pack.Load, nil
	}
	pairs, err := eval.ReadPairs(c.Pairs)
	if err != nil {
		return nil, nil, fmt.Errorf("--pairs: %w", err)
	}
	files, err := pairs.Resolve(c.Images)
	var missing *eval.ImagesError
	if errors.As(err, &missing) {
		if c.Missing != "skip" {
			return nil, nil, cli.WithHint(fmt.Errorf("%s in %s: %w", c.Pairs, c.Images, err), "is %s the folder that has one folder of images for each identity? --missing skip leaves such pairs out", c.Images)
		}
	} else if err != nil {
		return nil, nil, fmt.Errorf("--images: %w", err)
	}
	return pairs, func(name string) (image.Image, error) {
		file, ok := files[name]
		if !ok {
			return nil, os.ErrNotExist
		}
		return dataset.DecodeFile(file, dataset.Limits{})
	}, nil
}

// isPack is whether --pairs names a pack of InsightFace, which has the images in it.
func (c *verifyCmd) isPack() bool { return strings.EqualFold(filepath.Ext(c.Pairs), ".bin") }

// model evaluates a model on pairs of images.
func (c *verifyCmd) model(e *env, o eval.Options, report *eval.ReportOptions) (*eval.Result, error) {
	pairs, load, err := c.source()
	if err != nil {
		return nil, err
	}
	m, err := c.open(c.Model, c.Threads, c.Batch)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	o.Flip = m.flip(c.Flip)
	c.withoutFolds(&o, pairs)
	progress := newProgress(e.stderr, "embedding", "images")
	o.Progress = progress.set
	result, err := eval.Verify(e.ctx, m, load, pairs, o)
	progress.done()
	if err != nil {
		return nil, err
	}
	if report.Title == "" {
		report.Title = "Face verification: " + filepath.Base(filepath.Clean(c.Model))
	}
	report.Subtitle = fmt.Sprintf("%d pairs of %s, scored by %s", len(result.Scores), filepath.Base(c.Pairs), c.Model)
	report.Results = []eval.NamedResult{{Name: filepath.Base(filepath.Clean(c.Model)), Result: result}}
	report.Settings = append(page.Fields{
		{Name: "Model", Value: c.Model},
		{Name: "Pairs file", Value: c.Pairs},
		{Name: "Images", Value: cmp.Or(c.Images, "in the pairs file")},
	}, m.fields()...)
	return result, nil
}

// printResult writes the compact table.
func printResult(w io.Writer, name string, r *eval.Result, curves []*eval.Curve) {
	for _, warning := range r.Warnings {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	fmt.Fprintf(w, "%s: %d genuine and %d impostor pairs", name, r.Genuine, r.Impostor)
	if r.PairsSkipped > 0 {
		fmt.Fprintf(w, " (%d pairs left out: %d images could not be read)", r.PairsSkipped, r.ImagesFailed)
	}
	fmt.Fprintf(w, "\n  AUC %.5f   EER %.2f %%", r.AUC, 100*r.EER.Value)
	if r.DPrime != nil {
		fmt.Fprintf(w, "   d' %.3f", *r.DPrime)
	}
	if r.Angles != nil {
		fmt.Fprintf(w, "   overlap of the angles %.1f %%", 100*r.Angles.Overlap)
	}
	fmt.Fprintln(w)
	if b := r.Intervals; b != nil {
		fmt.Fprintf(w, "  95 %% over %d identities: AUC [%.5f, %.5f]   EER [%.2f, %.2f] %%\n", b.Identities, b.AUC.Low, b.AUC.High, 100*b.EER.Low, 100*b.EER.High)
	}
	for _, a := range r.Protocols {
		fmt.Fprintf(w, "  accuracy (%s) %.3f %%", a.Protocol, 100*a.Mean)
		if a.SpreadKind != "none" {
			fmt.Fprintf(w, " ± %.3f", 100*a.Spread)
		}
		fmt.Fprintln(w)
	}
	printPoints(w, r.OperatingPoints, r.Impostor)
	fmt.Fprintf(w, "  no false match: FNMR %s\n", rate(r.ZeroFMR.FNMR))
	if r.PairsSkipped > 0 {
		for _, p := range r.OperatingPoints {
			if p.Resolved && p.SystemFAR != nil {
				fmt.Fprintf(w, "  with the pairs left out counted as refused, at FMR <= %g: FAR %s, FRR %s\n", p.Target, rate(*p.SystemFAR), rate(*p.SystemFRR))
			}
		}
	}
	for _, c := range curves {
		fmt.Fprintf(w, "  %s: AUC %.5f   EER %.2f %% (%d points)\n", c.Name, c.AUC(), 100*c.EER(), len(c.FAR))
	}
}

// printPoints writes the table of thresholds.
func printPoints(w io.Writer, points []eval.OperatingPoint, impostors int) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\n  FAR at most\tcosine\tangle\tsquared L2\tfalse accepts\tFAR (95 %)\tTAR (95 %)")
	for _, p := range points {
		if !p.Resolved {
			fmt.Fprintf(t, "  %g\tnot resolved by %d impostor pairs\n", p.Target, impostors)
			continue
		}
		fmt.Fprintf(t, "  %g\t%.4f\t%.2f°\t%.4f\t%d/%d\t%s\t%s\n", p.Target, p.Threshold.Score, p.Threshold.Degrees, p.Threshold.SquaredL2,
			p.FAR.Count, p.FAR.Total, rate(p.FAR), rate(p.TAR))
	}
	t.Flush()
}

func rate(r eval.Rate) string {
	return fmt.Sprintf("%.4g %% [%.4g, %.4g]", 100*r.Value, 100*r.Low, 100*r.High)
}

// commandLine writes args as they can be typed again.
func commandLine(args []string) string {
	words := []string{"fv-eval"}
	for _, a := range args {
		if a == "" || strings.ContainsAny(a, " \t\n'\"\\$&|;<>()*?[]#~`!{}") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}
