// Package identify measures open-set identification (1:N): whether a probe is one of the people of a
// gallery, and who.
//
// A gallery holds one template for each identity. A probe is mated if its identity is enrolled, else
// non-mated. With a threshold τ and a rank r (ISO/IEC 19795-1, NIST FRVT 1:N):
//
//	FPIR(τ)    = share of non-mated probes whose highest score is >= τ
//	FNIR(τ, r) = share of mated probes whose mate is not among the r highest, or scores < τ
//	DIR(τ, r)  = 1 - FNIR(τ, r)
//	CMC(k)     = share of mated probes whose mate is among the k highest, without a threshold
//
// Public scripts that count impostor pairs instead of probes, or drop the rank, measure something else.
// A mate that scores no more than another template comes after it: ties count against the system.
// Rates depend on the size of the gallery, which therefore stands beside each.
package identify

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/matrix"
)

// How an identity with several images in the gallery is enrolled.
const (
	One  = "one"  // its first image, in the order of the file
	Mean = "mean" // the mean of its unit embeddings, of unit length again
)

// Options says how to measure. The zero value is usable.
type Options struct {
	Enrol   string    // One or Mean; default Mean
	FPIRs   []float64 // default [DefaultFPIRs]
	Rank    int       // r of FNIR and DIR; default 1
	Ranks   []int     // of the CMC; default 1, 2, 3, 5, 10, 20, 50, 100
	Threads int       // default one for each processor
	// Normalise is NoNorm (the default), or how scores are normalised by those of Cohort.
	Normalise string
	Cohort    *matrix.Matrix
	// Progress, if not nil, is told how many of the probes are scored.
	Progress func(done, total int)
}

// DefaultFPIRs are the false positive identification rates reported when none are asked for.
func DefaultFPIRs() []float64 { return []float64{0.1, 0.01, 0.001} }

// Result is an identification measured. Rates are shares of 1.
type Result struct {
	Enrol         string `json:"enrol"`
	Gallery       int    `json:"gallery"`        // identities enrolled
	GalleryImages int    `json:"gallery_images"` // of which the templates were made
	Mated         int    `json:"mated"`          // probes whose identity is enrolled
	NonMated      int    `json:"non_mated"`      // probes whose identity is not
	// Excluded counts probes whose name is that of an enrolled image: they would find themselves.
	Excluded int `json:"excluded"`
	Dim      int `json:"dim"`
	// Normalise is how scores were normalised, "none" if they are cosines; Cohort its number of images.
	Normalise string `json:"normalise"`
	Cohort    int    `json:"cohort"`

	CMC    []RankRate `json:"cmc"`
	Rank   int        `json:"rank"` // r of the operating points
	Points []Point    `json:"operating_points"`

	// Ranks is the CMC at every rank: Ranks[k] is the share of mated probes at rank k+1 or better.
	Ranks []float64 `json:"-"`
	// Curve is DIR (as TAR) against FPIR (as FAR).
	Curve *eval.ROC `json:"-"`
}

// RankRate is the CMC at one rank.
type RankRate struct {
	Rank int       `json:"rank"`
	Rate eval.Rate `json:"rate"`
}

// Point is what the lowest threshold with FPIR <= Target does. Where the non-mated probes are too
// few to resolve it, the rest is null.
type Point struct {
	Target    float64         `json:"fpir_target"`
	Resolved  bool            `json:"resolved"`
	Threshold *eval.Threshold `json:"threshold"`
	FPIR      *eval.Rate      `json:"fpir"`
	DIR       *eval.Rate      `json:"dir"`
	FNIR      *eval.Rate      `json:"fnir"`
}

// Search is what the gallery said to one probe.
type Search struct {
	Top float64 // the highest score
	// Rank is the mate's, from 1, and Mate its score; 0 and NaN for a non-mated probe.
	Rank int
	Mate float64
}

