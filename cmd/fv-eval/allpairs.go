package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/disintegration/imaging"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/allpairs"
	"github.com/faceverify/fv/eval/matrix"
	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/internal/mpi"
	"github.com/faceverify/fv/internal/mpi/team"
	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/pipeline/dataset"
)

type allPairsCmd struct {
	Embeddings string `arg:"" name:"embeddings" help:"Embeddings with their identities, as fv-eval embed writes them: .npy with .names.csv, .parquet or .csv."`
	Probes     string `arg:"" optional:"" name:"probes" help:"Embeddings to score against the first, each with each, instead of the first among themselves. Default: none."`

	FAR     []float64 `name:"far" default:"0.1,0.01,0.001,0.0001,1e-5,1e-6" help:"False accept rates to give thresholds for. Default: ${default}."`
	Hardest int       `default:"0" placeholder:"K" help:"List the K genuine pairs with the lowest and the K impostor pairs with the highest scores: mislabelled images are often among them. Default: ${default}."`
	Out     string    `short:"o" placeholder:"DIR" help:"Folder for pictures, result.json and report.html. Default: none is written."`
	Images  string    `placeholder:"DIR" help:"Folder that the embeddings' names are below, for small pictures of the hardest pairs in the report. Default: none."`
	Threads int       `default:"0" help:"Threads; 0 means one for each processor. Default: ${default}."`
	ranked  `embed:""`

	unread int // images that thumbnails could not read
}

// allPairsFile is result.json, and what --json prints.
type allPairsFile struct {
	Version    string `json:"version"`
	Command    string `json:"command"`
	Embeddings string `json:"embeddings"`
	ProbesFile string `json:"probes_file"` // "" where there is one matrix
	*allpairs.Result
	HardestGenuine  []hardPair `json:"hardest_genuine"`
	HardestImpostor []hardPair `json:"hardest_impostor"`
}

// hardPair is one of the hardest pairs with its names.
type hardPair struct {
	A         string  `json:"a"`
	B         string  `json:"b"`
	IdentityA string  `json:"identity_a"`
	IdentityB string  `json:"identity_b"`
	Cosine    float64 `json:"cosine"`
	Degrees   float64 `json:"degrees"`
}

func (c *allPairsCmd) Run(e *env) error { return c.together(e, func() error { return c.run(e) }) }

