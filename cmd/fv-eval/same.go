package main

import (
	"fmt"
	"io"
	"math"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/internal/cli"
)

type sameCmd struct {
	Model string `arg:"" name:"run" help:"Run folder, model file or ONNX file."`
	A     string `arg:"" name:"image" help:"Image of a face."`
	B     string `arg:"" name:"other-image" help:"Another."`

	Threshold *float64 `placeholder:"COSINE" help:"Cosine from which on two faces are said to be one person. Default: what the model's validation found."`
	Flip      string   `default:"model" enum:"model,none,sum,concat" help:"How the mirror image takes part in embeddings. Default: ${default}."`

	imported `embed:"" group:"ONNX files"`
}

// comparison is what --json prints.
type comparison struct {
	A         string  `json:"a"`
	B         string  `json:"b"`
	Cosine    float64 `json:"cosine"`
	Angle     float64 `json:"angle"` // radians
	Degrees   float64 `json:"degrees"`
	SquaredL2 float64 `json:"squared_l2"`

	// Same, and the Threshold that decided, are null where there is no threshold.
	Same          *bool           `json:"same"`
	Threshold     *eval.Threshold `json:"threshold"`
	ThresholdFrom string          `json:"threshold_from"` // model, flag or none
}

func (c *sameCmd) Run(e *env) error {
	if t := c.Threshold; t != nil && !(math.Abs(*t) <= 1) {
		return cli.Usagef("--threshold %v: want a cosine from -1 to 1", *t)
	}
	m, err := c.open(c.Model, 0, 2)
	if err != nil {
		return err
	}
	defer m.Close()
	flip := m.flip(c.Flip)
	names := []string{c.A, c.B}
	if c.A == c.B {
		names = names[:1]
	}
	vectors, err := eval.EmbedImages(e.ctx, m, decodeFile, names, flip != eval.FlipNone, eval.Options{})
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := vectors.Failed[name]; err != nil {
			return err
		}
	}
	cosine := eval.Cosine(vectors.At(nil, c.A, flip), vectors.At(nil, c.B, flip))
	at := eval.NewThreshold(cosine) // the same units
	out := comparison{A: c.A, B: c.B, Cosine: cosine, Angle: at.Angle, Degrees: at.Degrees, SquaredL2: at.SquaredL2}
	out.decide(c.Threshold, m.Model().Threshold)
	out.print(e.text(), embed.IsONNX(c.Model))
	if own := m.Contract().Flip; out.ThresholdFrom == "model" && flip != own {
		fmt.Fprintf(e.stderr, "warning: the model's threshold was found with --flip %s, the cosine is of --flip %s\n", own, flip)
	}
	if e.json {
		return cli.WriteJSON(e.stdout, out)
	}
	return nil
}

// decide takes the threshold of the flag, or else the model's.
func (out *comparison) decide(flag *float64, stored *embed.Threshold) {
	out.ThresholdFrom = "none"
	var cosine float64
	switch {
	case flag != nil:
		out.ThresholdFrom, cosine = "flag", *flag
	case stored != nil:
		out.ThresholdFrom, cosine = "model", stored.Cosine
	default:
		return
	}
	threshold, same := eval.NewThreshold(cosine), out.Cosine >= cosine
	out.Threshold, out.Same = &threshold, &same
}

// print says why there is no verdict where the model holds no threshold.
func (out *comparison) print(w io.Writer, onnx bool) {
	verdict := "undecided: the model holds no threshold, because it was trained without validation"
	if onnx {
		verdict = "undecided: the ONNX file holds no threshold; only fv-train export writes one, of a model trained with validation"
	}
	if out.Same != nil {
		verdict = "different people"
		if *out.Same {
			verdict = "same person"
		}
	}
	fmt.Fprintf(w, "%s\n  cosine %.4f   angle %.2f° (%.4f rad)   squared L2 %.4f\n", verdict, out.Cosine, out.Degrees, out.Angle, out.SquaredL2)
	if t := out.Threshold; t != nil {
		fmt.Fprintf(w, "  threshold (%s): cosine %.4f   angle %.2f° (%.4f rad)   squared L2 %.4f\n", out.ThresholdFrom, t.Score, t.Degrees, t.Angle, t.SquaredL2)
		return
	}
	fmt.Fprintln(w, "  give one with --threshold; fv-eval verify finds thresholds for false accept rates of your choice")
}
