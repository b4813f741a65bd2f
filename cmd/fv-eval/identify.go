package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/identify"
	"github.com/faceverify/fv/eval/matrix"
	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/internal/mpi/team"
	"github.com/faceverify/fv/internal/page"
)

type identifyCmd struct {
	Gallery string `required:"" placeholder:"FILE" help:"Embeddings of the people enrolled: .npy with .names.csv, .parquet or .csv. Needed."`
	Probes  string `required:"" placeholder:"FILE" help:"Embeddings to search for; those of people not enrolled are non-mated probes. Needed."`
	Unknown string `placeholder:"FILE" help:"Embeddings of people who are not enrolled: more non-mated probes. Default: none."`

	Enrol     string    `default:"mean" enum:"one,mean" help:"Template of an identity with several images: its first image, or the mean of all. Default: ${default}."`
	FPIR      []float64 `name:"fpir" default:"0.1,0.01,0.001" help:"False positive identification rates to give thresholds for. Default: ${default}."`
	Rank      int       `default:"1" help:"Rank that a mate must reach to count as identified. Default: ${default}."`
	Normalise string    `default:"none" enum:"none,z,t,s" help:"Normalise scores by those of --cohort: by the template's (z), by the probe's (t), or by both (s). Default: ${default}."`
	Cohort    string    `placeholder:"FILE" help:"Embeddings of people who are neither enrolled nor searched for, to normalise by. Default: none."`
	Out       string    `short:"o" placeholder:"DIR" help:"Folder for pictures, result.json and report.html. Default: none is written."`
	Threads   int       `default:"0" help:"Threads; 0 means one for each processor. Default: ${default}."`
	ranked    `embed:""`
}

// identifyFile is result.json, and what --json prints.
type identifyFile struct {
	Version     string `json:"version"`
	Command     string `json:"command"`
	GalleryFile string `json:"gallery_file"`
	ProbesFile  string `json:"probes_file"`
	UnknownFile string `json:"unknown_file"`
	CohortFile  string `json:"cohort_file"`
	*identify.Result
}

func (c *identifyCmd) Run(e *env) error { return c.together(e, func() error { return c.run(e) }) }