func (c *allPairsCmd) run(e *env) error {
	switch {
	case c.Hardest < 0 || c.Hardest > 1e6:
		return cli.Usagef("--hardest %d: want 0 to 1000000", c.Hardest)
	case c.Threads < 0:
		return cli.Usagef("--threads %d: want 0 or more", c.Threads)
	case c.Images != "" && (c.Out == "" || c.Hardest == 0):
		return cli.Usagef("--images is for the report's pictures of the hardest pairs: it needs --out and --hardest")
	}
	if c.Images != "" && e.team.Writes() {
		if err := cli.ExistingFolder("--images", c.Images, wantFolder); err != nil {
			return err
		}
	}
	if c.Out != "" && e.team.Writes() {
		if err := checkOut(c.Out); err != nil {
			return err
		}
	}
	if err := checkFARs(c.FAR); err != nil {
		return err
	}
	var gallery, probes *matrix.Matrix
	err := e.each("the reading", func() (err error) {
		if gallery, err = matrix.Read(c.Embeddings); err != nil {
			return formatUsage("", err)
		}
		probes = gallery
		if c.Probes != "" {
			if probes, err = matrix.Read(c.Probes); err != nil {
				return formatUsage("", err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := e.sameStart(fmt.Sprintf("--hardest %d", c.Hardest), gallery, probes); err != nil {
		return err
	}
	var tally *allpairs.Tally
	bar := newProgress(e.stderr, "scoring", "pairs")
	err = e.team.Work(e.ctx, "the scoring", bar.set, func(ctx context.Context, did func(done, total int)) (err error) {
		tally, err = allpairs.NewTally(gallery, probes, allpairs.Options{FARs: c.FAR, Hardest: c.Hardest, Threads: e.threads(c.Threads)})
		if err != nil {
			return err
		}
		return tally.Count(ctx, e.team.Rank(), e.team.Size(), did)
	})
	bar.done()
	if err != nil {
		return err
	}
	threads, err := e.gatherTally(tally)
	if err != nil {
		return err
	}
	return e.first("the report", func() error {
		result, err := tally.Result()
		if err != nil {
			return err
		}
		result.Threads = threads
		return c.report(e, result, gallery, probes)
	})
}

// gatherTally makes the tally of rank 0 that of all ranks, and returns how many threads have counted.
func (e *env) gatherTally(tally *allpairs.Tally) (threads int, err error) {
	genuine, impostor := tally.Counts()
	all := []int{tally.Threads()}
	for _, counts := range [][]int{genuine, impostor, all} {
		if err := mpi.SumInts(e.team, counts); err != nil {
			return 0, err
		}
	}
	var own hardestPairs
	own.Genuine, own.Impostor = tally.Hardest()
	return all[0], team.Collect(e.team, own, func(rank int, theirs hardestPairs) {
		if rank != e.team.Rank() {
			tally.Offer(theirs.Genuine, theirs.Impostor)
		}
	})
}

// hardestPairs are those that a rank found.
type hardestPairs struct{ Genuine, Impostor []allpairs.Pair }

// report prints and writes what was measured.
func (c *allPairsCmd) report(e *env, result *allpairs.Result, gallery, probes *matrix.Matrix) error {
	doc := allPairsFile{
		Version: cli.Version(), Command: commandLine(e.args), Embeddings: c.Embeddings, ProbesFile: c.Probes, Result: result,
		HardestGenuine: namePairs(result.HardestGenuine, gallery, probes), HardestImpostor: namePairs(result.HardestImpostor, gallery, probes),
	}
	doc.print(e.text())
	if c.Out != "" {
		if err := c.write(e, &doc); err != nil {
			return err
		}
	}
	if e.json {
		return cli.WriteJSON(e.stdout, doc)
	}
	return nil
}

// wantFolder is what --images should name.
const wantFolder = "the folder that the images are below"

// checkOut returns an error if --out cannot be a folder, before any work is done for it.
func checkOut(dir string) error {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return cli.Usagef("--out: %s is a file; want a folder to write to", dir)
	}
	return nil
}

func checkFARs(fars []float64) error {
	for _, far := range fars {
		if !(far > 0 && far < 1) {
			return cli.Usagef("--far %v: want rates between 0 and 1", far)
		}
	}
	return nil
}

func namePairs(pairs []allpairs.Pair, a, b *matrix.Matrix) []hardPair {
	out := []hardPair{}
	for _, p := range pairs {
		out = append(out, hardPair{a.Names[p.A], b.Names[p.B], a.Identities[p.A], b.Identities[p.B], p.Score, eval.NewThreshold(p.Score).Degrees})
	}
	return out
}

func (d *allPairsFile) print(w io.Writer) {
	what := fmt.Sprintf("%s: all pairs of %d embeddings", filepath.Base(d.Embeddings), d.N)
	if d.ProbesFile != "" {
		what = fmt.Sprintf("%s x %s: %d x %d embeddings", filepath.Base(d.Embeddings), filepath.Base(d.ProbesFile), d.N, d.Probes)
	}
	fmt.Fprintf(w, "%s of %d values, %d identities: %d genuine and %d impostor pairs in %.2f s\n", what, d.Dim, d.Identities, d.Genuine, d.Impostor, d.Seconds)
	fmt.Fprintf(w, "  AUC %.7f ± %.1g   EER %.3f %%   overlap of the angles %.2f %%\n", d.AUC, d.AUCError, 100*d.EER.Value, 100*d.Angles.Overlap)
	for _, s := range []struct {
		name string
		eval.AngleSide
	}{{"positive", d.Angles.Positive}, {"negative", d.Angles.Negative}} {
		fmt.Fprintf(w, "  angles of %s pairs: mean %.2f°, σ %.2f°, mode %.1f°", s.name, degrees(s.Mean), degrees(s.Std), degrees(s.Mode))
		for _, q := range s.Quantiles {
			if q.P == 0.01 || q.P == 0.5 || q.P == 0.99 {
				fmt.Fprintf(w, ", %g %% at or below %.2f°", 100*q.P, degrees(q.Angle))
			}
		}
		fmt.Fprintln(w)
	}
	if d.AngularFisher != nil {
		fmt.Fprintf(w, "  angular Fisher score %.4f\n", *d.AngularFisher)
	}
	printPoints(w, d.OperatingPoints, d.Impostor)
	for _, list := range []struct {
		name  string
		pairs []hardPair
	}{{"hardest genuine pairs", d.HardestGenuine}, {"hardest impostor pairs", d.HardestImpostor}} {
		if len(list.pairs) == 0 {
			continue
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintf(t, "\n  %s\n  cosine\tangle\ta\tb\n", list.name)
		for _, p := range list.pairs {
			fmt.Fprintf(t, "  %.4f\t%.2f°\t%s\t%s\n", p.Cosine, p.Degrees, p.A, p.B)
		}
		t.Flush()
	}
}

func degrees(radians float64) float64 { return radians * 180 / math.Pi }

// write writes the report, the pictures and result.json.
func (c *allPairsCmd) write(e *env, doc *allPairsFile) error {
	name := filepath.Base(c.Embeddings)
	result := eval.FromROC(doc.ROC, c.FAR)
	result.Angles, result.AngularFisher = doc.Angles, doc.AngularFisher
	o := eval.ReportOptions{
		Title:    "All pairs: " + name,
		Subtitle: fmt.Sprintf("%d genuine and %d impostor pairs of %s", doc.Genuine, doc.Impostor, strings.TrimSuffix(c.Embeddings+" x "+c.Probes, " x ")),
		Results:  []eval.NamedResult{{Name: name, Result: result}},
		Intro: []page.Block{page.Text(fmt.Sprintf("Every pair is scored; scores are counted in bins %.1e wide, whose edges are the thresholds, so every rate is exact. The AUC is %.7f ± %.1g.",
			doc.BinWidth, doc.AUC, doc.AUCError))},
		Settings: page.Fields{
			{Name: "Embeddings", Value: fmt.Sprintf("%s: %d of %d values", c.Embeddings, doc.N, doc.Dim)},
			{Name: "Identities", Value: fmt.Sprint(doc.Identities)},
		},
		Command: doc.Command, Version: "fv-eval " + doc.Version,
	}
	if c.Probes != "" {
		o.Settings = append(o.Settings, page.Field{Name: "Probes", Value: fmt.Sprintf("%s: %d", c.Probes, doc.Probes)})
	}
	for _, s := range []struct {
		id, title, text string
		pairs           []hardPair
	}{
		{"hard-genuine", "Hardest genuine pairs", "One person, says the label, and yet the lowest scores. Wrong labels, profiles and damaged images gather here.", doc.HardestGenuine},
		{"hard-impostor", "Hardest impostor pairs", "Two people, say the labels, and yet the highest scores. One person under two names, and twins, gather here.", doc.HardestImpostor},
	} {
		if len(s.pairs) > 0 {
			o.Sections = append(o.Sections, page.Section{ID: s.id, Title: s.title, Blocks: c.hardBlocks(s.text, s.pairs)})
		}
	}
	files, err := eval.WriteOutputs(c.Out, o)
	if err != nil {
		return err
	}
	if c.unread > 0 {
		fmt.Fprintf(e.stderr, "warning: %d pictures of the hardest pairs could not be read below %s; they are grey in the report\n", c.unread, c.Images)
	}
	err = atomicfile.Write(filepath.Join(c.Out, "result.json"), func(w io.Writer) error { return cli.WriteJSON(w, doc) })
	if err != nil {
		return err
	}
	fmt.Fprintf(e.text(), "\nwritten to %s: %s, result.json\n", c.Out, strings.Join(files, ", "))
	return nil
}

func (c *allPairsCmd) hardBlocks(text string, pairs []hardPair) []page.Block {
	blocks := []page.Block{page.Text(text)}
	if c.Images != "" {
		var row page.Row
		for _, p := range pairs {
			row = append(row, page.Figure{
				PNG: c.thumbnails(p.A, p.B), Alt: p.A + " and " + p.B,
				Caption: fmt.Sprintf("%s · %s: cosine %.4f, %.2f°", p.A, p.B, p.Cosine, p.Degrees),
			})
		}
		blocks = append(blocks, row)
	}
	t := page.Table{Head: []string{"a", "b", "cosine", "angle"}, Text: 2}
	for _, p := range pairs {
		t.Rows = append(t.Rows, []string{p.A, p.B, fmt.Sprintf("%.4f", p.Cosine), fmt.Sprintf("%.2f°", p.Degrees)})
	}
	return append(blocks, t)
}

// thumbnails draws two images side by side; one that cannot be read stays grey.
func (c *allPairsCmd) thumbnails(names ...string) []byte {
	const side, gap = 112, 6
	sheet := imaging.New(len(names)*(side+gap)-gap, side, color.Transparent)
	for i, name := range names {
		at := image.Pt(i*(side+gap), 0)
		sheet = imaging.Paste(sheet, imaging.New(side, side, color.NRGBA{0x80, 0x80, 0x80, 0xff}), at)
		path := filepath.FromSlash(name)
		var img image.Image
		err := fs.ErrInvalid
		if filepath.IsLocal(path) {
			img, err = dataset.DecodeFile(filepath.Join(c.Images, path), dataset.Limits{})
		}
		if err != nil {
			c.unread++
			continue
		}
		sheet = imaging.Paste(sheet, imaging.Fill(img, side, side, imaging.Center, imaging.Linear), at)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, sheet); err != nil {
		panic(err) // a buffer takes everything, and the size is right
	}
	return b.Bytes()
}
