// Command asoftmax makes the figure of the A-Softmax paper (SphereFace, Liu et al. 2017, fig. 5): features of three
// numbers, learned by plain softmax and by A-Softmax with m = 1 to 4, on the sphere, and the angles of their
// pairs.
//
//	go run ./scripts/asoftmax --lfw LFW_IMAGES --mnist MNIST_FOLDER --out DIR
//
// It trains small networks on the six people of LFW that have most images, at most 70 each, and on a hundred images
// of each digit, five seeds each; measures the former on the images that they learned, the latter on the test
// set; and writes figure.png, table.md and each measurement. One that is there already is not made again, so the command can be stopped
// and called again. Of every measure the table has the median over the seeds, and names what is not in the order that the paper
// shows: smaller with each m, and smaller than plain softmax's.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/faceverify/fv/pipeline"
	"github.com/faceverify/fv/pipeline/dataset"
)

// source is images to train on and to measure.
type source struct {
	name, about string
	train, test string
	options     dataset.Options // of both
	settings    []string
}

// variant is a loss.
type variant struct {
	name     string
	settings []string
}

// annealed takes λ from 1000 to 1 within 75 steps and below 0.1 in the end: the runs have some 200 steps, not the paper's 28 000.
const annealed = "head-params=lambda-base=1000;lambda-gamma=0.12;lambda-power=3;lambda-min=0"

func variants() []variant {
	vs := []variant{{"softmax", []string{"head=softmax"}}}
	for m := 1; m <= 4; m++ {
		vs = append(vs, variant{fmt.Sprintf("m=%d", m), []string{"head=asoftmax", fmt.Sprintf("margin=%d", m), annealed}})
	}
	return vs
}

// common is what all runs are trained with.
var common = []string{"val=none", "size=32", "backbone=sfnet4", "embedding=3", "optimizer=adamw", "lr=0.001", "warmup=20", "checkpoint-every=1000000"}

func main() {
	lfw := flag.String("lfw", "", "folder of LFW's images, one folder for each person")
	mnist := flag.String("mnist", "", "folder of MNIST's four idx files")
	out := flag.String("out", "asoftmax-out", "folder to write")
	seeds := flag.Int("seeds", 5, "runs of each loss, whose median counts")
	threads := flag.Int("threads", 0, "threads; 0 means one for each processor")
	flag.Parse()
	if *lfw == "" && *mnist == "" || flag.NArg() > 0 || *seeds < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, sources(*lfw, *mnist), *out, *seeds, *threads); err != nil {
		fmt.Fprintln(os.Stderr, "asoftmax:", err)
		os.Exit(1)
	}
}

func sources(lfw, mnist string) []source {
	var all []source
	if lfw != "" {
		all = append(all, source{
			name: "LFW, six people", about: "420 images, those of the training", train: lfw, test: lfw,
			options:  dataset.Options{MinImages: 77, MaxImages: 70}, // six people have 77 or more
			settings: []string{"min-images=77", "max-images=70", "batch=60", "epochs=30", "augment=none"},
		})
	}
	if mnist != "" {
		all = append(all, source{
			name: "MNIST", about: "1 000 images of the test set",
			train: idxFile(mnist, "train-images-idx3-ubyte"), test: idxFile(mnist, "t10k-images-idx3-ubyte"),
			options:  dataset.Options{MaxImages: 100},
			settings: []string{"max-images=100", "batch=64", "epochs=14", "augment=none"},
		})
	}
	return all
}

// idxFile returns the path of a file that may be packed.
func idxFile(dir, name string) string {
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		return path + ".gz"
	}
	return path
}

// configure returns the settings of a run.
func configure(s source, v variant, seed, threads int, out string) (pipeline.Config, error) {
	c := pipeline.Default()
	for _, list := range [][]string{common, s.settings, v.settings} {
		for _, text := range list {
			name, value, _ := strings.Cut(text, "=")
			if err := c.Set(name, value); err != nil {
				return c, err
			}
		}
	}
	c.Data, c.Out, c.Seed, c.Threads, c.Force = s.train, out, uint64(seed), threads, true
	return c, nil
}