func (c *identifyCmd) run(e *env) error {
	for _, f := range c.FPIR {
		if !(f > 0 && f < 1) {
			return cli.Usagef("--fpir %v: want rates between 0 and 1", f)
		}
	}
	if c.Rank < 1 {
		return cli.Usagef("--rank %d: want 1 or more", c.Rank)
	}
	if (c.Normalise == "none") != (c.Cohort == "") {
		return cli.Usagef("--normalise %s and --cohort %q: each needs the other", c.Normalise, c.Cohort)
	}
	var files [4]*matrix.Matrix
	err := e.each("the reading", func() (err error) {
		for i, f := range []struct{ flag, path string }{{"--gallery ", c.Gallery}, {"--probes ", c.Probes}, {"--unknown ", c.Unknown}, {"--cohort ", c.Cohort}} {
			if f.path == "" {
				continue
			}
			if files[i], err = matrix.Read(f.path); err != nil {
				return formatUsage(f.flag, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := e.sameStart(fmt.Sprintf("--enrol %s --normalise %s", c.Enrol, c.Normalise), files[:]...); err != nil {
		return err
	}
	var trial *identify.Trial
	bar := newProgress(e.stderr, "searching", "probes")
	part, parts := e.team.Rank(), e.team.Size()
	err = e.team.Work(e.ctx, "the searching", bar.set, func(ctx context.Context, did func(done, total int)) (err error) {
		trial, err = identify.NewTrial(files[0], files[1], files[2], identify.Options{
			Enrol: c.Enrol, FPIRs: c.FPIR, Rank: c.Rank, Normalise: c.Normalise, Cohort: files[3], Threads: e.threads(c.Threads),
		})
		if err != nil {
			return err
		}
		return trial.Search(ctx, part, parts, did)
	})
	bar.done()
	if err != nil {
		return err
	}
	if err := team.Collect(e.team, trial.Found(part, parts), func(rank int, found []identify.Search) { trial.Put(rank, parts, found) }); err != nil {
		return err
	}
	return e.first("the report", func() error {
		result, err := trial.Result()
		if err != nil {
			return err
		}
		return c.report(e, result)
	})
}

// report prints and writes what was measured.
func (c *identifyCmd) report(e *env, result *identify.Result) error {
	doc := identifyFile{cli.Version(), commandLine(e.args), c.Gallery, c.Probes, c.Unknown, c.Cohort, result}
	doc.print(e.text())
	if c.Out != "" {
		if err := doc.write(c.Out); err != nil {
			return err
		}
		fmt.Fprintf(e.text(), "\nwritten to %s: cmc.png, cmc.svg, identification.png, identification.svg, report.html, report.md, result.json\n", c.Out)
	}
	if e.json {
		return cli.WriteJSON(e.stdout, doc)
	}
	return nil
}

// setting says what was searched in what.
func (d *identifyFile) setting() string {
	s := fmt.Sprintf("a gallery of %d people (%d images, enrolment %s); %d mated and %d non-mated probes", d.Gallery, d.GalleryImages, d.Enrol, d.Mated, d.NonMated)
	if d.Excluded > 0 {
		s += fmt.Sprintf(" (%d probes left out: they are enrolled images)", d.Excluded)
	}
	if d.Cohort > 0 {
		s += fmt.Sprintf("; scores normalised (%s) by a cohort of %d images", d.Normalise, d.Cohort)
	}
	return s
}

// units are the threshold as score, angle and squared distance; normalised scores have no angle.
func (d *identifyFile) units(t eval.Threshold, angle string) []string {
	if math.IsNaN(t.Angle) {
		return []string{fmt.Sprintf("%.4f", t.Score), "-", "-"}
	}
	return []string{fmt.Sprintf("%.4f", t.Score), fmt.Sprintf(angle, t.Degrees), fmt.Sprintf("%.4f", t.SquaredL2)}
}

// score is what the thresholds are of.
func (d *identifyFile) score() string {
	if d.Cohort > 0 {
		return "score"
	}
	return "cosine"
}

func (d *identifyFile) print(w io.Writer) {
	fmt.Fprintf(w, "%s: %s\n", filepath.Base(d.GalleryFile), d.setting())
	for _, k := range d.CMC {
		fmt.Fprintf(w, "  rank %d: %s\n", k.Rank, rate(k.Rate))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\n  FPIR at most\t%s\tangle\tsquared L2\tfalse positives\tFPIR (95 %%)\tDIR at rank %d (95 %%)\n", d.score(), d.Rank)
	for _, p := range d.Points {
		if !p.Resolved {
			fmt.Fprintf(t, "  %g\tnot resolved by %d non-mated probes\n", p.Target, d.NonMated)
			continue
		}
		fmt.Fprintf(t, "  %g\t%s\t%d/%d\t%s\t%s\n", p.Target, strings.Join(d.units(*p.Threshold, "%.2f°"), "\t"), p.FPIR.Count, p.FPIR.Total, rate(*p.FPIR), rate(*p.DIR))
	}
	t.Flush()
}

func (d *identifyFile) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	cmc, errors := eval.PlotCMC(d.Ranks), eval.PlotIdentification(d.Curve)
	report, err := d.page(cmc, errors)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"cmc.png", cmc.WritePNG}, {"cmc.svg", cmc.WriteSVG}, {"identification.png", errors.WritePNG}, {"identification.svg", errors.WriteSVG},
		{"report.html", report.Write}, {"report.md", report.WriteMarkdown}, {"result.json", func(w io.Writer) error { return cli.WriteJSON(w, d) }},
	} {
		if err := atomicfile.Write(filepath.Join(dir, f.name), f.write); err != nil {
			return err
		}
	}
	return nil
}

func (d *identifyFile) page(cmc, errors *eval.Picture) (*page.Page, error) {
	cmcSVG, err := cmc.PageSVG("CMC: share of mated probes whose mate is among the k highest scores")
	if err != nil {
		return nil, err
	}
	errorsSVG, err := errors.PageSVG("False negative against false positive identification rate")
	if err != nil {
		return nil, err
	}
	percent := func(r eval.Rate) string {
		return fmt.Sprintf("%.2f %% [%.2f, %.2f]", 100*r.Value, 100*r.Low, 100*r.High)
	}
	ranks := page.Table{Head: []string{"rank", "mated probes found"}, Text: 1}
	for _, k := range d.CMC {
		ranks.Rows = append(ranks.Rows, []string{fmt.Sprint(k.Rank), percent(k.Rate)})
	}
	points := page.Table{Head: []string{"", d.score(), "angle", "squared L2", "FPIR", fmt.Sprintf("DIR, rank %d", d.Rank), "FNIR"}, Text: 1}
	cards := page.Cards{{Label: "Rank 1", Value: fmt.Sprintf("%.2f %%", 100*d.Ranks[0]), Detail: fmt.Sprintf("of %d mated probes, gallery of %d", d.Mated, d.Gallery)}}
	for _, p := range d.Points {
		label := fmt.Sprintf("FPIR ≤ %g", p.Target)
		if !p.Resolved {
			points.Rows = append(points.Rows, []string{label, "—", "—", "—", fmt.Sprintf("not resolved by %d non-mated probes", d.NonMated), "—", "—"})
			continue
		}
		row := append([]string{label}, d.units(*p.Threshold, "%.2f°")...)
		points.Rows = append(points.Rows, append(row, percent(*p.FPIR), percent(*p.DIR), percent(*p.FNIR)))
		cards = append(cards, page.Card{Label: fmt.Sprintf("DIR at FPIR ≤ %g", p.Target), Value: fmt.Sprintf("%.2f %%", 100*p.DIR.Value), Detail: fmt.Sprintf("rank %d, gallery of %d", d.Rank, d.Gallery)})
	}
	scores := "cosines"
	if d.Cohort > 0 {
		scores = fmt.Sprintf("%s-norm by %s, %d images", d.Normalise, d.CohortFile, d.Cohort)
	}
	return &page.Page{
		Title: "Identification: " + filepath.Base(d.GalleryFile), Subtitle: strings.ToUpper(d.setting()[:1]) + d.setting()[1:],
		Lead: []page.Block{cards},
		Sections: []page.Section{
			{ID: "ranks", Title: "Who is it? (closed set)", Blocks: []page.Block{
				page.Text("Everyone searched for is enrolled, and no threshold is applied: how often is the right person among the k most similar?"),
				page.Figure{Title: "CMC", SVG: cmcSVG, Alt: "CMC", File: "cmc.png", Caption: "Cumulative match characteristic."}, ranks,
			}},
			{ID: "open", Title: "Is it anyone we know? (open set)", Blocks: []page.Block{
				page.Text("A threshold decides whether the most similar person is named at all. FPIR is the share of strangers for whom someone is named; DIR the share of people enrolled who are named rightly, FNIR = 1 - DIR. A larger gallery makes both harder. In brackets: 95 % Clopper-Pearson intervals."),
				page.Figure{Title: "FNIR against FPIR", SVG: errorsSVG, Alt: "FNIR against FPIR", File: "identification.png", Caption: "Nearer to the lower left is better."}, points,
			}},
			{ID: "settings", Title: "Data and settings", Blocks: []page.Block{
				page.Fields{{Name: "Gallery", Value: d.GalleryFile}, {Name: "Probes", Value: d.ProbesFile}, {Name: "Unknown", Value: d.UnknownFile}, {Name: "Scores", Value: scores}, {Name: "Enrolment", Value: d.Enrol}, {Name: "Embedding", Value: fmt.Sprintf("%d values", d.Dim)}},
				page.Text("The command that made this page:"), page.Code(d.Command),
			}},
		},
		Footer: "Made by fv-eval " + d.Version + ".",
	}, nil
}
