package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/faceverify/fv/eval"
)

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
	} else if r.NoIntervals != "" {
		fmt.Fprintf(w, "  no intervals over identities: %s\n", r.NoIntervals)
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
	printGroups(w, r.Groups)
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

// printGroups writes a table for each threshold that the groups stand at.
func printGroups(w io.Writer, groups []*eval.Breakdown) {
	maybe := func(r *eval.Rate) string {
		if r == nil {
			return "-"
		}
		return rate(*r)
	}
	for _, b := range groups {
		for _, at := range b.At {
			t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			fmt.Fprintf(t, "\n  %s, score %.4f (%s)\tgenuine\timpostor\taccuracy\tFMR (95 %%)\tFNMR (95 %%)\n", b.Column, at.Threshold.Score, at.For)
			for _, g := range at.Groups {
				fmt.Fprintf(t, "  %s\t%d\t%d\t%.2f %%\t%s\t%s\n", g.Name, g.Genuine, g.Impostor, 100*g.Accuracy.Value, maybe(g.FMR), maybe(g.FNMR))
			}
			t.Flush()
		}
	}
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
