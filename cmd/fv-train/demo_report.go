package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/pipeline/augment"
	"github.com/faceverify/fv/pipeline/synth"
)

// report writes report.html and angles.png and returns the report's path.
func (c *demoCmd) report(e *env, runs []*demoRun, d demoData) (string, error) {
	faces, err := c.faces(d)
	if err != nil {
		return "", err
	}
	o := eval.ReportOptions{
		Title:    "What a margin does",
		Subtitle: fmt.Sprintf("two models of %d drawn people, measured on %d pairs of %d strangers", d.train, len(runs[0].result.Scores), d.test),
		Intro: []page.Block{
			page.Text(fmt.Sprintf("Two networks were trained on the same %d pictures, from the same random weights, in the same order. One learned with a margin, one without. Neither saw the people that it is measured on here.", d.train*d.trainImages)),
			page.Figure{Title: "Six of the strangers", PNG: faces, Alt: "six drawn people, one in each row, in pictures that differ in pose, light and expression",
				Caption: "A row is a person, in pictures that differ in pose, light, expression, blur and in what covers the face. All are drawn by this program; nobody is real."},
		},
		Settings: page.Fields{
			{Name: "Training faces", Value: fmt.Sprintf("%d people, %d pictures each, seed %d", d.train, d.trainImages, c.Seed)},
			{Name: "Test faces", Value: fmt.Sprintf("%d other people, %d pictures each", d.test, d.testImages)},
		},
		Version: "fv-train " + cli.Version(), Command: c.command(),
	}
	for _, r := range runs {
		o.Results = append(o.Results, eval.NamedResult{Name: r.name, About: r.about, Result: r.result})
		o.Settings = append(o.Settings, page.Field{Name: "Training " + r.name, Value: fmt.Sprintf(
			"%d steps in %.0f s, %.0f images/s; settings in %s", r.training.Steps, r.training.Seconds, r.training.ImagesPerSecond, filepath.Join(r.folder, "config.yaml"))})
	}
	o.Sections = []page.Section{{ID: "next", Title: "With your own photographs", Blocks: []page.Block{
		page.Text("Put the photographs of each person in a folder of their own, all of them in one folder, and give that to `fv-train`. It holds some people out by itself and measures the model on them."),
		page.Code("fv-train --out runs/mine FOLDER"),
	}}}
	if err := atomicfile.Write(filepath.Join(c.Out, "angles.png"), func(w io.Writer) error { return writeAngles(w, runs) }); err != nil {
		return "", err
	}
	path := filepath.Join(c.Out, demoReport)
	return path, atomicfile.Write(path, func(w io.Writer) error { return eval.Report(w, o) })
}

// faces returns a contact sheet of six strangers as PNG.
func (c *demoCmd) faces(d demoData) ([]byte, error) {
	var images []*image.NRGBA
	const people, each, size = 6, 6, 96
	for person := range people {
		for i := range each {
			images = append(images, synth.Face(c.Seed, d.train+person, i, size))
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, augment.Sheet(images, each))
	return b.Bytes(), err
}

// writeAngles writes the angle histograms of the runs side by side, with one axis.
func writeAngles(w io.Writer, runs []*demoRun) error {
	top := 0.0
	for _, r := range runs {
		if r.result.Angles == nil {
			return fmt.Errorf("the scores of the model %s are not cosines", r.name)
		}
		top = math.Max(top, r.result.Angles.Top())
	}
	var parts []image.Image
	width, height := 0, 0
	for _, r := range runs {
		var b bytes.Buffer
		if err := eval.PlotAngles(r.result.Angles, r.name, r.result.EER.Threshold.Angle, top).WritePNG(&b); err != nil {
			return err
		}
		img, err := png.Decode(&b)
		if err != nil {
			return err
		}
		parts = append(parts, img)
		width, height = width+img.Bounds().Dx(), max(height, img.Bounds().Dy())
	}
	all := image.NewNRGBA(image.Rect(0, 0, width, height))
	draw.Draw(all, all.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
	x := 0
	for _, p := range parts {
		b := p.Bounds()
		draw.Draw(all, image.Rect(x, 0, x+b.Dx(), b.Dy()), p, b.Min, draw.Src)
		x += b.Dx()
	}
	return (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(w, all)
}

// demoJSON is what --json prints.
type demoJSON struct {
	Report  string        `json:"report"`
	Seconds float64       `json:"seconds"`
	Models  []demoOutcome `json:"models"`
}

type demoOutcome struct {
	Name            string  `json:"name"`
	Run             string  `json:"run"`
	AUC             float64 `json:"auc"`
	Accuracy        float64 `json:"accuracy"`
	EER             float64 `json:"eer"`
	Overlap         float64 `json:"overlap"` // of the angle histograms
	ImagesPerSecond float64 `json:"images_per_second"`
}

// finish prints the outcome, where the report is and what to do next.
func (c *demoCmd) finish(e *env, runs []*demoRun, report string, took time.Duration) error {
	out := demoJSON{Report: report, Seconds: took.Seconds()}
	t := tabwriter.NewWriter(e.text(), 0, 0, 3, ' ', 0)
	fmt.Fprintf(t, "\n%d pairs of strangers\tAUC\taccuracy\tEER\toverlap of the angles\n", len(runs[0].result.Scores))
	for _, r := range runs {
		overlap := 1.0
		if a := r.result.Angles; a != nil {
			overlap = a.Overlap
		}
		fmt.Fprintf(t, "%s\t%.4f\t%.2f %%\t%.2f %%\t%.1f %%\n", r.name, r.result.AUC, 100*r.result.Accuracy, 100*r.result.EER.Value, 100*overlap)
		out.Models = append(out.Models, demoOutcome{r.name, filepath.Join(c.Out, r.folder), r.result.AUC, r.result.Accuracy, r.result.EER.Value, overlap, r.training.ImagesPerSecond})
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(e.text(), `
done in %v
report: %s

next, with a folder that has one sub-folder of photographs for each person:
  %s --out runs/mine FOLDER
`, took.Round(time.Second), report, commandName())
	if e.json {
		return cli.WriteJSON(e.stdout, out)
	}
	return nil
}

// commandName is how the program was called: go run leaves nothing to call again.
func commandName() string {
	if exe, err := os.Executable(); err == nil && filepath.Base(filepath.Dir(exe)) == "exe" {
		return "go run ./cmd/fv-train"
	}
	return "fv-train"
}
