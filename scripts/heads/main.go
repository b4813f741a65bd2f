// Command heads trains a small network with each head, and with each metric loss, on the same small set of real faces, and prints
// how well it tells people apart whom it has not seen.
//
//	go run ./scripts/heads --out DIR FACES
//
// FACES is a folder of one folder of images for each person, such as the ORL faces (40 people, 10 images each). A quarter of the people
// are held out, the same for all. Heads have their defaults, all runs the same settings, seed and learning rate. What is
// in DIR already is not trained again. The command fails if one does not reach --least.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/losses/metric"
	"github.com/faceverify/fv/pipeline"
)

// common is what all runs are trained with.
var common = []string{
	"val=0.25", "size=32", "backbone=sfnet4-bn", "embedding=128", "augment=light", "batch=60", "per-identity=4",
	"epochs=30", "lr=0.05", "warmup=15", "val-every=1000000", "checkpoint-every=1000000",
}

// outcome is how a run ended.
type outcome struct {
	Loss     float64 `json:"loss"` // of the last step
	AUC      float64 `json:"auc"`
	Accuracy float64 `json:"accuracy"`
	EER      float64 `json:"eer"`
	Steps    int     `json:"steps"`
}

func main() {
	out := flag.String("out", "heads-out", "folder to write")
	least := flag.Float64("least", 0.85, "AUC that each must reach")
	threads := flag.Int("threads", 0, "threads; 0 means one for each processor")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, flag.Arg(0), *out, *least, *threads); err != nil {
		fmt.Fprintln(os.Stderr, "heads:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, data, out string, least float64, threads int) error {
	var short []string
	fmt.Println("| loss | settings | AUC | accuracy | EER | loss of the last step |\n|---|---|---|---|---|---|")
	for _, o := range objectives() {
		c, err := configure(data, filepath.Join(out, o.name), o.settings, threads)
		if err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		r, err := one(ctx, c, filepath.Join(out, o.name+".json"))
		if err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		fmt.Printf("| %s | %s | %.4f | %.2f %% | %.2f %% | %.3f |\n", o.name, o.about(&c), r.AUC, 100*r.Accuracy, 100*r.EER, r.Loss)
		if !(r.AUC >= least) {
			short = append(short, o.name)
		}
	}
	if short != nil {
		return fmt.Errorf("an AUC of %g is not reached by %s", least, strings.Join(short, ", "))
	}
	return nil
}

// objective is what a run minimises.
type objective struct {
	name     string
	settings []string
}

func objectives() []objective {
	var all []objective
	for _, name := range losses.Names() {
		all = append(all, objective{name, []string{"head=" + name}})
	}
	for _, name := range metric.Names() {
		if name == "center" {
			all = append(all, objective{"softmax+center", []string{"head=softmax", "loss=head+center", "loss-weight=0.003"}})
			continue
		}
		all = append(all, objective{name, []string{"loss=" + name}})
	}
	return all
}

// about returns the loss's own settings.
func (o objective) about(c *pipeline.Config) string {
	params := pipeline.Params{}
	if strings.HasPrefix(c.Loss, "head") {
		for name, v := range c.HeadParams {
			params[name] = v
		}
		if c.Scale != nil {
			params["scale"] = float64(*c.Scale)
		}
		if c.Margin != nil {
			params["margin"] = *c.Margin
		}
	} else {
		params = c.LossParams
	}
	text, _ := params.MarshalText() // never fails
	return strings.ReplaceAll(string(text), ";", " ")
}

// configure returns the resolved settings of a run.
func configure(data, out string, settings []string, threads int) (pipeline.Config, error) {
	c := pipeline.Default()
	for _, text := range slices.Concat(common, settings) {
		name, value, _ := strings.Cut(text, "=")
		if err := c.Set(name, value); err != nil {
			return c, err
		}
	}
	c.Data, c.Out, c.Threads, c.Force = data, out, threads, true
	return c, c.Resolve()
}

// one reads the outcome of a run or, if there is none, trains.
func one(ctx context.Context, c pipeline.Config, path string) (*outcome, error) {
	o := &outcome{}
	text, err := os.ReadFile(path)
	if err == nil {
		return o, json.Unmarshal(text, o)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	r, err := pipeline.Train(ctx, c, pipeline.Events{})
	if err != nil {
		return nil, err
	}
	v := cmp.Or(r.Last, &pipeline.Validation{})
	*o = outcome{Loss: r.Loss, AUC: v.AUC, Accuracy: v.Accuracy, EER: v.EER, Steps: r.Steps}
	return o, atomicfile.Write(path, func(w io.Writer) error { return json.NewEncoder(w).Encode(o) })
}
