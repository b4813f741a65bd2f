package main

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/pipeline"
)

// model is what the commands need of a trained model.
type model struct{ *embed.Embedder }

// imported are the flags that say what an ONNX file leaves open.
type imported struct {
	Mean   []float32     `placeholder:"M|R,G,B" help:"Of an ONNX file: what is subtracted from pixels of 0 to 255, one number or one a channel in the order of --color. Default: as the file says."`
	Std    []float32     `placeholder:"S|R,G,B" help:"Of an ONNX file: what they are then divided by. Default: as the file says."`
	Color  string        `placeholder:"rgb|bgr" enum:",rgb,bgr" default:"" help:"Of an ONNX file: the order of the channels. Default: as the file says, or rgb."`
	Fit    string        `placeholder:"crop|stretch|pad" enum:",crop,stretch,pad" default:"" help:"Of an ONNX file: what becomes of images of another shape. Default: as the file says, or crop."`
	Size   pipeline.Size `placeholder:"HxW" help:"Of an ONNX file: height and width of its input, where it takes any. Default: as the file says."`
	Output string        `name:"output-name" placeholder:"NAME" help:"Of an ONNX file: the output that is the embedding, where there are several. Default: the only one."`
}

func (f imported) options() embed.ONNXOptions {
	return embed.ONNXOptions{Height: f.Size.Height, Width: f.Size.Width, Mean: f.Mean, Std: f.Std, Color: f.Color, Fit: f.Fit, Output: f.Output}
}

// load reads a run folder, a model file or an ONNX file.
func (f imported) load(path string) (*embed.Model, error) {
	if err := cli.Exists("RUN", path, "a run folder, a model file or an ONNX file"); err != nil {
		return nil, err
	}
	if !embed.IsONNX(path) {
		if !reflect.DeepEqual(f, imported{}) {
			return nil, cli.Usagef("--mean, --std, --color, --fit, --size and --output-name are for ONNX files: %s says itself how images become its input", path)
		}
		return embed.Load(path)
	}
	m, err := embed.LoadONNX(path, f.options())
	if errors.Is(err, embed.ErrNoContract) {
		return nil, cli.Usage(cli.WithHint(fmt.Errorf("--mean and --std are missing: %w", err),
			"such as --mean 127.5 --std 127.5 --color rgb; fv-eval contract %s --pairs FILE --images DIR tries the usual ones", path))
	}
	return m, err
}

// open opens a run folder, model file or ONNX file for batches of the given size.
func (f imported) open(path string, threads, batch int) (model, error) {
	if threads < 0 {
		return model{}, cli.Usagef("--threads %d: want 0 or more", threads)
	}
	m, err := f.load(path)
	if err != nil {
		return model{}, err
	}
	e, err := m.Embedder(embed.Options{Threads: threads, Batch: batch})
	if err != nil {
		return model{}, fmt.Errorf("%s: %w", path, err)
	}
	return model{e}, nil
}

// flip returns how a command uses mirror images: as its flag says, or as the model does.
func (m model) flip(flag string) string {
	if flag == "model" {
		return m.Contract().Flip
	}
	return flag
}

// fields describes the model in a report.
func (m model) fields() page.Fields {
	info, c := m.Model(), m.Contract()
	size := info.Network.Summary()
	fields := page.Fields{
		{Name: "Backbone", Value: fmt.Sprintf("%s, %.2f M parameters, %.0f M multiply-accumulates an image", size.Name, float64(size.Params)/1e6, float64(size.MACs)/1e6)},
		{Name: "Embedding", Value: strconv.Itoa(m.Dim()) + " numbers"},
		{Name: "Input", Value: fmt.Sprintf("%dx%d pixels (height x width), %s, mean %v, standard deviation %v", c.Height, c.Width, c.Color, c.Mean, c.Std)},
		{Name: "Images of another shape", Value: c.Fit},
		{Name: "Alignment", Value: c.Align},
		{Name: "Mirror images, as the model says", Value: c.Flip},
	}
	if h := info.Head; h.Name != "" {
		words := []string{h.Name}
		for _, name := range slices.Sorted(maps.Keys(h.Settings)) {
			words = append(words, fmt.Sprintf("%s %g", name, h.Settings[name]))
		}
		if h.MarginGradient != "" {
			words = append(words, "margin gradient "+h.MarginGradient)
		}
		fields = append(fields, page.Field{Name: "Head in training", Value: strings.Join(words, ", ")})
	}
	if n := len(info.Classes); n > 0 {
		fields = append(fields, page.Field{Name: "Identities in training", Value: strconv.Itoa(n)})
	}
	stored := "none"
	if t := info.Threshold; t != nil {
		at := eval.NewThreshold(t.Cosine)
		stored = fmt.Sprintf("cosine %.4f, angle %.2f°, squared L2 %.4f: %d of %d impostor pairs of the validation accepted, %d of %d genuine ones",
			t.Cosine, at.Degrees, at.SquaredL2, t.FalseAccepts, t.Impostor, t.TrueAccepts, t.Genuine)
	}
	return append(fields, page.Field{Name: "Stored threshold", Value: stored})
}
