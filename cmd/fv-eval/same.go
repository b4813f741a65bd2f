package main

import (
	"fmt"
	"image"
	"math"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/pipeline/dataset"
)

type sameCmd struct {
	Model string `arg:"" name:"run" help:"Run folder or model file."`
	A     string `arg:"" help:"Image of a face."`
	B     string `arg:"" help:"Another."`

	Threshold *float64 `placeholder:"COSINE" help:"Cosine from which on two faces are said to be one person. Default: what the model's validation found."`
	Flip      string   `default:"model" enum:"model,none,sum,concat" help:"How the mirror image takes part in embeddings. Default: ${default}."`
}

// comparison is what --json prints.
type comparison struct {
	A         string  `json:"a"`
	B         string  `json:"b"`
	Cosine    float64 `json:"cosine"`
	Angle     float64 `json:"angle"` // radians
	Degrees   float64 `json:"degrees"`
	SquaredL2 float64 `json:"squared_l2"`
	Same      bool    `json:"same"`
	// Threshold is the one that decided; ThresholdFrom is "model" or "flag".
	Threshold     eval.Threshold `json:"threshold"`
	ThresholdFrom string         `json:"threshold_from"`
}

func (c *sameCmd) Run(e *env) error {
	if t := c.Threshold; t != nil && !(math.Abs(*t) <= 1) {
		return cli.Usagef("--threshold %v: want a cosine from -1 to 1", *t)
	}
	m, err := openModel(c.Model, 0)
	if err != nil {
		return err
	}
	out := comparison{A: c.A, B: c.B, ThresholdFrom: "model"}
	threshold, ok := m.threshold()
	switch {
	case c.Threshold != nil:
		threshold, out.ThresholdFrom = *c.Threshold, "flag"
	case !ok:
		return cli.WithHint(fmt.Errorf("%s has no stored threshold: it was trained without validation", c.Model),
			"give one with --threshold; fv-eval verify finds thresholds for a false accept rate of your choice")
	}
	flip := c.Flip
	if flip == "model" {
		flip = m.flip()
	}
	load := func(name string) (image.Image, error) { return dataset.DecodeFile(name, dataset.Limits{}) }
	names := []string{c.A, c.B}
	if c.A == c.B {
		names = names[:1]
	}
	vectors, err := eval.EmbedImages(e.ctx, m, load, names, flip != eval.FlipNone, eval.Options{})
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := vectors.Failed[name]; err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	cosine := eval.Cosine(vectors.At(nil, c.A, flip), vectors.At(nil, c.B, flip))
	at := eval.NewThreshold(cosine) // the same units
	out.Cosine, out.Angle, out.Degrees, out.SquaredL2 = cosine, at.Angle, at.Degrees, at.SquaredL2
	out.Threshold, out.Same = eval.NewThreshold(threshold), cosine >= threshold
	verdict := "different people"
	if out.Same {
		verdict = "same person"
	}
	fmt.Fprintf(e.text(), "%s\n  cosine %.4f   angle %.2f° (%.4f rad)   squared L2 %.4f\n  threshold (%s): cosine %.4f   angle %.2f°   squared L2 %.4f\n",
		verdict, out.Cosine, out.Degrees, out.Angle, out.SquaredL2, out.ThresholdFrom, threshold, out.Threshold.Degrees, out.Threshold.SquaredL2)
	if e.json {
		return cli.WriteJSON(e.stdout, out)
	}
	return nil
}
