package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/features"
	"github.com/faceverify/fv/eval/matrix"
	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/pipeline"
	"github.com/faceverify/fv/pipeline/dataset"
)

// measured is a run's outcome, as it is kept.
type measured struct {
	Loss       float64   `json:"loss"` // of the last step
	Embeddings []float32 `json:"embeddings"`
	Identities []string  `json:"identities"`

	*features.Result `json:"-"`
}

// run makes what is not there, the table and the figure.
func run(ctx context.Context, sources []source, out string, seeds, threads int) error {
	var table strings.Builder
	var rows [][]*measured // of the figure: a source's variants
	for _, s := range sources {
		var row [][]*measured
		for _, v := range variants() {
			var runs []*measured
			for seed := 1; seed <= seeds; seed++ {
				dir := filepath.Join(out, strings.Trim(strings.Fields(s.name)[0], ","), v.name, fmt.Sprint(seed))
				m, err := one(ctx, s, v, seed, threads, dir)
				if err != nil {
					return fmt.Errorf("%s, %s, seed %d: %w", s.name, v.name, seed, err)
				}
				fmt.Fprintf(os.Stderr, "%s, %s, seed %d: loss %.3f, overlap %.1f %%\n", s.name, v.name, seed, m.Loss, 100*m.Angles.Overlap)
				runs = append(runs, m)
			}
			row = append(row, runs)
		}
		writeTable(&table, s, row)
		var shown []*measured
		for _, runs := range row {
			shown = append(shown, middle(runs))
		}
		rows = append(rows, shown)
	}
	fmt.Print(table.String())
	return errors.Join(
		atomicfile.Write(filepath.Join(out, "table.md"), func(w io.Writer) error { _, err := io.WriteString(w, table.String()); return err }),
		atomicfile.Write(filepath.Join(out, "figure.png"), func(w io.Writer) error { return writeFigure(w, sources, rows) }))
}

// one reads the measurement of a run or, if there is none, trains and measures.
func one(ctx context.Context, s source, v variant, seed, threads int, dir string) (*measured, error) {
	path := filepath.Join(dir, "measured.json")
	m := &measured{}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, m)
	} else if errors.Is(err, os.ErrNotExist) {
		if m, err = train(ctx, s, v, seed, threads, filepath.Join(dir, "run")); err == nil {
			err = atomicfile.Write(path, func(w io.Writer) error { return json.NewEncoder(w).Encode(m) })
		}
	}
	if err != nil {
		return nil, err
	}
	m.Result, err = features.Measure(ctx, &matrix.Matrix{
		Path: path, Dim: 3, Data: m.Embeddings, Identities: m.Identities, Names: make([]string, len(m.Identities)),
	}, threads)
	return m, err
}

// train trains and embeds.
func train(ctx context.Context, s source, v variant, seed, threads int, dir string) (*measured, error) {
	c, err := configure(s, v, seed, threads, dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	r, err := pipeline.Train(ctx, c, pipeline.Events{})
	if err != nil {
		return nil, err
	}
	e, err := embed.OpenWith(r.Model, embed.Options{Threads: threads, Batch: 64})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	set, err := dataset.Open(s.test, s.options)
	if err != nil {
		return nil, err
	}
	var files []string
	for i := range set.Samples {
		files = append(files, set.File(i))
	}
	load := func(name string) (image.Image, error) { return set.Decode(name) }
	vectors, err := eval.EmbedImages(ctx, e, load, files, false, eval.Options{Batch: 64})
	if err == nil {
		err = vectors.Missing()
	}
	if err != nil {
		return nil, err
	}
	m := &measured{Loss: r.Loss}
	for i, x := range set.Samples {
		m.Embeddings = append(m.Embeddings, vectors.At(nil, files[i], eval.FlipNone)...)
		m.Identities = append(m.Identities, set.Identities[x.Identity])
	}
	return m, nil
}

// measure is a column of the table.
type measure struct {
	name   string
	format string
	of     func(*measured) float64
	falls  bool // from softmax and m=1 to m=4, says the paper
}

var measures = []measure{
	{"overlap", "%.1f %%", func(m *measured) float64 { return 100 * m.Angles.Overlap }, true},
	{"positive mean", "%.1f°", func(m *measured) float64 { return m.PositiveDegrees }, true},
	{"positive mode", "%.1f°", func(m *measured) float64 { return m.ModeDegrees }, true},
	{"negative mean", "%.1f°", func(m *measured) float64 { return m.NegativeDegrees }, false},
	{"angular Fisher score", "%.4f", func(m *measured) float64 { return m.AngularFisher }, true},
}

func (m measure) median(runs []*measured) float64 {
	var x []float64
	for _, r := range runs {
		x = append(x, m.of(r))
	}
	slices.Sort(x)
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}

// middle returns the run with the median overlap, which is the one drawn.
func middle(runs []*measured) *measured {
	sorted := slices.SortedStableFunc(slices.Values(runs), func(a, b *measured) int {
		return int(1e9 * (a.Angles.Overlap - b.Angles.Overlap))
	})
	return sorted[(len(sorted)-1)/2]
}

// writeTable writes the rows of a source, and what of the order does not hold.
func writeTable(w io.Writer, s source, row [][]*measured) {
	fmt.Fprintf(w, "%s (%s), median of %d seeds:\n\n| loss |", s.name, s.about, len(row[0]))
	for _, m := range measures {
		fmt.Fprintf(w, " %s |", m.name)
	}
	fmt.Fprint(w, "\n|---|"+strings.Repeat("---|", len(measures))+"\n")
	for i, v := range variants() {
		fmt.Fprintf(w, "| %s |", v.name)
		for _, m := range measures {
			fmt.Fprintf(w, " "+m.format+" |", m.median(row[i]))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "\n"+strings.Join(order(row), "\n")+"\n\n")
}

// order says which steps of the paper's order do not hold: each measure falls from plain softmax to m=1 and on to m=4.
func order(row [][]*measured) []string {
	var out []string
	vs := variants()
	steps := 0
	for _, m := range measures {
		if !m.falls {
			continue
		}
		for i := 1; i < len(vs); i++ {
			steps++
			if a, b := m.median(row[i-1]), m.median(row[i]); !(b < a) {
				out = append(out, fmt.Sprintf("- %s does not fall from %s ("+m.format+") to %s ("+m.format+")", m.name, vs[i-1].name, a, vs[i].name, b))
			}
		}
	}
	head := fmt.Sprintf("Of %d steps of the order, %d hold.", steps, steps-len(out))
	for _, m := range measures[:3] {
		if m.name == "positive mean" {
			continue
		}
		verb := "is"
		if !(m.median(row[4]) < m.median(row[1])) {
			verb = "is NOT"
		}
		head += fmt.Sprintf(" The %s at m=4 %s below that at m=1.", m.name, verb)
	}
	return append([]string{head}, out...)
}
