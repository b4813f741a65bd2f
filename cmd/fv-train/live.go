package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/pipeline"
	"github.com/faceverify/fv/pipeline/serve"
)

// live returns the reporter's events, which a page in a browser follows too if --serve asks for it. done ends that and adds to the run's error that of
// writing the page.
func (c *trainCmd) live(r *reporter) (events pipeline.Events, done func(error) error, err error) {
	if c.Serve == "" {
		return r.events(), func(err error) error { return err }, nil
	}
	run := &pipeline.Live{}
	server, err := serve.Listen(c.Serve, serve.Page{
		Version: func() int { return run.Version() },
		Script:  pipeline.LiveScript,
		Render: func() ([]byte, int, error) {
			p, version := run.Page(false)
			var b bytes.Buffer
			err := p.Write(&b)
			return b.Bytes(), version, err
		},
	})
	if err != nil {
		return events, nil, cli.Usage(fmt.Errorf("--serve: %w", err))
	}
	if server.Exposed() {
		r.warning("--serve " + c.Serve + ": whoever can reach this machine can see the run and photographs of its validation; --serve :0 shows it here only")
	}
	fmt.Fprintf(r.lines, "the run is at %s\n", server.URL())
	return run.Events(r.events()), func(err error) error {
		server.Close()
		var interrupted *pipeline.InterruptedError
		switch {
		case errors.As(err, &interrupted):
			run.End("interrupted")
		case err != nil:
			run.End("ended with an error: " + err.Error())
		default:
			run.End("ended")
		}
		dir := run.Dir()
		if dir == "" { // nothing has begun
			return err
		}
		p, _ := run.Page(true)
		return errors.Join(err, atomicfile.Write(filepath.Join(dir, pipeline.LiveFile), func(w io.Writer) error { return p.Write(w) }))
	}, nil
}
