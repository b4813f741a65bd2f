package main

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/matrix"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/pipeline/dataset"
	"github.com/faceverify/fv/pipeline/dataset/binpack"
)

// scores evaluates a score file.
func (c *verifyCmd) scores(_ *env, o eval.Options, report *eval.ReportOptions) (*eval.Result, error) {
	file, err := scoreFile("--scores", c.Scores)
	if err != nil {
		return nil, err
	}
	scores, pairs, err := eval.ReadScores(file)
	if err != nil {
		return nil, err
	}
	c.withoutFolds(&o, pairs)
	result, err := eval.Evaluate(scores, pairs, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Scores, err)
	}
	name := filepath.Base(c.Scores)
	if report.Title == "" {
		report.Title = "Face verification: " + name
	}
	report.Subtitle = fmt.Sprintf("%d pairs with scores from %s", len(scores), c.Scores)
	report.Results = []eval.NamedResult{{Name: name, Result: result}}
	report.Settings = page.Fields{{Name: "Scores", Value: c.Scores}}
	return result, nil
}

// embeddings evaluates a file of embeddings.
func (c *verifyCmd) embeddings(_ *env, o eval.Options, report *eval.ReportOptions) (*eval.Result, error) {
	pairs, err := eval.ReadPairs(c.Pairs)
	if err != nil {
		return nil, fmt.Errorf("--pairs: %w", err)
	}
	c.withoutFolds(&o, pairs)
	m, err := matrix.Read(c.Embeddings)
	if err != nil {
		return nil, formatUsage("--embeddings ", err)
	}
	settings := page.Fields{
		{Name: "Embeddings", Value: fmt.Sprintf("%s: %d of %d values", c.Embeddings, m.Len(), m.Dim)},
		{Name: "Pairs file", Value: c.Pairs},
	}
	if c.Templates != "" {
		images := m.Len()
		var missing int
		if m, missing, err = c.pool(m); err != nil {
			return nil, err
		}
		settings = append(settings, page.Field{Name: "Templates", Value: fmt.Sprintf("%s: %d of %d images, %d without an embedding; the means of their media, summed", c.Templates, m.Len(), images, missing)})
	}
	vectors, err := pairVectors(m, pairs)
	if err != nil {
		return nil, err
	}
	if missing := vectors.Missing(); missing != nil && c.Missing != "skip" {
		return nil, cli.WithHint(fmt.Errorf("%s in %s: %w", c.Pairs, c.Embeddings, missing), "the file's first name is %s; --missing skip leaves such pairs out", m.Names[0])
	}
	o.Flip = eval.FlipGiven
	result, err := vectors.Verify(pairs, o)
	if err != nil {
		return nil, err
	}
	name := filepath.Base(c.Embeddings)
	if report.Title == "" {
		report.Title = "Face verification: " + name
	}
	report.Subtitle = fmt.Sprintf("%d pairs of %s, with embeddings from %s", len(result.Scores), filepath.Base(c.Pairs), c.Embeddings)
	report.Results = []eval.NamedResult{{Name: name, Result: result}}
	report.Settings = settings
	return result, nil
}

// pool makes templates of the rows of m.
func (c *verifyCmd) pool(m *matrix.Matrix) (*matrix.Matrix, int, error) {
	t, err := matrix.ReadTemplates(c.Templates)
	if err != nil {
		return nil, 0, fmt.Errorf("--templates: %w", err)
	}
	skip := c.Missing == "skip"
	pooled, missing, err := t.Pool(m, skip)
	if errors.Is(err, matrix.ErrNoEmbedding) && !skip {
		err = cli.WithHint(err, "--missing skip leaves such images out")
	}
	return pooled, missing, err
}

// pairVectors takes the embeddings of the images of pairs from m, and tells pairs who they show.
func pairVectors(m *matrix.Matrix, pairs *eval.Pairs) (*eval.Vectors, error) {
	row, err := m.Lookup()
	if err != nil {
		return nil, err
	}
	var names []string
	var data []float32
	identities := map[string]string{}
	failed := map[string]error{}
	for _, name := range pairs.Images() {
		i, ok := row(name)
		if !ok {
			failed[name] = matrix.ErrNoEmbedding
			continue
		}
		names, data = append(names, name), append(data, m.Row(i)...)
		identities[name] = m.Identities[i]
	}
	pairs.Identities = identities
	vectors, err := eval.NewVectors(names, m.Dim, data, nil)
	if err != nil {
		return nil, err
	}
	vectors.Failed = failed
	return vectors, nil
}

