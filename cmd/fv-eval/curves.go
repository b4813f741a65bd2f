package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/internal/cli"
)

type curvesCmd struct {
	Files []string `arg:"" name:"file" help:"ROC points that others published: lines TPR FPR, from either end."`

	Out string `short:"o" placeholder:"DIR" help:"Folder for the pictures roc, roc-log and det (.png and .svg). Default: none are written."`
}

// curvesFile is what --json prints.
type curvesFile struct {
	Version string         `json:"version"`
	Command string         `json:"command"`
	Curves  []curveSummary `json:"curves"`
}

type curveSummary struct {
	Name    string  `json:"name"`
	File    string  `json:"file"`
	Points  int     `json:"points"`
	Skipped int     `json:"skipped"` // points with a NaN
	AUC     float64 `json:"auc"`
	EER     float64 `json:"eer"`
}

func (c *curvesCmd) Run(e *env) error {
	if c.Out != "" {
		if err := checkOut(c.Out); err != nil {
			return err
		}
	}
	doc := curvesFile{Version: cli.Version(), Command: commandLine(e.args)}
	var curves []*eval.Curve
	for _, path := range c.Files {
		if err := cli.ExistingFile("FILE", path, "a file of points, a true and a false positive rate a line"); err != nil {
			return err
		}
		curve, err := eval.ReadCurve(path)
		if err != nil {
			return err
		}
		curves = append(curves, curve)
		doc.Curves = append(doc.Curves, curveSummary{curve.Name, path, len(curve.FAR), curve.Skipped, curve.AUC(), curve.EER()})
	}
	t := tabwriter.NewWriter(e.text(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  system\tpoints\tleft out\tAUC\tEER")
	for _, s := range doc.Curves {
		fmt.Fprintf(t, "  %s\t%d\t%d\t%.5f\t%.2f %%\n", s.Name, s.Points, s.Skipped, s.AUC, 100*s.EER)
	}
	t.Flush()
	if c.Out != "" {
		files, err := eval.WriteCurves(c.Out, curves)
		if err != nil {
			return err
		}
		fmt.Fprintf(e.text(), "\nwritten to %s: %s\n", filepath.Clean(c.Out), strings.Join(files, ", "))
	}
	if e.json {
		return cli.WriteJSON(e.stdout, doc)
	}
	return nil
}
