package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/internal/mpi"
	"github.com/faceverify/fv/pipeline"
)

type trainCmd struct {
	settings
	Serve  string `placeholder:"[HOST]:PORT" help:"Show the run in a browser while it goes on; :0 takes any free port. Without HOST only this machine can see it. The page stays as live.html in the run folder. Default: none."`
	Resume string `placeholder:"DIR" help:"Go on with the run in this folder, from its last checkpoint. Default: a new run."`
}

func (c *trainCmd) Run(e *env) error {
	g, err := e.join(c.settings.Run.MPITimeout)
	if err != nil {
		return err
	}
	return e.leave(c.train(e, g))
}

func (c *trainCmd) train(e *env, g mpi.Group) error {
	train, err := c.plan(e, g)
	if err != nil {
		return pipeline.Fail(g, err)
	}
	if g.Rank() != 0 {
		_, err := train(pipeline.Events{})
		return err
	}
	r := newReporter(e, "")
	events, done, err := c.live(r)
	if err != nil {
		return pipeline.Fail(g, err)
	}
	result, err := train(events)
	err = done(err)
	r.close()
	if err != nil {
		return explain(e, err)
	}
	c.print(e, result)
	if e.json {
		return cli.WriteJSON(e.stdout, result)
	}
	return nil
}

// plan returns what the flags ask for: a new run, or one that goes on.
func (c *trainCmd) plan(e *env, g mpi.Group) (func(pipeline.Events) (*pipeline.Result, error), error) {
	if c.Resume == "" {
		config, err := c.config(e)
		if err != nil {
			return nil, err
		}
		return func(ev pipeline.Events) (*pipeline.Result, error) { return pipeline.TrainOn(e.ctx, g, config, ev) }, nil
	}
	if c.Recipe != "" {
		return nil, cli.Usagef("--recipe: a run that is resumed keeps its settings; leave --recipe out")
	}
	given := c.given(e)
	if c.Folder != "" {
		given = append(given, pipeline.Field{Name: "data", Value: c.Folder})
	}
	for _, f := range given {
		if f.Name == "out" || f.Name == "force" {
			return nil, cli.Usagef("--%s: a run that is resumed stays in its folder; leave --%s out", f.Name, f.Name)
		}
	}
	return func(ev pipeline.Events) (*pipeline.Result, error) {
		return pipeline.ResumeOn(e.ctx, g, c.Resume, given, ev)
	}, nil
}

// explain adds to an error of a run what to do.
func explain(e *env, err error) error {
	var interrupted *pipeline.InterruptedError
	switch {
	case errors.As(err, &interrupted): // cli says no more than that
		fmt.Fprintln(e.stderr, err)
	case errors.Is(err, pipeline.ErrRunExists):
		return cli.WithHint(err, "--force overwrites it, --resume goes on with it, --out DIR writes elsewhere")
	case errors.Is(err, pipeline.ErrDiverged):
		return cli.WithHint(err, "fv-train --resume DIR --on-nan rollback goes on from the last checkpoint with half the learning rate, --on-nan skip without the batch; or train anew with a lower --lr, a longer --warmup or a smaller --margin")
	case errors.Is(err, pipeline.ErrCollapsed):
		return cli.WithHint(err, "train anew with a lower --lr or a longer --warmup, or begin with --head normface, which has no margin")
	}
	return err
}

// print writes the outcome and the command to use next.
func (c *trainCmd) print(e *env, r *pipeline.Result) {
	w := e.text()
	fmt.Fprintf(w, "\ntrained %d steps (%.4g epochs) in %v, %.1f images/s; loss %.4f\n",
		r.Steps, r.Epochs, time.Duration(r.Seconds*float64(time.Second)).Round(100*time.Millisecond), r.ImagesPerSecond, r.Loss)
	if r.Best != nil {
		fmt.Fprintf(w, "best validation, step %d: %s\n", r.Best.Step, validationText(r.Best))
	}
	if r.BadImages > 0 {
		fmt.Fprintf(w, "%d images could not be read: %s names them\n", r.BadImages, pipeline.QuarantineFile)
	}
	fmt.Fprintf(w, "model   %s\nreport  %s\n\nnext: fv-eval verify %s --images DIR --pairs FILE\n", r.Model, r.Report, r.Dir)
}