// Measure enrols gallery and searches it for every row of probes. Probes of identities that are not
// enrolled, and all of those in unknown, which may be nil, are non-mated; it is an error if
// unknown has someone enrolled, or if there are no mated probes.
func Measure(ctx context.Context, gallery, probes, unknown *matrix.Matrix, o Options) (*Result, error) {
	t, err := NewTrial(gallery, probes, unknown, o)
	if err != nil {
		return nil, err
	}
	if err := t.Search(ctx, 0, 1, o.Progress); err != nil {
		return nil, err
	}
	return t.Result()
}

func (o Options) filled() (Options, error) {
	if o.Enrol == "" {
		o.Enrol = Mean
	}
	if o.Enrol != One && o.Enrol != Mean {
		return o, fmt.Errorf("enrolment %q: want %s or %s", o.Enrol, One, Mean)
	}
	switch o.Normalise {
	case "":
		o.Normalise = NoNorm
	case NoNorm:
	case ZNorm, TNorm, SNorm:
		if o.Cohort == nil {
			return o, fmt.Errorf("normalisation %s needs a cohort", o.Normalise)
		}
	default:
		return o, fmt.Errorf("normalisation %q: want %s, %s, %s or %s", o.Normalise, NoNorm, ZNorm, TNorm, SNorm)
	}
	if o.FPIRs == nil {
		o.FPIRs = DefaultFPIRs()
	}
	for _, f := range o.FPIRs {
		if !(f > 0 && f < 1) {
			return o, fmt.Errorf("false positive identification rate %v: want a number between 0 and 1", f)
		}
	}
	if o.Rank == 0 {
		o.Rank = 1
	}
	if o.Ranks == nil {
		o.Ranks = []int{1, 2, 3, 5, 10, 20, 50, 100}
	}
	for _, k := range append([]int{o.Rank}, o.Ranks...) {
		if k < 1 {
			return o, fmt.Errorf("rank %d: want 1 or more", k)
		}
	}
	return o, nil
}

// gallery is one unit template for each identity.
type gallery struct {
	dim       int
	names     []string
	index     map[string]int
	images    map[string]bool
	templates []float32 // [len(names), dim]
}

func enrol(m *matrix.Matrix, policy string) (*gallery, error) {
	g := &gallery{dim: m.Dim, index: map[string]int{}, images: map[string]bool{}}
	var sums []float64
	for i, identity := range m.Identities {
		if identity == "" {
			return nil, fmt.Errorf("%s has no identity; a gallery needs to know who each image shows", m.Describe(i))
		}
		g.images[m.Names[i]] = true
		k, ok := g.index[identity]
		if !ok {
			k = len(g.names)
			g.index[identity] = k
			g.names = append(g.names, identity)
			sums = append(sums, make([]float64, m.Dim)...)
		} else if policy == One {
			continue
		}
		norm := length(m.Row(i))
		for j, x := range m.Row(i) {
			sums[k*m.Dim+j] += float64(x) / norm
		}
	}
	g.templates = make([]float32, len(sums))
	for k, name := range g.names {
		var norm float64
		sum := sums[k*m.Dim:][:m.Dim]
		for _, x := range sum {
			norm += x * x
		}
		if norm == 0 {
			return nil, fmt.Errorf("%s: the embeddings of %s cancel out; their mean has no direction", m.Path, name)
		}
		for j, x := range sum {
			g.templates[k*m.Dim+j] = float32(x / math.Sqrt(norm))
		}
	}
	return g, nil
}

func length(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

// searchRow looks for the mate, -1 if there is none.
func searchRow(scores []float32, mate int) Search {
	s := Search{Top: float64(slices.Max(scores)), Mate: math.NaN()}
	if mate < 0 {
		return s
	}
	s.Mate = float64(scores[mate])
	for _, x := range scores { // the mate itself makes the rank count from 1
		if x >= scores[mate] {
			s.Rank++
		}
	}
	return s
}
