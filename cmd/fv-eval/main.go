// Command fv-eval measures face verification models and uses them: see fv-eval --help.
package main

import (
	"context"
	"io"

	"github.com/alecthomas/kong"

	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/internal/mpi/team"
)

const description = `Measure a face verification model, export its embeddings, compare two photographs.`

type grammar struct {
	cli.Common
	Verify    verifyCmd    `cmd:"" help:"Score pairs of images: ROC, error rates, accuracy protocols, pictures and a report."`
	AllPairs  allPairsCmd  `cmd:"" name:"allpairs" help:"Score every pair of a file of embeddings, or of two: exact rates at any scale, and the hardest pairs."`
	Compare   compareCmd   `cmd:"" help:"Compare two or more systems: overlaid curves, McNemar and bootstrap differences on the same pairs."`
	Curves    curvesCmd    `cmd:"" help:"Draw ROC points that others published, and print their AUC and EER."`
	BLUFR     blufrCmd     `cmd:"" name:"blufr" help:"The BLUFR benchmark on embeddings of LFW, with seeded trials: verification at FAR 0.1 %, identification at FPIR 1 %."`
	Calibrate calibrateCmd `cmd:"" help:"Turn scores into log-likelihood ratios; choose a threshold on one set and say what it does on another."`
	Identify  identifyCmd  `cmd:"" help:"Search a gallery of embeddings for probes: rank-k, CMC, FNIR and DIR at FPIR, open set."`
	Embed     embedCmd     `cmd:"" help:"Write the embedding of every image of a folder, list, archive or pack to a .npy, .parquet or .csv file."`
	Contract  contractCmd  `cmd:"" help:"Try the usual ways to make a model's input of images on labelled pairs, and say which fits."`
	Features  featuresCmd  `cmd:"" help:"Picture embeddings of 2 or 3 numbers on the circle or the sphere, with the angles of positive and negative pairs."`
	Same      sameCmd      `cmd:"" help:"Compare two images: cosine, angle, and same person or not."`

	Completion cli.Completion `cmd:"" help:"Print a script that lets a shell complete commands, flags and their values."`
}

// env is what the sub-commands share.
type env struct {
	ctx            context.Context
	args           []string
	json           bool
	stdout, stderr io.Writer
	team           *team.Team // of the commands that ranks share: see ranked.together
}

// text is where prose goes: stdout, or stderr when stdout carries JSON.
func (e *env) text() io.Writer {
	if e.json {
		return e.stderr
	}
	return e.stdout
}

func main() { cli.Main("fv-eval", run) }

func run(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) error {
	var g grammar
	parsed, err := cli.Parse(&g, "fv-eval", description, args, stdout, stderr, kong.Bind(cli.Choices{}))
	if err != nil {
		return err
	}
	if err := checkAlone(parsed.Selected().Name); err != nil {
		return err
	}
	return parsed.Run(&env{ctx: ctx, args: args, json: g.JSON, stdout: stdout, stderr: stderr})
}
