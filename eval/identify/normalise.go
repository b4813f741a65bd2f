package identify

import (
	"fmt"
	"math"

	"github.com/faceverify/fv/eval/matrix"
	"github.com/faceverify/fv/internal/kernel"
)

// How scores are normalised by those of a cohort, people who are neither enrolled nor searched for:
//
//	ZNorm: (s - μg)/σg    of the template's scores with the cohort
//	TNorm: (s - μp)/σp    of the probe's scores with the cohort
//	SNorm: half the sum of both, which is symmetrical
//
// Templates and probes that everyone resembles then count for less. Normalised scores are no cosines.
// R. Auckenthaler et al., Digital Signal Processing 10 (2000); P. Kenny, Odyssey 2010 (s-norm).
const (
	NoNorm = "none"
	ZNorm  = "z"
	TNorm  = "t"
	SNorm  = "s"
)

// normaliser replaces scores by normalised ones; nil leaves them.
type normaliser struct {
	mode      string
	cohort    []float32 // [n, dim], of unit length
	n, dim    int
	templates []moments
}

// moments are the mean and the deviation (ddof 0) of scores with the cohort.
type moments struct{ mean, std float64 }

func (g *gallery) newNormaliser(pool *kernel.Pool, cohort *matrix.Matrix, mode string) (*normaliser, error) {
	if mode == NoNorm {
		return nil, nil
	}
	if cohort.Dim != g.dim {
		return nil, fmt.Errorf("%s has embeddings of %d values, the gallery's have %d; were they made by one model?", cohort.Path, cohort.Dim, g.dim)
	}
	if cohort.Len() < 2 {
		return nil, fmt.Errorf("%s: a cohort of one image; want two or more", cohort.Path)
	}
	z := &normaliser{mode: mode, n: cohort.Len(), dim: g.dim, cohort: make([]float32, len(cohort.Data))}
	for i := range z.n {
		if _, enrolled := g.index[cohort.Identities[i]]; enrolled {
			return nil, fmt.Errorf("%s is in the cohort, but %s is enrolled", cohort.Describe(i), cohort.Identities[i])
		}
		norm := length(cohort.Row(i))
		for j, x := range cohort.Row(i) {
			z.cohort[i*z.dim+j] = float32(float64(x) / norm)
		}
	}
	var err error
	if mode != TNorm {
		z.templates, err = z.moments(pool, g.templates, func(i int) string { return "the template of " + g.names[i] })
	}
	return z, err
}

// moments returns those of rows [n, dim] of unit length.
func (z *normaliser) moments(pool *kernel.Pool, rows []float32, name func(i int) string) ([]moments, error) {
	n := len(rows) / z.dim
	out := make([]moments, n)
	tile := max(1, min(n, tileScores/z.n))
	scores := make([]float32, tile*z.n)
	for start := 0; start < n; start += tile {
		part := min(tile, n-start)
		kernel.Gemm(pool, part, z.n, z.dim, rows[start*z.dim:], z.dim, false, z.cohort, z.dim, true, scores, z.n, false)
		for i := range part {
			m := &out[start+i]
			row := scores[i*z.n:][:z.n]
			for _, s := range row {
				m.mean += float64(s) / float64(z.n)
			}
			for _, s := range row {
				d := float64(s) - m.mean
				m.std += d * d / float64(z.n)
			}
			if m.std = math.Sqrt(m.std); !(m.std > 0) {
				return nil, fmt.Errorf("all of the cohort's scores with %s are equal: they cannot be normalised", name(start+i))
			}
		}
	}
	return out, nil
}

// apply normalises the scores [probes, templates] of probes of unit length.
func (z *normaliser) apply(pool *kernel.Pool, scores, probes []float32, name func(i int) string) error {
	if z == nil {
		return nil
	}
	n := len(probes) / z.dim
	var of []moments
	if z.mode != ZNorm {
		var err error
		if of, err = z.moments(pool, probes, name); err != nil {
			return err
		}
	}
	width := len(scores) / n
	pool.Run(n, func(i int) {
		row := scores[i*width:][:width]
		for k, s := range row {
			x := float64(s)
			switch z.mode {
			case ZNorm:
				x = (x - z.templates[k].mean) / z.templates[k].std
			case TNorm:
				x = (x - of[i].mean) / of[i].std
			case SNorm:
				x = ((x-z.templates[k].mean)/z.templates[k].std + (x-of[i].mean)/of[i].std) / 2
			}
			row[k] = float32(x)
		}
	})
	return nil
}
