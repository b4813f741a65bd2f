// Package blufr is the benchmark of large-scale unconstrained face recognition on all images of LFW,
// verification and open-set identification, with trials that are drawn from a seed.
//
// In each of 10 trials 1500 people are set aside for training. Of the others every pair is compared, and the
// verification rate at FAR 0.1 % is taken; 1000 of those with two or more images are enrolled with
// one image each, their other images are mated probes and all images of the people left are
// non-mated ones, and the detection and identification rate at rank 1 and FPIR 1 % is taken. What is
// reported is the mean less the standard deviation (of a sample: divided by n-1) over trials.
//
// The official lists fix other draws of the same kind, so the numbers are comparable and not the same;
// with [Options.Lists] the trials are those of lists instead.
// S. Liao et al., A benchmark study of large-scale unconstrained face recognition, IJCB 2014.
package blufr

import (
	"context"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/allpairs"
	"github.com/faceverify/fv/eval/identify"
	"github.com/faceverify/fv/eval/matrix"
	"github.com/faceverify/fv/internal/random"
)

// FAR and FPIR are the rates at which the benchmark looks.
const (
	FAR  = 1e-3
	FPIR = 1e-2
)

// Options says how trials are drawn. The zero value is the benchmark's, with seed 0.
type Options struct {
	Trials  int // default 10
	Train   int // people set aside; default 1500
	Gallery int // people enrolled; default 1000
	Seed    uint64
	// Lists, if not nil, are the trials, and nothing is drawn.
	Lists *Lists
	// SkipMissing leaves out images of the lists that have no embedding, and counts them, instead of failing.
	SkipMissing bool
	Threads     int // default one for each processor
	// Progress, if not nil, is told how many trials are done.
	Progress func(done, total int)
}

// Result is the benchmark measured. Rates are shares of 1.
type Result struct {
	Trials  []Trial `json:"trials"`
	Seed    uint64  `json:"seed"`
	Train   int     `json:"train"`
	Missing int     `json:"missing"` // images of the lists without an embedding
	Gallery int     `json:"gallery"`
	VR      Summary `json:"vr_at_far_0.001"`
	DIR     Summary `json:"dir_at_fpir_0.01_rank_1"`
}

// Summary is a quantity over trials.
type Summary struct {
	Mean   float64 `json:"mean"`
	Std    float64 `json:"std"`            // ddof 1
	Report float64 `json:"mean_minus_std"` // what the benchmark reports
}

// Trial is one draw.
type Trial struct {
	People   int                 `json:"people"`
	Images   int                 `json:"images"`
	Genuine  int                 `json:"genuine"`
	Impostor int                 `json:"impostor"`
	VR       eval.OperatingPoint `json:"verification"`
	Mated    int                 `json:"mated"`
	NonMated int                 `json:"non_mated"`
	DIR      identify.Point      `json:"identification"`
}

// Measure runs the trials on the rows of m. It is an error if there are too few people or images, or if
// the pairs or probes of a trial do not resolve the rates.
func Measure(ctx context.Context, m *matrix.Matrix, o Options) (*Result, error) {
	if o.Trials == 0 {
		o.Trials = 10
	}
	if o.Train == 0 {
		o.Train = 1500
	}
	if o.Gallery == 0 {
		o.Gallery = 1000
	}
	if o.Trials < 2 || o.Train < 0 || o.Gallery < 1 {
		return nil, fmt.Errorf("%d trials, %d people for training, %d enrolled: want 2 or more, 0 or more, 1 or more", o.Trials, o.Train, o.Gallery)
	}
	rows := map[string][]int{}
	var people []string // in order of appearance, so that a trial depends on the file and the seed
	for i, who := range m.Identities {
		if who == "" {
			return nil, fmt.Errorf("%s has no identity", m.Describe(i))
		}
		if rows[who] == nil {
			people = append(people, who)
		}
		rows[who] = append(rows[who], i)
	}
	if o.Lists != nil {
		return measureLists(ctx, m, o)
	}
	if len(people) <= o.Train {
		return nil, fmt.Errorf("%s: %d people, of which %d are for training: none are left to test", m.Path, len(people), o.Train)
	}
	r := &Result{Seed: o.Seed, Train: o.Train, Gallery: o.Gallery}
	var vr, dir []float64
	for k := range o.Trials {
		t, err := trial(ctx, m, people, rows, k, o)
		if err != nil {
			return nil, fmt.Errorf("trial %d: %w", k+1, err)
		}
		r.Trials = append(r.Trials, *t)
		vr, dir = append(vr, t.VR.TAR.Value), append(dir, t.DIR.DIR.Value)
		if o.Progress != nil {
			o.Progress(k+1, o.Trials)
		}
	}
	r.VR, r.DIR = summary(vr), summary(dir)
	return r, nil
}

func summary(values []float64) Summary {
	mean, std := stat.MeanStdDev(values, nil)
	return Summary{mean, std, mean - std}
}

