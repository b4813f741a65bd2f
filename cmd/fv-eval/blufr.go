package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/faceverify/fv/eval/blufr"
	"github.com/faceverify/fv/eval/matrix"
	"github.com/faceverify/fv/internal/cli"
)

type blufrCmd struct {
	Embeddings string `arg:"" name:"embeddings" help:"Embeddings of all images of LFW, or of another set: .npy with .names.csv, .parquet or .csv."`

	Lists   string `placeholder:"FILE.csv" help:"Trials drawn elsewhere, such as the benchmark's own: columns trial, set (test, gallery, probe) and name; see scripts/blufr-lists.py. Default: trials are drawn from --seed."`
	Missing string `default:"error" enum:"error,list,skip" help:"What to do about images of the lists that have no embedding: error names the first 20 and stops, list writes all to stdout and stops, skip leaves them out and counts them. Default: ${default}."`
	Trials  int    `default:"10" help:"Trials. Default: ${default}."`
	Train   int    `default:"1500" help:"People set aside for training in each trial. Default: ${default}."`
	Gallery int    `default:"1000" help:"People enrolled in each trial. Default: ${default}."`
	Seed    uint64 `default:"0" help:"What the trials draw. Default: ${default}."`
	Threads int    `default:"0" help:"Threads; 0 means one for each processor. Default: ${default}."`
}

// blufrFile is what --json prints.
type blufrFile struct {
	Version    string `json:"version"`
	Command    string `json:"command"`
	Embeddings string `json:"embeddings"`
	Lists      string `json:"lists"` // the file, or "seeded": drawn here, not the official ones
	*blufr.Result
}

func (c *blufrCmd) Run(e *env) error {
	if c.Trials < 2 || c.Train < 1 || c.Gallery < 1 {
		return cli.Usagef("--trials %d --train %d --gallery %d: want 2 or more trials, and 1 or more people", c.Trials, c.Train, c.Gallery)
	}
	o := blufr.Options{Trials: c.Trials, Train: c.Train, Gallery: c.Gallery, Seed: c.Seed, SkipMissing: c.Missing == "skip", Threads: c.Threads}
	from := "seeded"
	if c.Lists != "" {
		from = c.Lists
		var err error
		if o.Lists, err = blufr.ReadLists(c.Lists); err != nil {
			return fmt.Errorf("--lists: %w", err)
		}
	}
	m, err := matrix.Read(c.Embeddings)
	if err != nil {
		return formatUsage("", err)
	}
	bar := newProgress(e.stderr, "measuring", "trials")
	o.Progress = bar.set
	r, err := blufr.Measure(e.ctx, m, o)
	bar.done()
	if err != nil {
		return listMissing(e, c.Missing, err)
	}
	w := e.text()
	if c.Lists != "" {
		fmt.Fprintf(w, "%s: the %d trials of %s; %d of their images have no embedding\n", c.Embeddings, len(r.Trials), c.Lists, r.Missing)
	} else {
		fmt.Fprintf(w, "%s: %d trials drawn from seed %d (not the official lists); %d people set aside, %d enrolled\n", c.Embeddings, c.Trials, c.Seed, c.Train, c.Gallery)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  trial\tpeople\timages\tgenuine\timpostor\tVR at FAR 0.1 %\tDIR at FPIR 1 %, rank 1\tmated\tnon-mated")
	for i, k := range r.Trials {
		fmt.Fprintf(t, "  %d\t%d\t%d\t%d\t%d\t%.2f %%\t%.2f %%\t%d\t%d\n", i+1, k.People, k.Images, k.Genuine, k.Impostor, 100*k.VR.TAR.Value, 100*k.DIR.DIR.Value, k.Mated, k.NonMated)
	}
	t.Flush()
	for _, s := range []struct {
		name string
		blufr.Summary
	}{{"VR at FAR 0.1 %", r.VR}, {"DIR at FPIR 1 %, rank 1", r.DIR}} {
		fmt.Fprintf(w, "  %s: μ - σ = %.2f %% (%.2f ± %.2f)\n", s.name, 100*s.Report, 100*s.Mean, 100*s.Std)
	}
	if e.json {
		return cli.WriteJSON(e.stdout, blufrFile{cli.Version(), commandLine(e.args), c.Embeddings, from, r})
	}
	return nil
}
