// Package modelflag has the flags that say of a model's file what that leaves open.
package modelflag

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/pipeline"
)

// Imported are the flags that say what an ONNX file leaves open.
type Imported struct {
	Mean   []float32     `placeholder:"M|R,G,B" help:"Of an ONNX file: what is subtracted from pixels of 0 to 255, one number or one a channel in the order of --color. Default: as the file says."`
	Std    []float32     `placeholder:"S|R,G,B" help:"Of an ONNX file: what they are then divided by. Default: as the file says."`
	Color  string        `placeholder:"rgb|bgr" enum:",rgb,bgr" default:"" help:"Of an ONNX file: the order of the channels. Default: as the file says, or rgb."`
	Fit    string        `placeholder:"crop|stretch|pad" enum:",crop,stretch,pad" default:"" help:"Of an ONNX file: what becomes of images of another shape. Default: as the file says, or crop."`
	Size   pipeline.Size `placeholder:"HxW" help:"Of an ONNX file: height and width of its input, where it takes any. Default: as the file says."`
	Output string        `name:"output-name" placeholder:"NAME" help:"Of an ONNX file: the output that is the embedding, where there are several. Default: the only one."`
}

func (f Imported) options() embed.ONNXOptions {
	return embed.ONNXOptions{Height: f.Size.Height, Width: f.Size.Width, Mean: f.Mean, Std: f.Std, Color: f.Color, Fit: f.Fit, Output: f.Output}
}

// check finds what is wrong with the flags whatever the file is.
func (f Imported) check() error {
	for _, flag := range []struct {
		name string
		of   []float32
	}{{"--mean", f.Mean}, {"--std", f.Std}} {
		if n := len(flag.of); n != 0 && n != 1 && n != 3 {
			return cli.Usagef("%s %s: %d numbers; want 1, or 3 in the order of the channels", flag.name, Numbers(flag.of), n)
		}
	}
	for _, s := range f.Std {
		if !(s > 0) {
			return cli.Usagef("--std %s: want positive numbers, in units of 0 to 255", Numbers(f.Std))
		}
	}
	return nil
}

// Overridden returns, of an ONNX file, each thing that it says itself and the flags replaced: "m.onnx says color rgb; bgr".
// used is the contract that [Imported.Load] made of both.
func (f Imported) Overridden(path string, used embed.Contract) ([]string, error) {
	if !embed.IsONNX(path) || f.Mean == nil && f.Std == nil && f.Color == "" && f.Fit == "" {
		return nil, nil
	}
	m, err := embed.LoadONNX(path, embed.ONNXOptions{Height: f.Size.Height, Width: f.Size.Width, Output: f.Output})
	if errors.Is(err, embed.ErrNoContract) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	says := m.Contract
	var all []string
	for _, part := range [][3]string{
		{"mean", Numbers(says.Mean[:]), Numbers(used.Mean[:])},
		{"std", Numbers(says.Std[:]), Numbers(used.Std[:])},
		{"color", says.Color, used.Color},
		{"fit", says.Fit, used.Fit},
	} {
		if part[1] != part[2] {
			all = append(all, fmt.Sprintf("%s says %s %s; %s", path, part[0], part[1], part[2]))
		}
	}
	return all, nil
}

// Numbers writes numbers as --mean and --std take them.
func Numbers(of []float32) string {
	words := make([]string, len(of))
	for i, x := range of {
		words[i] = strconv.FormatFloat(float64(x), 'g', -1, 32)
	}
	return strings.Join(words, ",")
}

// Load reads a run folder, a model file or an ONNX file. What is wrong with the flags is a usage error.
func (f Imported) Load(path string) (*embed.Model, error) {
	if err := cli.Exists("RUN", path, "a run folder, a model file or an ONNX file"); err != nil {
		return nil, err
	}
	if strings.EqualFold(filepath.Ext(path), ".npy") {
		return nil, cli.Usagef("RUN: %s holds embeddings, not a model; want a run folder, a model file or an ONNX file", path)
	}
	if !embed.IsONNX(path) {
		if !reflect.DeepEqual(f, Imported{}) {
			return nil, cli.Usagef("--mean, --std, --color, --fit, --size and --output-name are for ONNX files: %s says itself how images become its input", path)
		}
		return embed.Load(path)
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	m, err := embed.LoadONNX(path, f.options())
	switch {
	case errors.Is(err, embed.ErrNoContract):
		return nil, cli.Usage(cli.WithHint(fmt.Errorf("--mean and --std are missing: %w", err),
			"such as --mean 127.5 --std 127.5 --color rgb; fv-eval contract %s --pairs FILE --images DIR tries the usual ones", path))
	case errors.Is(err, embed.ErrAnySize):
		return nil, cli.Usage(cli.WithHint(fmt.Errorf("--size is missing: %w", err), "height x width, such as --size 112x112"))
	}
	return m, err
}
