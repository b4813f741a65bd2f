package losses

import (
	"fmt"
	"math"
)

func init() {
	register(Spec{
		Name:   "magface",
		Title:  "MagFace",
		Target: "s cos(θ_y + m(a)),  a = clip(‖x‖, la, ua),  m(a) = lm + (um - lm)(a - la)/(ua - la)",
		Other:  "s cos θ_j",
		Loss:   "softmax cross-entropy + λ_g g(a),  g(a) = a/ua² + 1/a",
		Paper:  "MagFace, Meng et al. 2021, section 3 (arXiv:2103.06627)",
		Notes:  "As in the authors' code: ‖x‖ is clipped, the gradient passes through it, and past θ + m = π the target is s (cos θ - m sin m).",
		Params: []Param{
			{"scale", 64, "s, the length that embeddings are given in the logits"},
			{"la", 10, "least length that counts"},
			{"ua", 110, "largest length that counts"},
			{"lm", 0.45, "margin at the least length, in radians"},
			{"um", 0.8, "margin at the largest length, in radians"},
			{"lambda-g", 35, "λ_g, the weight of g, which rewards length"},
		},
		HasMargin: true,
		Plain:     map[string]float64{"lm": 0, "um": 0},
		build: func(v map[string]float64, o Options) Head {
			return MagFace{Scale: v["scale"], LowerA: v["la"], UpperA: v["ua"], LowerM: v["lm"], UpperM: v["um"],
				Weight: v["lambda-g"], Detached: o.detached()}
		},
	})
}

// MagFace makes the margin grow with the embedding's length, and rewards length by a term of the loss:
//
//	z_y = s cos(θ_y + m(a)),  z_j = s cos θ_j,  L = cross-entropy + λ_g g(a)
//	a = clip(‖x‖, la, ua),  m(a) = lm + (um - lm)(a - la)/(ua - la),  g(a) = a/ua² + 1/a
//
// (Meng et al. 2021, section 3), so that easy images get long embeddings and length measures quality.
type MagFace struct {
	Scale          float64 // s > 0; 64 by default
	LowerA, UpperA float64 // la and ua, 0 < la < ua; 10 and 110 by default
	LowerM, UpperM float64 // lm and um in radians, from 0 to π; 0.45 and 0.8 by default
	Weight         float64 // λ_g >= 0; 35 by default
	Detached       bool    // the margin gradient; false by default
}

// Name returns "magface".
func (MagFace) Name() string { return "magface" }

// Validate implements Head.
func (h MagFace) Validate() error {
	for _, p := range []struct {
		name  string
		value float64
	}{{"scale", h.Scale}, {"la", h.LowerA}, {"ua", h.UpperA}} {
		if err := positive("magface", p.name, p.value); err != nil {
			return err
		}
	}
	if h.LowerA >= h.UpperA {
		return fmt.Errorf("losses: magface: la is %v and ua %v, want la below ua", h.LowerA, h.UpperA)
	}
	if err := within("magface", "lm", h.LowerM, 0, math.Pi); err != nil {
		return err
	}
	if err := within("magface", "um", h.UpperM, 0, math.Pi); err != nil {
		return err
	}
	return within("magface", "lambda-g", h.Weight, 0, 1e6)
}

// Geometry implements Head.
func (h MagFace) Geometry() Geometry { return Geometry{UnitWeights: true, Scale: h.Scale} }

// length returns a = clip(‖x‖, la, ua) and its derivative.
func (h MagFace) length(norm float64) (a, da float64) {
	a = min(max(norm, h.LowerA), h.UpperA)
	if a == norm {
		da = 1
	}
	return a, da
}

// margin returns m(a) of an embedding's length and its derivative.
func (h MagFace) margin(norm float64) (m, dNorm float64) {
	a, da := h.length(norm)
	slope := (h.UpperM - h.LowerM) / (h.UpperA - h.LowerA)
	return h.LowerM + slope*(a-h.LowerA), slope * da
}

// Target implements Head.
func (h MagFace) Target(cos, norm float64) (logit, dCos, dNorm float64) {
	m, dm := h.margin(norm)
	f, df, dfdm := addAngle(cos, m, Fallback)
	if h.Detached {
		return h.Scale * f, h.Scale, 0
	}
	return h.Scale * f, h.Scale * df, h.Scale * dfdm * dm
}

// Other returns s cos θ.
func (h MagFace) Other(cos, norm float64) (logit, dCos, dNorm float64) {
	return lengthen(h.Scale, norm, cos, 1)
}

// Penalty implements Penalised: λ_g g(a). It falls as the length grows to ua.
func (h MagFace) Penalty(norm float64) (value, dNorm float64) {
	a, da := h.length(norm)
	u := h.UpperA * h.UpperA
	return h.Weight * (a/u + 1/a), h.Weight * (1/u - 1/(a*a)) * da
}
