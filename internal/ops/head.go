package ops

import (
	"fmt"
	"math"

	"github.com/faceverify/fv/internal/kernel"
)

// Head turns the angle between an embedding and a class weight into a logit.
type Head interface {
	// Geometry says how the logits of all classes but the sample's own are made.
	Geometry() Geometry
	// Target returns the logit of the sample's own class, without bias, and its
	// derivatives. cos is the cosine of the angle between embedding and weight;
	// norm is ‖x‖ where weights are normalised and ‖W_y‖‖x‖ where not. It is called
	// from several goroutines.
	Target(cos, norm float64) (logit, dCos, dNorm float64)
}

// Geometry describes the logit of a class that is not the sample's own:
//
//	z_j = X·V_j + b_j
//
// The zero value is the plain one, X = x and V_j = W_j.
type Geometry struct {
	UnitWeights bool    // V_j = W_j/‖W_j‖
	Scale       float64 // X = Scale x/‖x‖ where it is not 0; needs UnitWeights
	Bias        bool    // b_j is a parameter; otherwise it is 0
	LossScale   float64 // factor of the loss; 0 means 1
}

func (g Geometry) lossScale() float64 {
	if g.LossScale == 0 {
		return 1
	}
	return g.LossScale
}

// classifier is what the fused loss and the materialised logits share: features
// and targets of one batch.
//
// With U_ij = X_i·V_j, the chain rule for the target's logit T(cos, norm) is kept
// as three numbers a sample: dU = ∂T/∂U, and what remains along the features and
// along the weights, which is not 0 only where their length matters:
//
//	∂T/∂x = dU V_y ∂X/∂x + radialX x/‖x‖,    ∂T/∂W_y = dU X ∂V_y/∂W_y + radialW W_y
type classifier struct {
	head    Head
	g       Geometry
	n       int // batch
	classes int
	dim     int
	pool    *kernel.Pool

	x       []float32 // X [N,D]
	norm    []float64 // ‖x‖ [N]
	label   []int
	logit   []float64 // T + b_y [N]
	dU      []float64
	radialX []float64
	radialW []float64
}

func newClassifier(h Head, n, classes, dim int, pool *kernel.Pool) classifier {
	g := h.Geometry()
	if g.Scale != 0 && !g.UnitWeights {
		panic("ops: a head that normalises features must normalise weights")
	}
	f := make([]float64, 5*n)
	return classifier{
		head: h, g: g, n: n, classes: classes, dim: dim, pool: pool,
		x: make([]float32, n*dim), label: make([]int, n),
		norm: f[:n], logit: f[n : 2*n], dU: f[2*n : 3*n], radialX: f[3*n : 4*n], radialW: f[4*n:],
	}
}

// prepare works out features and targets from x [N,D], w [C,D] and bias [C]. The
// targets are worked out in float64: near an angle of 0 they need it.
func (c *classifier) prepare(x, w, bias []float32, labels []int) error {
	for i, y := range labels {
		if y < 0 || y >= c.classes {
			return fmt.Errorf("ops: label %d of sample %d is not one of %d classes", y, i, c.classes)
		}
		row, wy := x[i*c.dim:][:c.dim], w[y*c.dim:][:c.dim]
		var xx, ww, xw float64
		for k, v := range row {
			a, b := float64(v), float64(wy[k])
			xx += a * a
			ww += b * b
			xw += a * b
		}
		r, wn := math.Sqrt(xx), math.Sqrt(ww)
		c.label[i], c.norm[i] = y, r
		scale := 1.0
		if c.g.Scale != 0 {
			scale = c.g.Scale * inverse(r)
		}
		for k, v := range row {
			c.x[i*c.dim+k] = float32(scale * float64(v))
		}
		c.target(i, xw*inverse(r)*inverse(wn), wn)
		if c.g.Bias {
			c.logit[i] += float64(bias[y])
		}
		// To the precision of the other logits: they are compared with it, and float32(max)
		// is then not below any of them.
		c.logit[i] = float64(float32(c.logit[i]))
	}
	return nil
}

// target fills in the target of sample i.
func (c *classifier) target(i int, cos, wn float64) {
	// Rounding may take the cosine of parallel vectors past 1; NaN stays.
	cos = min(max(cos, -1), 1)
	r := c.norm[i]
	q := r
	if !c.g.UnitWeights {
		q *= wn
	}
	logit, dCos, dNorm := c.head.Target(cos, q)
	c.logit[i] = logit
	if c.g.Scale != 0 { // U = Scale cos
		c.dU[i], c.radialX[i], c.radialW[i] = dCos/c.g.Scale, dNorm, 0
		return
	}
	if q == 0 {
		// Nothing but a linear logit has a gradient here, and its slope is that at any length.
		_, c.dU[i], _ = c.head.Target(cos, 1)
		c.radialX[i], c.radialW[i] = 0, 0
		return
	}
	// U = q cos, so that ∂cos/∂x = V_y/q - cos x/‖x‖².
	c.dU[i] = dCos * inverse(q)
	along := dNorm - dCos*cos*inverse(q)
	c.radialX[i], c.radialW[i] = along, 0
	if !c.g.UnitWeights {
		c.radialX[i], c.radialW[i] = along*wn, along*r*inverse(wn)
	}
}

// backwardFeatures turns the gradient with respect to X, row i of which is dX, into
// that with respect to x, in place. dTarget is the gradient with respect to the
// target's logit.
func (c *classifier) backwardFeatures(i int, dX []float32, dTarget float64) {
	x := c.x[i*c.dim:][:c.dim]
	r := inverse(c.norm[i])
	scale, along, perX := 1.0, dTarget*c.radialX[i], r // x/‖x‖ = perX X
	if s := c.g.Scale; s != 0 {
		// X = s x/‖x‖:  dx = s/‖x‖ (dX - X (X·dX)/s²)
		scale, perX = s*r, inverse(s)
		var dot float64
		for k, v := range dX {
			dot += float64(v) * float64(x[k])
		}
		along -= scale * dot * perX
	}
	a, b := float32(scale), float32(along*perX)
	for k, v := range dX {
		dX[k] = a*v + b*x[k]
	}
}

// inverseNorm returns 1/‖w‖, or 1 where weights are used as they are.
func (c *classifier) inverseNorm(w []float32) float32 {
	if !c.g.UnitWeights {
		return 1
	}
	var a, b, d, e float32
	for len(w) >= 4 {
		a += w[0] * w[0]
		b += w[1] * w[1]
		d += w[2] * w[2]
		e += w[3] * w[3]
		w = w[4:]
	}
	for _, v := range w {
		a += v * v
	}
	return float32(inverse(math.Sqrt(float64(a+b) + float64(d+e))))
}

// inverse returns 1/x, and 0 for 0: a vector of length 0 has no direction, takes the
// cosine 0 to everything and gets no gradient through its direction.
func inverse(x float64) float64 {
	if x == 0 {
		return 0
	}
	return 1 / x
}
