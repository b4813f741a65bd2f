package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/faceverify/fv/cmd/internal/modelflag"
	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/internal/page"
)

// model is what the commands need of a trained model.
type model struct{ *embed.Embedder }

// imported are the flags that say what an ONNX file leaves open.
type imported struct{ modelflag.Imported }

// open opens a run folder, model file or ONNX file for batches of the given size.
func (f imported) open(path string, threads, batch int) (model, error) {
	if threads < 0 {
		return model{}, cli.Usagef("--threads %d: want 0 or more", threads)
	}
	m, err := f.Load(path)
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
