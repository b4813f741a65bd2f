package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/pipeline"
	"github.com/faceverify/fv/pipeline/recipe"
)

// settings are the flags that say what a run is made of; train and preview share them.
type settings struct {
	Folder string `arg:"" optional:"" help:"Folder with one sub-folder of images for each identity; or an idx file of images (MNIST), beside which lies that of their labels."`

	Recipe string          `placeholder:"NAME" help:"Start from the settings of a named recipe; flags and --config win. fv-train recipes lists them. Default: none."`
	Run    pipeline.Config `embed:""`
}

// given returns the settings that were given, on the command line or in --config's file, by
// name and text.
func (s *settings) given(e *env) []pipeline.Field {
	set := map[string]bool{}
	for _, p := range e.parsed.Path {
		if p.Flag != nil {
			set[p.Flag.Name] = true
		}
	}
	var fields []pipeline.Field
	for _, f := range s.Run.Fields() {
		if set[f.Name] {
			fields = append(fields, f)
		}
	}
	return fields
}

// config returns the settings of a new run: the defaults, then the recipe, then what was
// given.
func (s *settings) config(e *env) (pipeline.Config, error) {
	c := pipeline.Default()
	if s.Recipe != "" {
		r, err := recipe.Find(s.Recipe)
		if err != nil {
			return c, cli.Usage(fmt.Errorf("--recipe: %w", err))
		}
		text, err := r.YAML()
		if err == nil {
			err = c.DecodeConfig("recipe "+s.Recipe, text)
		}
		if err != nil {
			return c, err
		}
	}
	for _, f := range s.given(e) {
		if err := c.Set(f.Name, f.Value); err != nil {
			return c, err
		}
	}
	if err := s.idleHead(e, &c); err != nil {
		return c, err
	}
	return c, s.folder(e, &c)
}

// idleHead returns an error where it is said what the head is like, and the loss has none. A head that the file of --config
// names gives way to a --loss on the command line.
func (s *settings) idleHead(e *env, c *pipeline.Config) error {
	if c.HasHead() {
		return nil
	}
	typed := func(name string) bool {
		return slices.ContainsFunc(e.parsed.Path, func(p *kong.Path) bool { return p.Flag != nil && p.Flag.Name == name && !p.Resolved })
	}
	for _, f := range s.given(e) {
		if slices.Contains(pipeline.HeadSettings, f.Name) && (typed(f.Name) || !typed("loss")) {
			err := fmt.Errorf("--%s: there is no head with --loss %s; want --loss head+%s for both, or leave --%s out", f.Name, c.Loss, c.Loss, f.Name)
			return cli.Usage(cli.Blame(e.parsed, err))
		}
	}
	return nil
}

// errNoFolder is the mistake of a first call.
var errNoFolder = errors.New("FOLDER is missing: the folder with one sub-folder of images for each identity")

// folder makes the argument FOLDER the data of c.
func (s *settings) folder(e *env, c *pipeline.Config) error {
	switch {
	case s.Folder == "" && c.Data == "":
		return cli.Usage(cli.WithHint(errNoFolder, "fv-train FOLDER trains on it; fv-train demo shows a run that needs no data"))
	case s.Folder != "" && c.Data != "" && s.Folder != c.Data:
		return cli.Usagef("FOLDER is %s and --data is %s: give one of them", s.Folder, c.Data)
	case s.Folder != "":
		c.Data = s.Folder
	}
	// fv-train takes what is no command for FOLDER, so a slip in a command ends here.
	if _, err := os.Stat(c.Data); errors.Is(err, fs.ErrNotExist) {
		err = cli.Usagef("FOLDER: there is no folder %s", c.Data)
		commands := map[string]bool{}
		for _, n := range e.parsed.Model.Children {
			commands[n.Name] = true
		}
		if near := cli.Nearest(c.Data, commands); near != "" {
			return cli.WithHint(err, "did you mean the command %q? fv-train --help lists all", near)
		}
		return cli.WithHint(err, "a folder with one sub-folder of images for each identity is wanted; fv-train --help lists the commands")
	}
	return nil
}
