package main

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/compare"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/pipeline"
)

type contractCmd struct {
	Model string `arg:"" name:"model" help:"ONNX file, model file or run folder."`

	Images  string `placeholder:"DIR" help:"Folder that the images of the pairs are below. Needed, unless the pairs are a pack."`
	Pairs   string `required:"" placeholder:"FILE" help:"Pairs file: LFW's formats, lines a,b,label (1 one person, 0 two), or an InsightFace pack (.bin). Needed."`
	Count   int    `default:"600" help:"Pairs to try, spread over the file. Default: ${default}."`
	Batch   int    `default:"64" help:"Images embedded at once. Default: ${default}."`
	Threads int    `default:"0" help:"Threads; 0 means one for each processor. Default: ${default}."`

	Fit    string        `placeholder:"crop|stretch|pad" enum:",crop,stretch,pad" default:"" help:"What becomes of images of another shape. Default: crop."`
	Size   pipeline.Size `placeholder:"HxW" help:"Height and width of the input of an ONNX file that takes any. Default: as the file says."`
	Output string        `name:"output-name" placeholder:"NAME" help:"Of an ONNX file: the output that is the embedding, where there are several. Default: the only one."`
}

// usualContracts are what face models are fed with: mean and deviation in the order of the color.
var usualContracts = []struct {
	Name, Color string
	Mean, Std   []float32
}{
	{"-1 to 1 (InsightFace, FaceX-Zoo)", "rgb", []float32{127.5}, []float32{127.5}},
	{"-1 to 1, blue first", "bgr", []float32{127.5}, []float32{127.5}},
	{"nearly -1 to 1 (SphereFace)", "rgb", []float32{127.5}, []float32{128}},
	{"nearly -1 to 1, blue first", "bgr", []float32{127.5}, []float32{128}},
	{"0 to 1", "rgb", []float32{0}, []float32{255}},
	{"0 to 1, blue first", "bgr", []float32{0}, []float32{255}},
	{"0 to 255", "rgb", []float32{0}, []float32{1}},
	{"0 to 255, blue first", "bgr", []float32{0}, []float32{1}},
	{"ImageNet's mean and deviation (torchvision)", "rgb", []float32{123.675, 116.28, 103.53}, []float32{58.395, 57.12, 57.375}},
	{"ImageNet's, blue first", "bgr", []float32{103.53, 116.28, 123.675}, []float32{57.375, 57.12, 58.395}},
	{"VGGFace's mean (Caffe)", "bgr", []float32{93.594, 104.7624, 129.1863}, []float32{1}},
	{"VGGFace2's mean (Caffe)", "bgr", []float32{91.4953, 103.8827, 131.0912}, []float32{1}},
}

// contractRow is how well a contract does.
type contractRow struct {
	Name   string    `json:"name"`
	Color  string    `json:"color"`
	Mean   []float32 `json:"mean"`
	Std    []float32 `json:"std"`
	AUC    float64   `json:"auc"`
	EER    float64   `json:"eer"`
	P      *float64  `json:"p"`    // of McNemar's test against the best, at the thresholds of the EERs; null of the best
	Tied   bool      `json:"tied"` // not the best, and no worse than chance explains
	Own    bool      `json:"own"`  // what the model says itself
	system compare.System
}

// contractJSON is what --json prints.
type contractJSON struct {
	Version   string        `json:"version"`
	Command   string        `json:"command"`
	Model     string        `json:"model"`
	Pairs     int           `json:"pairs"`
	Contracts []contractRow `json:"contracts"` // the best first
	Flags     string        `json:"flags"`     // of the best
}

// surely is the p-value below which a contract is said to be worse.
const surely = 0.01

