package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/pipeline"
	"github.com/faceverify/fv/pipeline/dataset"
	"github.com/faceverify/fv/pipeline/recipe"
	"github.com/faceverify/fv/pipeline/synth"
)

type demoCmd struct {
	Out     string `short:"o" default:"fv-demo" placeholder:"DIR" help:"Folder for the faces, the two models and the report; a finished demo that is there is replaced, an interrupted one goes on. Default: ${default}."`
	Seed    uint64 `default:"1" help:"Seed of the faces and of the training. Default: ${default}."`
	Threads int    `default:"0" help:"Threads; 0 means one for each processor. Default: ${default}."`
	Quick   bool   `hidden:"" help:"A few people and steps, for tests."`
}

// demoData is how many people the demo draws, and how many pictures of each.
type demoData struct{ train, trainImages, test, testImages, epochs int }

var (
	fullDemo  = demoData{train: 200, trainImages: 20, test: 60, testImages: 10}
	quickDemo = demoData{train: 8, trainImages: 8, test: 6, testImages: 4, epochs: 1}
)

// What is in a demo's folder beside the two run folders.
const (
	demoMark   = "faces"       // says that a folder is a demo's
	demoReport = "report.html" // written last: a demo without it was interrupted
)

// demoRun is one of the two models.
type demoRun struct {
	folder, name, about string
	set                 [][2]string // settings that differ from the recipe's
	training            *pipeline.Result
	result              *eval.Result
}

func (c *demoCmd) Run(e *env) error {
	if c.Threads < 0 {
		return cli.Usagef("--threads %d: want 0 or more", c.Threads)
	}
	if err := c.check(); err != nil {
		return err
	}
	data := fullDemo
	if c.Quick {
		data = quickDemo
	}
	began := time.Now()
	runs := []*demoRun{
		{folder: "plain", name: "without a margin", set: [][2]string{{"head", "normface"}},
			about: "NormFace: softmax over scaled cosines. The loss is content as soon as an embedding is nearer to its own class than to the others."},
		{folder: "margin", name: "with a margin", set: [][2]string{{"head", "amsoftmax"}},
			about: "AM-Softmax: the same, but an embedding must be nearer to its own class by a margin of 0.35 in the cosine."},
	}
	if err := c.clear(runs); err != nil {
		return err
	}
	report, err := c.make(e, runs, data)
	if errors.Is(err, context.Canceled) {
		fmt.Fprintf(e.stderr, "%s goes on from there\n", c.command())
	}
	if err != nil {
		return err
	}
	return c.finish(e, runs, report, time.Since(began))
}

// command is what the user types for this demo.
func (c *demoCmd) command() string {
	s := "fv-train demo --out " + c.Out
	if c.Seed != 1 {
		s += fmt.Sprintf(" --seed %d", c.Seed)
	}
	return s
}

// make draws, trains and measures, and returns the path of the report.
func (c *demoCmd) make(e *env, runs []*demoRun, d demoData) (string, error) {
	if err := c.draw(e, d); err != nil {
		return "", err
	}
	for i, r := range runs {
		fmt.Fprintf(e.text(), "\n[%d/2] training %s\n", i+1, r.name)
		if err := c.train(e, r, d); err != nil {
			return "", err
		}
	}
	return c.report(e, runs, d)
}

// check returns an error if the folder holds anything but an earlier demo.
func (c *demoCmd) check() error {
	entries, err := os.ReadDir(c.Out)
	switch {
	case errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0:
		return nil
	case err != nil:
		return cli.Usage(fmt.Errorf("--out: %w", err))
	}
	if _, err := os.Stat(filepath.Join(c.Out, demoMark)); err != nil {
		return cli.WithHint(cli.Usagef("--out %s: the folder is not empty and holds no demo", c.Out), "give a folder that does not exist yet")
	}
	return nil
}

// clear makes room for another demo where one was finished. It leaves the runs of one that was
// interrupted. The report goes last, so that clear itself may be interrupted.
func (c *demoCmd) clear(runs []*demoRun) error {
	report := filepath.Join(c.Out, demoReport)
	if _, err := os.Stat(report); err != nil {
		return nil
	}
	for _, r := range runs {
		if err := os.RemoveAll(filepath.Join(c.Out, r.folder)); err != nil {
			return err
		}
	}
	return os.Remove(report)
}

