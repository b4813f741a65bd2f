package losses

import (
	"fmt"
	"math"

	"github.com/faceverify/fv/internal/random"
)

func init() {
	for _, v := range []struct {
		name, title, target, unit string
		margin                    float64
		cos                       bool
	}{
		{"elasticface-arc", "ElasticFace-Arc", "s cos(min(θ_y + m, π)),  m drawn from N(margin, deviation²)", "in radians", 0.5, false},
		{"elasticface-cos", "ElasticFace-Cos", "s (cos θ_y - m),  m drawn from N(margin, deviation²)", "of the cosine", 0.35, true},
	} {
		register(Spec{
			Name:   v.name,
			Title:  v.title,
			Target: v.target,
			Other:  "s cos θ_j",
			Paper:  "ElasticFace, Boutros et al. 2022, section III (arXiv:2109.09416)",
			Notes:  "Each sample of each step has a margin of its own, a function of the seed, the step and the place in it. Negative margins count as 0. Past π as arcface; the authors' code lets the cosine rise again.",
			Params: []Param{
				{"scale", 64, "s, the length that embeddings are given"},
				{"margin", v.margin, "the mean of m, " + v.unit},
				{"deviation", 0.0125, "the standard deviation of m"},
			},
			HasMargin:   true,
			Plain:       map[string]float64{"margin": 0, "deviation": 0},
			FeatureNorm: Scaled,
			build: func(p map[string]float64, o Options) Head {
				return &ElasticFace{Scale: p["scale"], Margin: p["margin"], Deviation: p["deviation"],
					Cos: v.cos, Detached: o.detached(), Seed: o.Seed}
			},
		})
	}
}

// ElasticFace is ArcFace or CosFace with a margin that is drawn anew for each sample of each step,
//
//	Arc: z_y = s cos(θ_y + m),  Cos: z_y = s (cos θ_y - m),  m ~ N(Margin, Deviation²)
//
// and z_j = s cos θ_j (Boutros et al. 2022, section III). A margin below 0 counts as 0.
type ElasticFace struct {
	Scale     float64 // s; 64 by default; 0 keeps ‖x‖ in its place
	Margin    float64 // mean of m; 0.5 radians by default, 0.35 of Cos
	Deviation float64 // from 0 to 1; 0.0125 by default
	Cos       bool    // whether m is taken off the cosine
	Detached  bool    // the margin gradient; false by default
	Seed      uint64  // of the draws

	step, drawn int // the step under way, and samples of it so far
}

// Name returns "elasticface-arc" or "elasticface-cos".
func (h *ElasticFace) Name() string {
	if h.Cos {
		return "elasticface-cos"
	}
	return "elasticface-arc"
}

// Validate implements Head.
func (h *ElasticFace) Validate() error {
	if err := length(h.Name(), h.Scale); err != nil {
		return err
	}
	if err := within(h.Name(), "deviation", h.Deviation, 0, 1); err != nil {
		return err
	}
	most := math.Pi
	if h.Cos {
		most = 2
	}
	return within(h.Name(), "margin", h.Margin, 0, most)
}

// Geometry implements Head.
func (h *ElasticFace) Geometry() Geometry { return Geometry{UnitWeights: true, Scale: h.Scale} }

// with returns the head that has margin m.
func (h *ElasticFace) with(m float64) Sample {
	m = max(m, 0)
	if h.Cos {
		return CosFace{Scale: h.Scale, Margin: m}
	}
	return ArcFace{Scale: h.Scale, Margin: min(m, math.Pi), Detached: h.Detached}
}

// Batch implements Batched: it draws the margins.
func (h *ElasticFace) Batch(cos, _ []float64) []Sample {
	samples := make([]Sample, len(cos))
	for i := range samples {
		r := random.New(h.Seed, random.Head, h.step, h.drawn)
		samples[i] = h.with(h.Margin + h.Deviation*r.NormFloat64())
		h.drawn++
	}
	return samples
}

// Target returns the logit under the mean margin.
func (h *ElasticFace) Target(cos, norm float64) (logit, dCos, dNorm float64) {
	return h.with(h.Margin).Target(cos, norm)
}

// Other returns s cos θ.
func (h *ElasticFace) Other(cos, norm float64) (logit, dCos, dNorm float64) {
	return lengthen(h.Scale, norm, cos, 1)
}

// Begin implements Stateful: the draws are those of the step.
func (h *ElasticFace) Begin(step int) { h.step, h.drawn = step, 0 }

// Commit does nothing: a step's draws do not depend on earlier ones.
func (*ElasticFace) Commit() {}

// State returns nil.
func (*ElasticFace) State() map[string][]float32 { return nil }

// SetState implements Stateful.
func (h *ElasticFace) SetState(s map[string][]float32) error {
	if len(s) > 0 {
		return fmt.Errorf("losses: %s has no memory, and is given %v", h.Name(), s)
	}
	return nil
}