func trial(ctx context.Context, m *matrix.Matrix, people []string, rows map[string][]int, k int, o Options) (*Trial, error) {
	d, err := draw(people, rows, k, o)
	if err != nil {
		return nil, err
	}
	return score(ctx, o, len(people)-o.Train, pick(m, d.test), pick(m, d.gallery), pick(m, d.mated), pick(m, d.unknown))
}

// drawn is the rows of a trial's images.
type drawn struct{ test, gallery, mated, unknown []int }

func draw(people []string, rows map[string][]int, k int, o Options) (*drawn, error) {
	r := random.New(o.Seed, random.Trial, 0, k)
	order := slices.Clone(people)
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	d := &drawn{}
	enrolled := 0
	for _, who := range order[o.Train:] {
		images := rows[who]
		d.test = append(d.test, images...)
		if len(images) < 2 || enrolled == o.Gallery {
			d.unknown = append(d.unknown, images...)
			continue
		}
		enrolled++
		one := r.IntN(len(images))
		for i, row := range images {
			if i == one {
				d.gallery = append(d.gallery, row)
			} else {
				d.mated = append(d.mated, row)
			}
		}
	}
	if enrolled < o.Gallery {
		return nil, fmt.Errorf("%d people have two or more images, %d are to be enrolled", enrolled, o.Gallery)
	}
	return d, nil
}

// score measures one trial.
func score(ctx context.Context, o Options, people int, test, gallery, probes, unknown *matrix.Matrix) (*Trial, error) {
	pairs, err := allpairs.Measure(ctx, test, allpairs.Options{FARs: []float64{FAR}, Threads: o.Threads})
	if err != nil {
		return nil, err
	}
	if vr := pairs.OperatingPoints[0]; !vr.Resolved {
		return nil, fmt.Errorf("%d impostor pairs do not resolve FAR %g", pairs.Impostor, FAR)
	}
	found, err := identify.Measure(ctx, gallery, probes, unknown, identify.Options{Enrol: identify.One, FPIRs: []float64{FPIR}, Threads: o.Threads})
	if err != nil {
		return nil, err
	}
	if dir := found.Points[0]; !dir.Resolved {
		return nil, fmt.Errorf("%d non-mated probes do not resolve FPIR %g", found.NonMated, FPIR)
	}
	return &Trial{
		People: people, Images: test.Len(), Genuine: pairs.Genuine, Impostor: pairs.Impostor, VR: pairs.OperatingPoints[0],
		Mated: found.Mated, NonMated: found.NonMated, DIR: found.Points[0],
	}, nil
}

// measureLists runs the trials of lists.
func measureLists(ctx context.Context, m *matrix.Matrix, o Options) (*Result, error) {
	row, err := m.Lookup()
	if err != nil {
		return nil, err
	}
	missing := map[string]bool{}
	total := map[string]bool{}
	for _, t := range o.Lists.Trials {
		for _, set := range t.sets() {
			for _, name := range set {
				total[name] = true
				if _, ok := row(name); !ok {
					missing[name] = true
				}
			}
		}
	}
	if len(missing) > 0 && !o.SkipMissing {
		return nil, fmt.Errorf("%s in %s: %w", o.Lists.Path, m.Path, matrix.Missing(missing, len(total)))
	}
	r := &Result{Missing: len(missing)}
	var vr, dir []float64
	for k, l := range o.Lists.Trials {
		var sets [3]*matrix.Matrix
		people := map[string]bool{}
		for i, names := range l.sets() {
			var rows []int
			for _, name := range names {
				if at, ok := row(name); ok {
					rows = append(rows, at)
					people[m.Identities[at]] = true
				}
			}
			if sets[i] = pick(m, rows); sets[i] == nil {
				return nil, fmt.Errorf("trial %d: none of its images has an embedding", k+1)
			}
		}
		t, err := score(ctx, o, len(people), sets[0], sets[1], sets[2], nil)
		if err != nil {
			return nil, fmt.Errorf("trial %d: %w", k+1, err)
		}
		r.Trials = append(r.Trials, *t)
		vr, dir = append(vr, t.VR.TAR.Value), append(dir, t.DIR.DIR.Value)
		if o.Progress != nil {
			o.Progress(k+1, len(o.Lists.Trials))
		}
	}
	r.VR, r.DIR = summary(vr), summary(dir)
	return r, nil
}

// pick returns the given rows of m, nil if there are none.
func pick(m *matrix.Matrix, rows []int) *matrix.Matrix {
	if len(rows) == 0 {
		return nil
	}
	out := &matrix.Matrix{Path: m.Path, Dim: m.Dim, Data: make([]float32, 0, len(rows)*m.Dim)}
	for _, i := range rows {
		out.Data = append(out.Data, m.Row(i)...)
		out.Names, out.Identities = append(out.Names, m.Names[i]), append(out.Identities, m.Identities[i])
	}
	return out
}