func (c *contractCmd) Run(e *env) error {
	if c.Count < 20 || c.Batch < 1 {
		return cli.Usagef("--count %d, --batch %d: want at least 20 pairs and a batch of 1 or more", c.Count, c.Batch)
	}
	if err := cli.Exists("MODEL", c.Model, "an ONNX file, a model file or a run folder"); err != nil {
		return err
	}
	v := verifyCmd{Model: c.Model, Images: c.Images, Pairs: c.Pairs, Out: "eval-out", Missing: "skip", Flip: "model"}
	if err := v.check(); err != nil {
		return err
	}
	pairs, load, err := v.source()
	if err != nil {
		return err
	}
	pairs = spreadPairs(pairs, c.Count)
	load = remember(load)
	rows, err := c.rows()
	if err != nil {
		return err
	}
	bar := newProgress(e.stderr, "trying", "contracts")
	for i := range rows {
		bar.set(i, len(rows))
		if err := c.try(e, &rows[i], load, pairs); err != nil {
			bar.done()
			return err
		}
	}
	bar.done()
	slices.SortStableFunc(rows, func(a, b contractRow) int { return cmp.Compare(b.AUC, a.AUC) })
	for i := range rows[1:] {
		row := &rows[i+1]
		for _, d := range compare.New(rows[0].system, row.system, pairs, compare.Options{}).Differences {
			if d.Quantity == "EER" && d.McNemar != nil {
				row.P, row.Tied = &d.McNemar.P, d.McNemar.P >= surely
			}
		}
	}
	c.print(e.text(), rows, pairs)
	if e.json {
		return cli.WriteJSON(e.stdout, contractJSON{cli.Version(), commandLine(e.args), c.Model, len(pairs.Pairs), rows, rows[0].flags()})
	}
	return nil
}

// rows are the contracts to try: the usual ones, and the model's own if it is none of them.
func (c *contractCmd) rows() ([]contractRow, error) {
	var rows []contractRow
	for _, u := range usualContracts {
		rows = append(rows, contractRow{Name: u.Name, Color: u.Color, Mean: u.Mean, Std: u.Std})
	}
	m, err := c.model(&contractRow{})
	if errors.Is(err, embed.ErrNoContract) {
		return rows, nil
	} else if err != nil {
		return nil, err
	}
	own := m.Contract
	for i, r := range rows {
		usual := own
		if err := usual.Apply(embed.ONNXOptions{Mean: r.Mean, Std: r.Std, Color: r.Color}); err == nil && usual == own {
			rows[i].Own = true
			return rows, nil
		}
	}
	return append(rows, contractRow{Name: "as the model says", Color: own.Color, Mean: own.Mean[:], Std: own.Std[:], Own: true}), nil
}