// source returns the pairs and how their images are loaded: from a pack, or from a pairs file and a
// folder.
func (c *verifyCmd) source() (*eval.Pairs, eval.LoadFunc, error) {
	if c.isPack() {
		pack, err := binpack.Read(c.Pairs)
		if err != nil {
			return nil, nil, fmt.Errorf("--pairs: %w", err)
		}
		return pack.Pairs(), pack.Load, nil
	}
	pairs, err := c.pairs()
	if err != nil {
		return nil, nil, err
	}
	files, err := pairs.Resolve(c.Images)
	var missing *eval.ImagesError
	if errors.As(err, &missing) {
		if c.Missing != "skip" {
			return nil, nil, cli.WithHint(fmt.Errorf("%s in %s: %w", cmp.Or(c.Pairs, "pairs"), c.Images, err), "is %s the folder that has one folder of images for each identity? --missing skip leaves such pairs out", c.Images)
		}
	} else if err != nil {
		return nil, nil, fmt.Errorf("--images: %w", err)
	}
	return pairs, func(name string) (image.Image, error) {
		file, ok := files[name]
		if !ok {
			return nil, os.ErrNotExist
		}
		return dataset.DecodeFile(file, dataset.Limits{})
	}, nil
}

// pairs reads the pairs file, or makes pairs of the folders of images.
func (c *verifyCmd) pairs() (*eval.Pairs, error) {
	if c.Pairs != "" {
		pairs, err := eval.ReadPairs(c.Pairs)
		if err != nil {
			return nil, fmt.Errorf("--pairs: %w", err)
		}
		return pairs, nil
	}
	set, err := dataset.Open(c.Images, dataset.Options{})
	if err != nil {
		return nil, fmt.Errorf("--images: %w", err)
	}
	pairs, err := set.Pairs(c.Seed)
	if err != nil {
		return nil, fmt.Errorf("--images: %s: %w", c.Images, err)
	}
	return pairs, nil
}

// pairsName is what the pairs are called in the report.
func (c *verifyCmd) pairsName() string {
	if c.Pairs == "" {
		return fmt.Sprintf("pairs made of the folders, seed %d", c.Seed)
	}
	return filepath.Base(c.Pairs)
}

// isPack is whether --pairs names a pack of InsightFace, which has the images in it.
func (c *verifyCmd) isPack() bool { return strings.EqualFold(filepath.Ext(c.Pairs), ".bin") }

// model evaluates a model on pairs of images.
func (c *verifyCmd) model(e *env, o eval.Options, report *eval.ReportOptions) (*eval.Result, error) {
	pairs, load, err := c.source()
	if err != nil {
		return nil, err
	}
	m, err := c.open(c.Model, c.Threads, c.Batch)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	o.Flip = m.flip(c.Flip)
	c.withoutFolds(&o, pairs)
	progress := newProgress(e.stderr, "embedding", "images")
	o.Progress = progress.set
	result, err := eval.Verify(e.ctx, m, load, pairs, o)
	progress.done()
	if err != nil {
		return nil, err
	}
	if report.Title == "" {
		report.Title = "Face verification: " + filepath.Base(filepath.Clean(c.Model))
	}
	report.Subtitle = fmt.Sprintf("%d pairs of %s, scored by %s", len(result.Scores), c.pairsName(), c.Model)
	report.Results = []eval.NamedResult{{Name: filepath.Base(filepath.Clean(c.Model)), Result: result}}
	report.Settings = append(page.Fields{
		{Name: "Model", Value: c.Model},
		{Name: "Pairs", Value: cmp.Or(c.Pairs, c.pairsName())},
		{Name: "Images", Value: cmp.Or(c.Images, "in the pairs file")},
	}, m.fields()...)
	return result, nil
}

// groups measures the groups that --group asks for.
func (c *verifyCmd) groups(r *eval.Result) error {
	for _, column := range c.Group {
		if c.Attributes == "" {
			values, err := eval.ReadScoreColumn(c.Scores, column)
			if err != nil {
				return fmt.Errorf("--group: %w", err)
			}
			r.Groups = append(r.Groups, r.GroupBy(column, func(i int) string { return values[i] }))
			continue
		}
		a, err := eval.ReadAttributes(c.Attributes, column)
		if err != nil {
			return fmt.Errorf("--attributes: %w", err)
		}
		b := r.GroupBy(a.Column, func(i int) string { return a.Group(r.Pairs, r.Pairs.Pairs[i]) })
		if len(b.At[0].Groups) == 1 && b.At[0].Groups[0].Name == eval.UnknownGroup {
			return fmt.Errorf("--attributes: %s knows none of the images, the first of which is %s", c.Attributes, r.Pairs.Pairs[0].A)
		}
		r.Groups = append(r.Groups, b)
	}
	return nil
}
