package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/compare"
	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/internal/page"
)

type compareCmd struct {
	Scores []string `arg:"" name:"scores" help:"Two or more score files (label,score,a,b), or folders that fv-eval verify wrote; the others are compared with the first."`

	FAR       []float64 `name:"far" default:"0.1,0.01,0.001,0.0001" help:"False accept rates to compare the TAR at. Default: ${default}."`
	Bootstrap int       `default:"1000" placeholder:"N" help:"Replicates of a bootstrap over identities, for 95 % intervals of the differences; 0 for none. Default: ${default}."`
	Seed      uint64    `default:"1" help:"What the bootstrap draws. Default: ${default}."`
	Out       string    `short:"o" placeholder:"DIR" help:"Folder for overlaid pictures, result.json and report.html. Default: none is written."`
}

// compareFile is result.json, and what --json prints.
type compareFile struct {
	Version     string                `json:"version"`
	Command     string                `json:"command"`
	Systems     []namedResult         `json:"systems"`
	Comparisons []*compare.Comparison `json:"comparisons"` // of each other system with the first
	Warnings    []string              `json:"warnings"`
}

type namedResult struct {
	Name string `json:"name"`
	File string `json:"file"`
	*eval.Result
}

func (c *compareCmd) Run(e *env) error {
	if len(c.Scores) < 2 {
		return cli.Usagef("one set of scores: want two or more to compare")
	}
	if c.Bootstrap < 0 || c.Bootstrap > 1e6 {
		return cli.Usagef("--bootstrap %d: want 0 to 1000000", c.Bootstrap)
	}
	if err := checkFARs(c.FAR); err != nil {
		return err
	}
	doc := &compareFile{Version: cli.Version(), Command: commandLine(e.args), Comparisons: []*compare.Comparison{}, Warnings: []string{}}
	names := shortNames(c.Scores)
	var first *scoreSet
	var a compare.System
	for i, path := range c.Scores {
		set, err := readScoreSet(path)
		if err != nil {
			return err
		}
		result, err := eval.Evaluate(set.scores, set.pairs, eval.Options{FARs: c.FAR, Protocols: []string{eval.OpenSphere}})
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		doc.Systems = append(doc.Systems, namedResult{names[i], path, result})
		b := compare.System{Name: names[i], Scores: set.scores, ROC: set.roc}
		if i == 0 {
			first, a = set, b
			continue
		}
		if b.Scores, err = first.align(set); err != nil {
			doc.Warnings = append(doc.Warnings, fmt.Sprintf("%s is drawn but not tested against %s: %v", path, c.Scores[0], err))
			continue
		}
		comparison := compare.New(a, b, first.pairs, compare.Options{FARs: c.FAR, Bootstrap: c.Bootstrap, Seed: c.Seed})
		if comparison.NoIntervals != "" {
			doc.Warnings = append(doc.Warnings, fmt.Sprintf("no intervals for %s: %s", names[i], comparison.NoIntervals))
		}
		doc.Comparisons = append(doc.Comparisons, comparison)
	}
	doc.print(e.text())
	if c.Out != "" {
		files, err := doc.write(c.Out)
		if err != nil {
			return err
		}
		fmt.Fprintf(e.text(), "\nwritten to %s: %s, result.json\n", c.Out, strings.Join(files, ", "))
	}
	if e.json {
		return cli.WriteJSON(e.stdout, doc)
	}
	return nil
}

// shortNames tells files apart by the last parts of their paths that differ.
func shortNames(paths []string) []string {
	for parts := 1; ; parts++ {
		seen := map[string]bool{}
		var names []string
		for _, path := range paths {
			split := strings.Split(strings.TrimSuffix(filepath.ToSlash(filepath.Clean(path)), "/scores.csv"), "/")
			name := strings.Join(split[max(0, len(split)-parts):], "/")
			if seen[name] && parts < 20 {
				break
			}
			seen[name] = true
			names = append(names, name)
		}
		if len(names) == len(paths) {
			return names
		}
	}
}

