// Package losses holds the classification heads that embeddings are trained
// with: how the angle θ between an embedding x and a class weight W_j becomes a
// logit, and the softmax cross-entropy over all classes.
//
// A head is a small value with its mathematics as scalar functions in float64,
// value and derivatives side by side. Loss makes a Gorgonia node of it that is
// fit for training: fused with the cross-entropy and never storing the logits. Logits
// makes one that other nodes can be built on.
//
// Angles are in radians. Weights and embeddings are normalised, and there is no
// bias, unless a head says otherwise.
package losses

import (
	"math"

	"github.com/faceverify/fv/internal/ops"
	"github.com/faceverify/fv/internal/setting"
)

// Geometry says how a head makes the logits of other classes than the sample's own.
type Geometry = ops.Geometry

// Bias says what is added to the logits: see Geometry.
type Bias = ops.Bias

// What a head's Geometry may say of its bias.
const (
	NoBias     = ops.NoBias
	ClassBias  = ops.ClassBias
	SharedBias = ops.SharedBias
)

// Sample is the functions that make the logits of one sample:
//
//	Target(cos, norm) (logit, dCos, dNorm)   of the sample's own class y
//	Other(cos, norm) (logit, dCos, dNorm)    of class j ≠ y
//
// each with its derivatives with respect to cos θ and the norm. The norm is ‖x‖, or
// ‖W_j‖‖x‖ where weights are not normalised. A head whose margin gradient is detached returns
// the derivatives that its training uses.
type Sample = ops.Sample

// Head turns angles into logits, by the same functions for every sample unless it is Batched.
// Functions of a head change nothing and may be called concurrently.
type Head interface {
	Sample
	// Name returns the name under which the head is registered.
	Name() string
	// Validate returns an error that names the setting that is out of range.
	Validate() error
	// Geometry says how logits of other classes are made, in the form that the
	// fused loss computes.
	Geometry() Geometry
}

// Batched is a head whose samples' functions differ, by what their batch is like or by
// chance: its Batch returns those of each sample. Its own functions are those of a typical one.
type Batched = ops.Batched

// Penalised is a head that adds a function of ‖x‖ to the loss of each sample.
type Penalised = ops.Penalised

// Stateful is a head with memory, such as an annealed margin. For each training
// step: Begin, any number of evaluations, and Commit if the step is accepted.
type Stateful interface {
	Head
	// Begin prepares the head for a step and drops what an earlier one did not commit.
	Begin(step int)
	// Commit makes the memory that of after the step.
	Commit()
	// State returns a copy of the memory by name, for checkpoints.
	State() map[string][]float32
	// SetState restores what State returned. Names or lengths that are not the
	// head's are an error.
	SetState(map[string][]float32) error
}

// lengthen returns the logit s f of heads that normalise embeddings, or ‖x‖ f where s is 0, and its
// derivatives. df is that of f with respect to cos θ.
func lengthen(s, norm, f, df float64) (logit, dCos, dNorm float64) {
	if s == 0 {
		return norm * f, norm * df, f
	}
	return s * f, s * df, 0
}

// minAngle keeps derivatives finite: dθ/dcos = -1/sin θ is worked out no nearer to 0
// and π than where cos θ = ±(1 - 1e-6). Values are not clamped.
var minAngle = math.Acos(1 - 1e-6)

// angle returns θ of a cosine, which rounding may have taken past ±1, and the angle to work
// out derivatives with respect to the cosine at.
func angle(cos float64) (theta, inner float64) {
	theta = math.Acos(min(max(cos, -1), 1))
	return theta, min(max(theta, minAngle), math.Pi-minAngle)
}

// psi returns the monotonic extension of cos(mθ) to [0, π] and its derivative with
// respect to cos θ, for any m >= 1:
//
//	ψ(θ) = (-1)^k cos(mθ) - 2k,  θ in [kπ/m, (k+1)π/m]
//
// (SphereFace, Liu et al. 2017, eq. 7). It is continuous and decreasing.
func psi(cos, m float64) (value, dCos float64) {
	theta, inner := angle(cos)
	k, sign := piece(theta, m)
	value = sign*math.Cos(m*theta) - 2*k
	_, sign = piece(inner, m)
	return value, sign * m * math.Sin(m*inner) / math.Sin(inner)
}

// piece returns k with θ in [kπ/m, (k+1)π/m] and (-1)^k.
func piece(theta, m float64) (k, sign float64) {
	k = math.Floor(m * theta / math.Pi)
	return k, 1 - 2*math.Mod(k, 2)
}

// positive returns an error unless v is a number above 0.
func positive(head, name string, v float64) error {
	if !(v > 0) || math.IsInf(v, 0) {
		return setting.Errorf(name, "losses: %s: %s is %v, want a number above 0", head, name, v)
	}
	return nil
}

// length returns an error unless v can be a scale, or 0 where embeddings keep their length.
func length(head string, v float64) error {
	if v == 0 {
		return nil
	}
	return positive(head, "scale", v)
}

// within returns an error unless lo <= v <= hi.
func within(head, name string, v, lo, hi float64) error {
	if !(v >= lo && v <= hi) {
		return setting.Errorf(name, "losses: %s: %s is %v, want %v to %v", head, name, v, lo, hi)
	}
	return nil
}

// whole returns an error unless v is a whole number from lo to hi.
func whole(head, name string, v, lo, hi float64) error {
	if v != math.Trunc(v) || !(v >= lo && v <= hi) {
		return setting.Errorf(name, "losses: %s: %s is %v, want a whole number from %v to %v", head, name, v, lo, hi)
	}
	return nil
}
