// Command fv-train trains face verification models from folders of faces: see
// fv-train --help.
package main

import (
	"context"
	"errors"
	"io"

	"github.com/alecthomas/kong"

	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/internal/mpi"
	"github.com/faceverify/fv/pipeline"
)

const description = `Train a face verification model from a folder of faces. fv-train FOLDER is fv-train train FOLDER; fv-train demo needs no data.`

type grammar struct {
	cli.Common
	Train   trainCmd   `cmd:"" default:"withargs" help:"Train a model on a folder of faces; the default command."`
	Demo    demoCmd    `cmd:"" help:"Draw people, train with and without a margin, and write a report. Needs no data."`
	Summary summaryCmd `cmd:"" help:"Print a network's layers, shapes, parameters, multiply-accumulates and training memory."`
	Preview previewCmd `cmd:"" help:"Write a contact sheet of augmented images as the network will see them."`
	Export  exportCmd  `cmd:"" help:"Write a model as an ONNX file, tried on real images first."`
	Bench   benchCmd   `cmd:"" help:"Time training steps on random images."`
	Doctor  doctorCmd  `cmd:"" help:"Look for images that cannot be read, are there twice or under a wrong name, and set them aside."`
	Align   alignCmd   `cmd:"" help:"Cut aligned faces out of photographs, where a detector finds them or a file says."`
	Unpack  unpackCmd  `cmd:"" help:"Write the images of a pack to a folder with one sub-folder for each identity."`
	Recipes recipesCmd `cmd:"" help:"List the named training recipes, or show one."`
	Losses  lossesCmd  `cmd:"" help:"List the losses with equation, defaults and paper, explain one, or draw them on a page."`

	Completion cli.Completion `cmd:"" help:"Print a script that lets a shell complete commands, flags and their values."`
}

// env is what the sub-commands share.
type env struct {
	ctx            context.Context
	parsed         *kong.Context
	json           bool
	stdout, stderr io.Writer
	world          mpi.World // nil for a process alone
}

// text is where prose goes: stdout, or stderr when stdout carries JSON.
func (e *env) text() io.Writer {
	if e.json {
		return e.stderr
	}
	return e.stdout
}

func main() { cli.Main("fv-train", run) }

func run(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) error {
	var g grammar
	parsed, err := cli.Parse(&g, "fv-train", description, args, stdout, stderr, kong.Bind(choices()))
	if err != nil {
		return err
	}
	if name := parsed.Selected().Name; name != "train" {
		if err := mpi.CheckAlone("fv-train "+name, "fv-train train is what ranks share"); err != nil {
			return cli.Usage(err)
		}
	}
	err = parsed.Run(&env{ctx: ctx, parsed: parsed, json: g.JSON, stdout: stdout, stderr: stderr})
	var setting *pipeline.SettingError
	if errors.As(err, &setting) {
		return cli.Usage(cli.Blame(parsed, err))
	}
	return err
}
