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
	"github.com/faceverify/fv/internal/kernel"
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
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	g, err := enrol(gallery, o.Enrol)
	if err != nil {
		return nil, err
	}
	r := &Result{Enrol: o.Enrol, Gallery: len(g.names), GalleryImages: gallery.Len(), Dim: gallery.Dim, Normalise: o.Normalise, Rank: o.Rank, CMC: []RankRate{}, Points: []Point{}}
	pool := kernel.NewPool(o.Threads)
	defer pool.Close()
	if o.Normalise != NoNorm {
		r.Cohort = o.Cohort.Len()
	}
	z, err := g.newNormaliser(pool, o.Cohort, o.Normalise)
	if err != nil {
		return nil, err
	}
	var searches []Search
	for _, m := range []*matrix.Matrix{probes, unknown} {
		if m == nil {
			continue
		}
		if m.Dim != gallery.Dim {
			return nil, fmt.Errorf("%s has embeddings of %d values, %s of %d; were they made by one model?", gallery.Path, gallery.Dim, m.Path, m.Dim)
		}
		rows := make([]int, 0, m.Len())
		for i, name := range m.Names {
			switch _, enrolled := g.index[m.Identities[i]]; {
			case m.Identities[i] == "":
				return nil, fmt.Errorf("%s has no identity", m.Describe(i))
			case m == unknown && enrolled:
				return nil, fmt.Errorf("%s is an unknown probe, but %s is enrolled", m.Describe(i), m.Identities[i])
			case g.images[name] && enrolled:
				r.Excluded++
			default:
				rows = append(rows, i)
			}
		}
		found, err := g.search(ctx, pool, z, m, rows, o)
		if err != nil {
			return nil, err
		}
		searches = append(searches, found...)
	}
	r.count(searches, o)
	if r.Mated == 0 {
		if n := probes.Len(); r.Excluded >= n {
			return nil, fmt.Errorf("all %d probes are images of the gallery; name other images", n)
		}
		return nil, fmt.Errorf("none of the %d probes shows one of the %d people enrolled (%d probes are enrolled images themselves)", len(searches)+r.Excluded, r.Gallery, r.Excluded)
	}
	return r, nil
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

// tileScores is about how many scores are held at once.
const tileScores = 1 << 22

// search scores the given rows of m against the gallery, some probes at a time.
func (g *gallery) search(ctx context.Context, pool *kernel.Pool, z *normaliser, m *matrix.Matrix, rows []int, o Options) ([]Search, error) {
	n := len(g.names)
	tile := max(1, min(len(rows), tileScores/n))
	unit, scores := make([]float32, tile*g.dim), make([]float32, tile*n)
	out := make([]Search, len(rows))
	for start := 0; start < len(rows); start += tile {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		part := rows[start:min(start+tile, len(rows))]
		for i, row := range part {
			norm := length(m.Row(row))
			for j, x := range m.Row(row) {
				unit[i*g.dim+j] = float32(float64(x) / norm)
			}
		}
		kernel.Gemm(pool, len(part), n, g.dim, unit, g.dim, false, g.templates, g.dim, true, scores, n, false)
		err := z.apply(pool, scores[:len(part)*n], unit[:len(part)*g.dim], func(i int) string { return m.Describe(part[i]) })
		if err != nil {
			return nil, err
		}
		pool.Run(len(part), func(i int) {
			mate, ok := g.index[m.Identities[part[i]]]
			if !ok {
				mate = -1
			}
			out[start+i] = searchRow(scores[i*n:][:n], mate)
		})
		if o.Progress != nil {
			o.Progress(start+len(part), len(rows))
		}
	}
	return out, nil
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
