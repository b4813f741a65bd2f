package eval

import (
	"encoding/json"
	"fmt"
	"math"
	"sort"

	"gonum.org/v1/gonum/mathext"
)

// ClopperPearson returns the exact (Clopper-Pearson) two-sided confidence interval of
// a rate of which k of n trials were counted:
//
//	low  = α/2   quantile of Beta(k, n-k+1)    (0 for k = 0)
//	high = 1-α/2 quantile of Beta(k+1, n-k)    (1 for k = n)
//
// with α = 1-confidence. It panics unless 0 <= k <= n, 0 < n and 0 < confidence < 1.
func ClopperPearson(k, n int, confidence float64) (low, high float64) {
	if k < 0 || n < 1 || k > n || !(confidence > 0 && confidence < 1) {
		panic(fmt.Sprintf("eval: Clopper-Pearson interval of %d of %d at %v", k, n, confidence))
	}
	tail := (1 - confidence) / 2
	high = 1
	if k > 0 {
		low = mathext.InvRegIncBeta(float64(k), float64(n-k+1), tail)
	}
	if k < n {
		high = mathext.InvRegIncBeta(float64(k+1), float64(n-k), 1-tail)
	}
	return low, high
}

// Rate is a counted rate with its 95 % Clopper-Pearson interval.
type Rate struct {
	Count int     `json:"count"`
	Total int     `json:"total"`
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// NewRate returns the rate of count in total trials.
func NewRate(count, total int) Rate {
	low, high := ClopperPearson(count, total, 0.95)
	return Rate{Count: count, Total: total, Value: float64(count) / float64(total), Low: low, High: high}
}

// Threshold is a decision threshold in the units that programs ask for. Where the
// scores are not cosines, or the threshold refuses everything, all but Score are NaN,
// which JSON shows as null.
type Threshold struct {
	Score     float64 // accept score >= Score; +Inf refuses every pair
	Angle     float64 // arccos Score in radians: accept angle <= Angle
	Degrees   float64 // the same in degrees
	SquaredL2 float64 // 2-2*Score, of unit vectors: accept distance <= SquaredL2
}

// NewThreshold converts a cosine. A value outside [-1, 1] is no cosine.
func NewThreshold(score float64) Threshold {
	t := ScoreThreshold(score)
	if score >= -1-cosineSlack && score <= 1+cosineSlack {
		t.Angle = Angle(score)
		t.Degrees = t.Angle * 180 / math.Pi
		t.SquaredL2 = 2 - 2*score
	}
	return t
}

// ScoreThreshold is a threshold of scores that are no cosines, whatever their values.
func ScoreThreshold(score float64) Threshold {
	return Threshold{Score: score, Angle: math.NaN(), Degrees: math.NaN(), SquaredL2: math.NaN()}
}

// cosineSlack is how far rounding may push the cosine of two vectors out of [-1, 1].
const cosineSlack = 1e-6

// Angle returns arccos(cosine) in radians, in [0, π] also where rounding left the
// cosine a little outside [-1, 1].
func Angle(cosine float64) float64 { return math.Acos(math.Max(-1, math.Min(1, cosine))) }

// MarshalJSON writes {"score", "angle", "degrees", "squared_l2"}, null for what does
// not exist.
func (t Threshold) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Score     *float64 `json:"score"`
		Angle     *float64 `json:"angle"`
		Degrees   *float64 `json:"degrees"`
		SquaredL2 *float64 `json:"squared_l2"`
	}{finite(t.Score), finite(t.Angle), finite(t.Degrees), finite(t.SquaredL2)})
}

// finite returns a pointer to x, nil where JSON has no number for it.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// OperatingPoint is what a threshold chosen for FAR <= Target does on the data.
type OperatingPoint struct {
	Target float64
	// Resolved is whether the data can tell a FAR this small: Target >= 1/impostors.
	// Where it is false the rates below are those of the smallest threshold without
	// any false accept and must not be quoted as the rates at Target.
	Resolved  bool
	Threshold Threshold
	FAR, TAR  Rate
	// SystemFAR and SystemFRR count pairs that could not be compared as refused: see
	// [Acquisition]. Nil where nothing says how many these are.
	SystemFAR, SystemFRR *Rate
}

// MarshalJSON writes null for the threshold and the rates of a point that the data do not
// resolve.
func (p OperatingPoint) MarshalJSON() ([]byte, error) {
	type point struct {
		Target    float64    `json:"far_target"`
		Resolved  bool       `json:"resolved"`
		Threshold *Threshold `json:"threshold"`
		FAR       *Rate      `json:"far"`
		TAR       *Rate      `json:"tar"`
		SystemFAR *Rate      `json:"system_far,omitempty"`
		SystemFRR *Rate      `json:"system_frr,omitempty"`
	}
	out := point{Target: p.Target, Resolved: p.Resolved}
	if p.Resolved {
		out.Threshold, out.FAR, out.TAR = &p.Threshold, &p.FAR, &p.TAR
		out.SystemFAR, out.SystemFRR = p.SystemFAR, p.SystemFRR
	}
	return json.Marshal(out)
}

// AtFAR returns the lowest threshold whose measured FAR is at most target: the one
// that accepts most and keeps the promise on these data.
func (r *ROC) AtFAR(target float64) OperatingPoint {
	at := r.PointAtFAR(target)
	return OperatingPoint{
		Target:    target,
		Resolved:  target >= 1/float64(r.Impostors),
		Threshold: NewThreshold(at.Threshold),
		FAR:       NewRate(at.FalseAccepts, r.Impostors),
		TAR:       NewRate(at.TrueAccepts, r.Genuine),
	}
}

// PointAtFAR returns the last point whose FAR is at most target.
func (r *ROC) PointAtFAR(target float64) Point {
	at := r.Points[0]
	for _, p := range r.Points {
		if r.FAR(p) > target {
			break
		}
		at = p
	}
	return at
}

// At returns what accepting score >= threshold does: the false accept rate, and the false reject
// rate FRR = 1 - TAR.
func (r *ROC) At(threshold float64) (far, frr Rate) {
	p := r.pointAt(threshold)
	return NewRate(p.FalseAccepts, r.Impostors), NewRate(r.Genuine-p.TrueAccepts, r.Genuine)
}

// pointAt returns the point that accepts what the threshold accepts: the last one at or above it, as
// thresholds descend.
func (r *ROC) pointAt(threshold float64) Point {
	i := sort.Search(len(r.Points), func(i int) bool { return r.Points[i].Threshold < threshold })
	if i == 0 {
		return Point{}
	}
	return r.Points[i-1]
}

// ZeroFMR is the lowest threshold that accepts no impostor pair, and the share of genuine
// pairs that it refuses. 0 accepted is a count, not a rate: FMR says what rate it allows for.
type ZeroFMR struct {
	Threshold Threshold `json:"threshold"`
	FMR       Rate      `json:"fmr"`
	FNMR      Rate      `json:"fnmr"`
}

// ZeroFMR returns the FNMR at the lowest threshold without a false match.
func (r *ROC) ZeroFMR() ZeroFMR {
	at := r.PointAtFAR(0)
	return ZeroFMR{NewThreshold(at.Threshold), NewRate(0, r.Impostors), NewRate(r.Genuine-at.TrueAccepts, r.Genuine)}
}

// DefaultFARs are the false accept rates reported when none are asked for.
func DefaultFARs() []float64 { return []float64{1e-1, 1e-2, 1e-3, 1e-4} }
