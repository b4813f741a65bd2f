// Package features pictures embeddings of two or three numbers: where on the circle or sphere they lie, and the
// angles between those of one identity and of two. It is how papers on angular margins show what these do.
package features

import (
	"context"
	"fmt"
	"math"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/allpairs"
	"github.com/faceverify/fv/eval/matrix"
)

// Result says how embeddings of identities lie to each other. Angles are radians unless the key says degrees.
type Result struct {
	Images   int `json:"images"`
	Dim      int `json:"dim"`
	Positive int `json:"positive_pairs"`
	Negative int `json:"negative_pairs"`
	// Angles are those of all pairs, and their overlap; the means and the mode of the positive ones again in degrees.
	Angles          *eval.Angles `json:"angles"`
	PositiveDegrees float64      `json:"positive_mean_degrees"`
	NegativeDegrees float64      `json:"negative_mean_degrees"`
	ModeDegrees     float64      `json:"positive_mode_degrees"`
	AngularFisher   float64      `json:"angular_fisher"` // see eval.AngularFisher
	Identities      []Identity   `json:"identities"`

	directions *eval.Directions
}

// Identity says how the embeddings of one identity lie.
type Identity struct {
	Name           string  `json:"name"`
	Images         int     `json:"images"`
	OwnDegrees     float64 `json:"own_degrees"`     // mean angle to the mean of the identity
	Nearest        string  `json:"nearest"`         // the identity whose mean is nearest
	NearestDegrees float64 `json:"nearest_degrees"` // angle between the two means
}

// Measure measures the embeddings of m, which must have two or three numbers, and be of two identities or more, one of
// which has two.
func Measure(ctx context.Context, m *matrix.Matrix, threads int) (*Result, error) {
	if m.Dim != 2 && m.Dim != 3 {
		return nil, fmt.Errorf("embeddings of %d numbers; a picture wants 2 (a circle) or 3 (a sphere): train with --embedding 3", m.Dim)
	}
	all, err := allpairs.Measure(ctx, m, allpairs.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	r := &Result{Images: m.Len(), Dim: m.Dim, Positive: all.Genuine, Negative: all.Impostor, Angles: all.Angles, directions: newDirections(m)}
	if r.AngularFisher, err = eval.AngularFisher(m.Data, m.Dim, m.Identities); err != nil {
		return nil, fmt.Errorf("angular Fisher score: %w", err)
	}
	r.PositiveDegrees, r.NegativeDegrees, r.ModeDegrees = degrees(r.Angles.Positive.Mean), degrees(r.Angles.Negative.Mean), degrees(r.Angles.Positive.Mode)
	r.Identities = identities(r.directions)
	return r, nil
}

func degrees(radians float64) float64 { return radians * 180 / math.Pi }

// newDirections divides lengths out.
func newDirections(m *matrix.Matrix) *eval.Directions {
	d := &eval.Directions{Dim: m.Dim, Unit: make([]float64, len(m.Data))}
	class := map[string]int{}
	for i, identity := range m.Identities {
		k, ok := class[identity]
		if !ok {
			k = len(d.Names)
			class[identity] = k
			d.Names = append(d.Names, identity)
		}
		d.Class = append(d.Class, k)
		var norm float64
		for _, v := range m.Row(i) {
			norm = math.Hypot(norm, float64(v))
		}
		for j, v := range m.Row(i) {
			d.Unit[i*m.Dim+j] = float64(v) / norm
		}
	}
	return d
}

func identities(d *eval.Directions) []Identity {
	means := d.Means()
	out := make([]Identity, len(means))
	angle := func(a, b []float64) float64 {
		var dot float64
		for k, v := range a {
			dot += v * b[k]
		}
		return degrees(eval.Angle(dot))
	}
	for i, k := range d.Class {
		out[k].Images++
		out[k].OwnDegrees += angle(d.Unit[i*d.Dim:][:d.Dim], means[k])
	}
	for k := range out {
		x := &out[k]
		x.Name, x.OwnDegrees = d.Names[k], x.OwnDegrees/float64(x.Images)
		for other := range means {
			if a := angle(means[k], means[other]); other != k && (x.Nearest == "" || a < x.NearestDegrees) {
				x.Nearest, x.NearestDegrees = d.Names[other], a
			}
		}
	}
	return out
}

// Surface is what the embeddings lie on: "circle" or "sphere".
func (r *Result) Surface() string {
	if r.Dim == 2 {
		return "circle"
	}
	return "sphere"
}

// mostPoints is how many embeddings a picture shows.
const mostPoints = 3000

// Picture draws the embeddings on the circle or sphere; of more than 3 000, some that are spread evenly over them.
func (r *Result) Picture(title string, legend bool) *eval.Picture {
	return eval.PlotDirections(r.shown(), title, legend)
}

func (r *Result) shown() *eval.Directions {
	d := r.directions
	n := len(d.Class)
	if n <= mostPoints {
		return d
	}
	some := &eval.Directions{Dim: d.Dim, Names: d.Names}
	for k := range mostPoints {
		i := k * n / mostPoints
		some.Class = append(some.Class, d.Class[i])
		some.Unit = append(some.Unit, d.Unit[i*d.Dim:][:d.Dim]...)
	}
	return some
}