// draw draws the faces to train on, and those of other people to be tested on.
func (c *demoCmd) draw(e *env, d demoData) error {
	root := filepath.Join(c.Out, demoMark)
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	fmt.Fprintf(e.text(), "drawing %d people to train on and %d strangers to be tested on\n", d.train, d.test)
	size, err := c.size()
	if err != nil {
		return err
	}
	err = synth.Write(e.ctx, filepath.Join(root, "train"), synth.Options{Identities: d.train, Images: d.trainImages, Seed: c.Seed, Size: size})
	if err != nil {
		return err
	}
	return synth.Write(e.ctx, filepath.Join(root, "test"), synth.Options{Identities: d.test, Images: d.testImages, Seed: c.Seed, First: d.train, Size: size})
}

// settings returns those of a run.
func (c *demoCmd) settings(set ...[2]string) (pipeline.Config, error) {
	config := pipeline.Default()
	r, err := recipe.Find("demo")
	if err != nil {
		return config, err
	}
	text, err := r.YAML()
	if err != nil {
		return config, err
	}
	if err := config.DecodeConfig("recipe demo", text); err != nil {
		return config, err
	}
	config.Data = filepath.Join(c.Out, demoMark, "train")
	config.Seed, config.Threads, config.Force = c.Seed, c.Threads, true
	for _, s := range set {
		if err := config.Set(s[0], s[1]); err != nil {
			return config, err
		}
	}
	return config, nil
}

// size returns the side of the pictures: that of the network's input.
func (c *demoCmd) size() (int, error) {
	config, err := c.settings()
	return config.Size.Height, err
}

// train trains a model and measures it on the strangers.
func (c *demoCmd) train(e *env, r *demoRun, d demoData) error {
	config, err := c.settings(r.set...)
	if err != nil {
		return err
	}
	config.Out = filepath.Join(c.Out, r.folder)
	if d.epochs > 0 {
		config.Epochs, config.Batch, config.Warmup = d.epochs, 16, pipeline.Span{}
	}
	reporter := newReporter(e, "")
	if begun(config) {
		threads := pipeline.Field{Name: "threads", Value: strconv.Itoa(c.Threads)}
		r.training, err = pipeline.Resume(e.ctx, config.Out, []pipeline.Field{threads}, reporter.events())
	} else {
		r.training, err = pipeline.Train(e.ctx, config, reporter.events())
	}
	reporter.close()
	if err != nil {
		var interrupted *pipeline.InterruptedError
		if errors.As(err, &interrupted) { // what explain says of it would finish one run, not the demo
			fmt.Fprintf(e.stderr, "interrupted after step %d of the training %s\n", interrupted.Step, r.name)
			return err
		}
		return explain(e, err)
	}
	model, err := embed.OpenWith(config.Out, embed.Options{Threads: c.Threads})
	if err != nil {
		return err
	}
	defer model.Close()
	root := filepath.Join(c.Out, demoMark, "test")
	set, err := dataset.Open(root, dataset.Options{})
	if err != nil {
		return err
	}
	pairs, err := set.Pairs(c.Seed)
	if err != nil {
		return err
	}
	load := func(name string) (image.Image, error) {
		return dataset.DecodeFile(filepath.Join(root, filepath.FromSlash(name)), dataset.Limits{})
	}
	r.result, err = eval.Verify(e.ctx, model, load, pairs, eval.Options{Flip: model.Contract().Flip})
	return err
}

// begun says whether a run with these settings was interrupted in its folder, or finished before
// another was interrupted.
func begun(want pipeline.Config) bool {
	have := pipeline.Default()
	if err := have.ReadConfig(filepath.Join(want.Out, pipeline.ConfigFile)); err != nil {
		return false
	}
	return have.Seed == want.Seed && have.Head == want.Head && have.Epochs == want.Epochs && have.Batch == want.Batch
}