// align returns other's scores in the order of s's pairs, or says why they are not the same pairs.
func (s *scoreSet) align(other *scoreSet) ([]float64, error) {
	if len(s.scores) != len(other.scores) {
		return nil, fmt.Errorf("%d pairs, not %d", len(other.scores), len(s.scores))
	}
	type key struct {
		a, b string
		same bool
	}
	of := func(p eval.Pair) key {
		if p.A > p.B {
			p.A, p.B = p.B, p.A
		}
		return key{p.A, p.B, p.Same}
	}
	rows := map[key][]int{} // without names pairs are told apart by their order
	for i, p := range other.pairs.Pairs {
		rows[of(p)] = append(rows[of(p)], i)
	}
	out := make([]float64, len(s.scores))
	for i, p := range s.pairs.Pairs {
		k := of(p)
		if len(rows[k]) == 0 {
			return nil, fmt.Errorf("it lacks the pair %s %s of line %d with that label", p.A, p.B, p.Line)
		}
		if k.a == "" && k.b == "" && other.pairs.Pairs[i].Same != p.Same {
			return nil, fmt.Errorf("the labels of row %d differ, and the pairs have no names", i+1)
		}
		out[i], rows[k] = other.scores[rows[k][0]], rows[k][1:]
	}
	return out, nil
}

func (d *compareFile) print(w io.Writer) {
	for _, warning := range d.Warnings {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  system\tgenuine\timpostor\tAUC\tEER")
	for _, s := range d.Systems {
		fmt.Fprintf(t, "  %s\t%d\t%d\t%.5f\t%.2f %%\n", s.Name, s.Genuine, s.Impostor, s.AUC, 100*s.EER.Value)
	}
	t.Flush()
	for _, c := range d.Comparisons {
		fmt.Fprintf(w, "\n%s against %s\n", c.B, c.A)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintf(t, "  \t%s\t%s\tdifference (95 %%)\tp, bootstrap\tonly %s\tonly %s\tp, McNemar\n", c.A, c.B, c.A, c.B)
		for _, row := range differenceRows(c) {
			fmt.Fprintln(t, "  "+strings.Join(row, "\t"))
		}
		t.Flush()
	}
}

// differenceRows is a line of words for each difference.
func differenceRows(c *compare.Comparison) [][]string {
	var rows [][]string
	percent := func(x float64) string { return fmt.Sprintf("%.3f %%", 100*x) }
	for _, d := range c.Differences {
		row := []string{d.Quantity, percent(d.A), percent(d.B), fmt.Sprintf("%+.3f %%", 100*(d.B-d.A)), "-", "-", "-", "-"}
		if d.Interval != nil {
			row[3] += fmt.Sprintf(" [%+.3f, %+.3f]", 100*d.Interval.Low, 100*d.Interval.High)
			row[4] = fmt.Sprintf("%.2g", *d.P)
			if d.PAtMost {
				row[4] = "≤ " + row[4]
			}
		}
		if m := d.McNemar; m != nil {
			row[5], row[6], row[7] = fmt.Sprint(m.OnlyA), fmt.Sprint(m.OnlyB), fmt.Sprintf("%.2g", m.P)
			if m.P == 0 {
				row[7] = "< 1e-300"
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func (d *compareFile) write(dir string) ([]string, error) {
	o := eval.ReportOptions{Title: "Comparison of " + fmt.Sprint(len(d.Systems)) + " systems", Command: d.Command, Version: "fv-eval " + d.Version}
	var names []string
	for _, s := range d.Systems {
		names = append(names, s.Name)
		o.Results = append(o.Results, eval.NamedResult{Name: s.Name, Result: s.Result})
		o.Settings = append(o.Settings, page.Field{Name: s.Name, Value: s.File})
	}
	o.Subtitle = strings.Join(names, ", ")
	for _, warning := range d.Warnings {
		o.Intro = append(o.Intro, page.Note(warning+"."))
	}
	if len(d.Comparisons) > 0 {
		s := page.Section{ID: "differences", Title: "Is the difference more than chance?", Blocks: []page.Block{
			page.Text("Each system stands at its own thresholds. The interval is of the difference, from a bootstrap that draws the same people for both: one that holds 0 may be chance. McNemar's exact test looks at the pairs that only one of the two decides rightly (at a FAR: genuine pairs; at the EER: all); it takes pairs for independent, so its p is too small where people have many pairs."),
		}}
		for _, c := range d.Comparisons {
			s.Blocks = append(s.Blocks, page.Table{
				Caption: c.B + " against " + c.A, Text: 1, Rows: differenceRows(c),
				Head: []string{"", c.A, c.B, "difference (95 %)", "p, bootstrap", "only " + c.A, "only " + c.B, "p, McNemar"},
			})
		}
		o.Sections = append(o.Sections, s)
	}
	files, err := eval.WriteOutputs(dir, o)
	if err != nil {
		return nil, err
	}
	return files, atomicfile.Write(filepath.Join(dir, "result.json"), func(w io.Writer) error { return cli.WriteJSON(w, d) })
}
