package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/matrix"
	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/internal/cli"
)

type verifyCmd struct {
	Model string `arg:"" optional:"" name:"run" help:"Run folder, model file or ONNX file; not needed with --embeddings or --scores."`

	Images     string    `placeholder:"DIR" help:"Folder that the images of the pairs are below. Needed with a model."`
	Pairs      string    `placeholder:"FILE" help:"Pairs file: LFW's formats, lines a,b,label (1 one person, 0 two), CALFW's and CPLFW's, CFP's folder Split/FP or Split/FF, or an InsightFace pack (.bin), which holds the images too. Default: with a model, pairs are made of the folders of --images: as many genuine as impostor ones, 3000 at most, drawn from --seed."`
	Embeddings string    `placeholder:"FILE" help:"Take the images' embeddings from this file (.npy, .parquet or .csv, as fv-eval embed writes them) instead of a model and images. Default: none."`
	Templates  string    `placeholder:"FILE" help:"With --embeddings: templates of several images (lines name template media [weight], as IJB has them), which --pairs then names. Default: none."`
	Scores     string    `placeholder:"FILE" help:"Evaluate the scores of this file (.csv or .parquet: label,score,a,b,fold), or of a folder that fv-eval verify wrote, instead of a model. Default: none."`
	Out        string    `short:"o" default:"eval-out" placeholder:"DIR" help:"Folder for pictures, scores.csv, result.json and report.html. Default: ${default}."`
	Protocol   []string  `placeholder:"NAME,..." help:"Accuracy protocols: insightface, sphereface, plain, facexzoo, opensphere or all; the first is the headline. Default: insightface; with --scores or --embeddings plain; opensphere if the pairs have no folds."`
	Flip       string    `default:"model" enum:"model,none,sum,concat" help:"How the mirror image takes part in embeddings: none, sum, concat, or as the model says. A protocol that prescribes it uses its own. Default: ${default}."`
	FAR        []float64 `name:"far" default:"0.1,0.01,0.001,0.0001" help:"False accept rates to give thresholds for. Default: ${default}."`
	Overlay    []string  `type:"existingfile" placeholder:"FILE" help:"ROC points of another system (TPR FPR a line) to draw as well; can be repeated. Default: none."`
	Bootstrap  int       `default:"1000" placeholder:"N" help:"Replicates of a bootstrap over identities, for 95 % intervals of AUC, EER and TAR; 0 for none. Default: ${default}."`
	Seed       uint64    `default:"1" help:"What the bootstrap, and pairs where none are given, draw. Default: ${default}."`
	Group      []string  `placeholder:"COLUMN,..." help:"Measure groups of pairs apart, at the same thresholds: a column of --attributes, or of the score file. Default: none."`
	Attributes string    `placeholder:"FILE.csv" help:"What is known of images (column name) or people (column identity), a column for each attribute. Default: none."`
	Missing    string    `default:"error" enum:"error,list,skip" help:"What to do about images that cannot be read or have no embedding: error names the first 20 and stops, list writes all to stdout and stops, skip leaves their pairs out and counts them. Default: ${default}."`
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
		return listMissing(e, c.Missing, err)
	}
	if err := c.groups(result); err != nil {
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
	case c.Templates != "" && c.Embeddings == "":
		return cli.Usagef("--templates is for --embeddings: the rows of a file are pooled")
	case c.Attributes != "" && len(c.Group) == 0:
		return cli.Usagef("--attributes needs --group, which names its columns to measure by")
	case len(c.Group) > 0 && c.Attributes == "" && c.Scores == "":
		return cli.Usagef("--group %s: --attributes is missing, the file that has this column", c.Group[0])
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
		if err := matrix.CheckName(c.Embeddings); err != nil && matrix.CheckName(c.Pairs) == nil {
			return cli.WithHint(formatUsage("--embeddings ", err), "they look swapped: --embeddings %s --pairs %s", c.Pairs, c.Embeddings)
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
	if c.Images != "" {
		if err := cli.Exists("--images", c.Images, wantFolder); err != nil {
			return err
		}
	}
	for _, need := range []struct{ name, value, what string }{
		{"RUN", c.Model, "the run folder or model file to measure"},
		{"--images", images, "the folder with one folder of images for each identity"},
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
