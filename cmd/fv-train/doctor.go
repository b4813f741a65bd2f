package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/pipeline/dataset"
	"github.com/faceverify/fv/pipeline/doctor"
)

type doctorCmd struct {
	Folder string `arg:"" help:"Folder with one sub-folder of images for each identity, or a pack or list of images."`

	Model      string `placeholder:"RUN" help:"Run folder or model file, which finds people under wrong, two or shared names. Default: pictures are compared, people are not."`
	Against    string `placeholder:"DIR" help:"Images of an evaluation, which should share nothing with the folder. Default: none."`
	Images     string `placeholder:"DIR" help:"Folder that the paths of a list start from. Default: the list's."`
	Out        string `short:"o" default:"doctor.html" placeholder:"FILE" help:"Report to write. Default: ${default}."`
	Plan       string `placeholder:"FILE.csv" help:"Write what could be set aside, a line an image: edit the column action (move or keep), then use --fix. Default: none."`
	Fix        string `placeholder:"FILE.csv" help:"Do what an edited plan says: move images to the quarantine folder. Nothing else is done, nothing is deleted. Default: none."`
	Quarantine string `placeholder:"DIR" help:"Where --fix moves images; outside the folder, on the same disk. Default: the folder's name with .quarantine at its end."`
	Threads    int    `help:"Threads of the model; 0 means all processors. Default: ${default}." default:"0"`
}

func (c *doctorCmd) Run(e *env) error {
	if c.Fix != "" {
		return c.fix(e)
	}
	for flag, path := range map[string]string{"--out": c.Out, "--plan": c.Plan} {
		if path == "" {
			continue
		}
		if err := cli.NewFile(flag, path, "NAME"); err != nil {
			return err
		}
	}
	if c.Quarantine != "" {
		return cli.Usagef("--quarantine: it goes with --fix")
	}
	if err := cli.Exists("FOLDER", c.Folder, "a folder with one sub-folder of images for each identity, or a pack or list of images"); err != nil {
		return err
	}
	set, err := dataset.Open(c.Folder, dataset.Options{Images: c.Images})
	if err != nil {
		return err
	}
	o := doctor.Options{Progress: e.counter("images")}
	if c.Against != "" {
		if o.Against, err = dataset.Open(c.Against, dataset.Options{}); err != nil {
			return cli.Usage(fmt.Errorf("--against: %w", err))
		}
	}
	if c.Model != "" {
		m, err := embed.OpenWith(c.Model, embed.Options{Threads: c.Threads, Batch: 64})
		if err != nil {
			return cli.Usage(fmt.Errorf("--model: %w", err))
		}
		defer m.Close()
		o.Model = &doctor.Model{Embedder: m, Mirror: m.Contract().Flip != embed.FlipNone, Classes: m.Model().Classes}
	}
	f, err := doctor.Examine(e.ctx, set, o)
	if err != nil {
		return err
	}
	report := f.Page(c.command(), "fv-train "+cli.Version())
	if err := atomicfile.Write(c.Out, report.Write); err != nil {
		return err
	}
	if c.Plan != "" {
		if err := atomicfile.Write(c.Plan, func(w io.Writer) error { return doctor.WritePlan(w, f.Plan()) }); err != nil {
			return err
		}
	}
	c.print(e, f)
	if e.json {
		return cli.WriteJSON(e.stdout, f.Summary(c.Out, c.Plan))
	}
	return nil
}

// command is what to type for the same report.
func (c *doctorCmd) command() string {
	words := []string{"fv-train doctor", c.Folder}
	for _, x := range []struct{ flag, value string }{{"--images", c.Images}, {"--model", c.Model}, {"--against", c.Against}} {
		if x.value != "" {
			words = append(words, x.flag, x.value)
		}
	}
	return strings.Join(words, " ")
}

func (c *doctorCmd) print(e *env, f *doctor.Findings) {
	s := f.Summary(c.Out, c.Plan)
	for _, w := range f.Set.Warnings {
		fmt.Fprintln(e.stderr, "warning: "+w)
	}
	w := e.text()
	fmt.Fprintf(w, "%d images of %d identities; %d unreadable\n", s.Images, s.Identities, len(s.Unreadable))
	fmt.Fprintf(w, "groups of the same file: %d; pairs that look the same: %d, under two names: %d\n", len(s.Copies), len(s.Near), s.NearTwoNames)
	if f.People != nil {
		fmt.Fprintf(w, "images that may be mislabelled: %d; identities that may be two people: %d; pairs that may be one: %d\n", len(s.Mislabeled), len(s.Split), len(s.Alike))
	}
	if f.Against != nil {
		fmt.Fprintf(w, "shared with %s, names: %d; files: %d; pictures that look the same: %d\n", c.Against, len(s.Overlap.Names), len(s.Overlap.Files), len(s.Overlap.Near))
	}
	fmt.Fprintf(w, "blurred: %d; dark or bright: %d\nreport: %s\n", len(s.Blurred), len(s.Exposure), c.Out)
	if c.Plan != "" {
		fmt.Fprintf(w, "plan: %s; edit its column action, then: fv-train doctor --fix %s %s\n", c.Plan, c.Plan, c.Folder)
	}
}

// fixedJSON is what --json prints after --fix.
type fixedJSON struct {
	Moved      int    `json:"moved"`
	Quarantine string `json:"quarantine"`
}

func (c *doctorCmd) fix(e *env) error {
	if c.Plan != "" || c.Model != "" || c.Against != "" {
		return cli.Usagef("--fix does what a plan says, and looks at nothing: leave --plan, --model and --against out")
	}
	plan, err := doctor.ReadPlan(c.Fix)
	if err != nil {
		return cli.Usage(fmt.Errorf("--fix: %w", err))
	}
	quarantine := c.Quarantine
	if quarantine == "" {
		quarantine = filepath.Clean(c.Folder) + ".quarantine"
	}
	moved, err := doctor.Fix(plan, c.Fix, c.Folder, quarantine)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.text(), "%d images moved to %s\n", moved, quarantine)
	if e.json {
		return cli.WriteJSON(e.stdout, fixedJSON{moved, quarantine})
	}
	return nil
}