// try scores the pairs under a contract.
func (c *contractCmd) try(e *env, row *contractRow, load eval.LoadFunc, pairs *eval.Pairs) error {
	m, err := c.model(row)
	if err != nil {
		return err
	}
	embedder, err := m.Embedder(embed.Options{Threads: c.Threads, Batch: c.Batch})
	if err != nil {
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	defer embedder.Close()
	vectors, err := eval.EmbedImages(e.ctx, embedder, load, pairs.Images(), false, eval.Options{Batch: c.Batch})
	if err != nil {
		return err
	}
	// Pairs that cannot be read are left out, under all contracts alike.
	pairs.Pairs = slices.DeleteFunc(pairs.Pairs, func(p eval.Pair) bool { return !vectors.Has(p.A) || !vectors.Has(p.B) })
	result, err := vectors.Verify(pairs, eval.Options{Protocols: []string{eval.OpenSphere}, SkipMissing: true})
	if err != nil {
		return err
	}
	row.AUC, row.EER = result.AUC, result.EER.Value
	row.system = compare.System{Name: row.Name, Scores: result.Scores, ROC: result.ROC}
	return nil
}

// model reads the model with the contract of a row, or its own where the row says nothing.
func (c *contractCmd) model(row *contractRow) (*embed.Model, error) {
	o := embed.ONNXOptions{Height: c.Size.Height, Width: c.Size.Width, Mean: row.Mean, Std: row.Std, Color: row.Color, Fit: c.Fit, Output: c.Output}
	if embed.IsONNX(c.Model) {
		return embed.LoadONNX(c.Model, o)
	}
	m, err := embed.Load(c.Model)
	if err != nil {
		return nil, err
	}
	return m, m.Contract.Apply(o)
}

// remember returns a load that decodes each image once.
func remember(load eval.LoadFunc) eval.LoadFunc {
	type entry struct {
		img image.Image
		err error
	}
	var mu sync.Mutex
	known := map[string]entry{}
	return func(name string) (image.Image, error) {
		mu.Lock()
		x, ok := known[name]
		mu.Unlock()
		if !ok {
			x.img, x.err = load(name)
			mu.Lock()
			known[name] = x
			mu.Unlock()
		}
		return x.img, x.err
	}
}

// spreadPairs returns about n of the pairs, half of them of one person if there are as many.
func spreadPairs(p *eval.Pairs, n int) *eval.Pairs {
	some := *p
	some.Pairs = nil
	for _, same := range []bool{true, false} {
		var kind []eval.Pair
		for _, x := range p.Pairs {
			if x.Same == same {
				kind = append(kind, x)
			}
		}
		k := min(n/2, len(kind))
		for i := range k {
			some.Pairs = append(some.Pairs, kind[i*len(kind)/k])
		}
	}
	return &some
}

// flags returns the flags that say what the row does.
func (r *contractRow) flags() string {
	list := func(x []float32) string {
		var parts []string
		for _, v := range x {
			parts = append(parts, strconv.FormatFloat(float64(v), 'g', -1, 32))
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprintf("--mean %s --std %s --color %s", list(r.Mean), list(r.Std), r.Color)
}

func (c *contractCmd) print(w io.Writer, rows []contractRow, pairs *eval.Pairs) {
	fmt.Fprintf(w, "%s on %d pairs of %s\n\n", c.Model, len(pairs.Pairs), c.Pairs)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "AUC\tEER\tagainst the best\tpixels\tflags")
	tied := 0
	for i, r := range rows {
		verdict, name := "worse", r.Name
		switch {
		case i == 0:
			verdict = "the best"
		case r.Tied:
			verdict = fmt.Sprintf("tied, p = %.2g", *r.P)
			tied++
		}
		if r.Own {
			name += ": the model's own"
		}
		fmt.Fprintf(t, "%.5f\t%.2f %%\t%s\t%s\t%s\n", r.AUC, 100*r.EER, verdict, name, r.flags())
	}
	t.Flush()
	fmt.Fprintf(w, "\nfits best: %s\n", rows[0].flags())
	if tied > 0 {
		fmt.Fprintf(w, "%d more fit as well, as far as %d pairs tell (McNemar's test, p of %g and above); more may part them: --count\n", tied, len(pairs.Pairs), surely)
	}
	printOwn(w, rows)
	if rows[0].AUC < 0.7 {
		fmt.Fprintln(w, "None fits well: are the faces aligned as the model wants them, and is the model one for faces?")
	}
}

// printOwn says how the model's own contract does.
func printOwn(w io.Writer, rows []contractRow) {
	i := slices.IndexFunc(rows, func(r contractRow) bool { return r.Own })
	switch {
	case i < 0:
		fmt.Fprintln(w, "The file says none of its own: the flags are needed wherever it is used.")
	case i == 0:
		fmt.Fprintln(w, "That is the model's own: no flags are needed.")
	case rows[i].Tied:
		fmt.Fprintf(w, "The model's own is among them (%s): keep it, and give no flags.\n", rows[i].flags())
	default:
		fmt.Fprintf(w, "The model's own is worse (%s, AUC %.5f): are the images what it was trained on, and does the file belong to these weights?\n", rows[i].flags(), rows[i].AUC)
	}
}
