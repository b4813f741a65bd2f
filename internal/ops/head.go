package ops

import (
	"fmt"
	"math"

	"github.com/faceverify/fv/internal/kernel"
)

// Sample makes logits of the angles between one embedding and the class weights. norm
// is ‖x‖ where weights are normalised and ‖W_j‖‖x‖ where not. Its functions are called from
// several goroutines.
type Sample interface {
	// Target returns the logit of the sample's own class, without bias, and its
	// derivatives.
	Target(cos, norm float64) (logit, dCos, dNorm float64)
	// Other does the same for another class. The fused loss calls it only where
	// Geometry says Curved; elsewhere it is what Geometry says.
	Other(cos, norm float64) (logit, dCos, dNorm float64)
}

// Head makes logits of the angles between embeddings and class weights.
type Head interface {
	Sample
	// Geometry says how the logits of all classes but the sample's own are made.
	Geometry() Geometry
}

// Batched is a head whose logits depend on more of a batch than one angle and one
// length: they differ from sample to sample.
type Batched interface {
	Head
	// Batch returns the functions of each sample of a batch [N]. cos and norm [N] are what
	// Target is going to be given. What they follow from is not differentiated.
	Batch(cos, norm []float64) []Sample
}

// Penalised is a head that adds a function of the embedding's length to the loss of each
// sample.
type Penalised interface {
	Penalty(norm float64) (value, dNorm float64)
}

// Geometry describes the logit of a class that is not the sample's own:
//
//	z_j = X·V_j + b_j
//
// The zero value is the plain one, X = x and V_j = W_j.
type Geometry struct {
	UnitWeights bool    // V_j = W_j/‖W_j‖
	Scale       float64 // X = Scale x/‖x‖ where it is not 0; needs UnitWeights
	Curved      bool    // z_j = Other(cos θ_j, ‖x‖) + b_j, which may not depend on ‖x‖; needs Scale
	Centers     int     // rows of W for each class, the nearest of which counts; 0 means 1. More need Scale
	Bias        Bias    // what b_j is
	Binary      float64 // 0: softmax. Else the loss is binary, and this the weight of the own class: see CrossEntropy
	LossScale   float64 // factor of the loss; 0 means 1
}

// Bias says what is added to the logits.
type Bias int

const (
	NoBias     Bias = iota // b_j = 0
	ClassBias              // a parameter for each class
	SharedBias             // one parameter for all classes
)

// BiasLen returns the number of bias parameters.
func (g Geometry) BiasLen(classes int) int {
	switch g.Bias {
	case ClassBias:
		return classes
	case SharedBias:
		return 1
	}
	return 0
}

// WeightShape returns the shape of the weights, [C,D], or [C,Centers,D] where a class has
// several.
func (g Geometry) WeightShape(classes, dim int) []int {
	if k := g.centers(); k > 1 {
		return []int{classes, k, dim}
	}
	return []int{classes, dim}
}

func (g Geometry) centers() int { return max(g.Centers, 1) }

// elementwise reports whether logits are worked out one by one: they are not products
// alone, or the loss is not the softmax's.
func (g Geometry) elementwise() bool { return g.Curved || g.centers() > 1 || g.Binary != 0 }

// offset returns b_j.
func (g Geometry) offset(bias []float32, j int) float32 {
	switch g.Bias {
	case ClassBias:
		return bias[j]
	case SharedBias:
		return bias[0]
	}
	return 0
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
// as three numbers of each sample: dU = ∂T/∂U, and what remains along the features and
// along the weights, which is not 0 only where their length matters:
//
//	∂T/∂x = dU V_y ∂X/∂x + radialX x/‖x‖,    ∂T/∂W_y = dU X ∂V_y/∂W_y + radialW W_y
type classifier struct {
	head    Head
	g       Geometry
	split   *Split // nil: all classes are here
	n       int    // batch
	classes int    // that are here
	dim     int
	pool    *kernel.Pool
	filter  float64   // see HeadOptions
	perLen  []float32 // 1/‖W_j‖ [rows], where the filter needs it besides; else nil

	x        []float32 // X [N,D]
	label    []int     // among the classes that are here; outside of these where the class is elsewhere
	row      []int     // of the weights, that the target is measured with [N]; -1 where it is elsewhere
	sample   []Sample  // [N]
	cos      []float64 // of the target [N]
	norm     []float64 // ‖x‖ [N]
	length   []float64 // what Target is given: ‖x‖, or ‖W_y‖‖x‖ [N]
	wnorm    []float64 // ‖W_y‖ [N]
	offset   []float64 // b_y [N]
	logit    []float64 // T + b_y [N]
	dU       []float64
	radialX  []float64
	radialW  []float64
	penalty  []float64 // [N]
	dPenalty []float64
}

func newClassifier(h Head, n, classes, dim int, o HeadOptions) classifier {
	g, filter := h.Geometry(), o.Filter
	if filter != 0 && g.Binary != 0 {
		panic("ops: a filter between classes is for a softmax")
	}
	if g.Scale != 0 && !g.UnitWeights {
		panic("ops: a head that normalises features must normalise weights")
	}
	if g.Scale == 0 && (g.Curved || g.centers() > 1) {
		panic("ops: a head with curved logits or sub-centers must normalise features")
	}
	elementwise := g.elementwise() || filter != 0
	if g.Bias == SharedBias && !elementwise || g.Bias == ClassBias && g.UnitWeights && !elementwise {
		panic("ops: a head with a bias and logits that are products must have one for each class, and weights of free length")
	}
	c := classifier{
		head: h, g: g, split: o.Split, n: n, classes: classes, dim: dim, pool: o.Pool, filter: filter,
		x: make([]float32, n*dim), label: make([]int, n), row: make([]int, n), sample: make([]Sample, n),
	}
	for _, v := range []*[]float64{
		&c.cos, &c.norm, &c.length, &c.wnorm, &c.offset, &c.logit, &c.dU, &c.radialX, &c.radialW, &c.penalty, &c.dPenalty,
	} {
		*v = make([]float64, n)
	}
	for i := range c.sample {
		c.sample[i] = h
	}
	if filter != 0 && !g.UnitWeights {
		c.perLen = make([]float32, classes*g.centers())
	}
	return c
}

// elementwise reports whether logits are worked out one by one.
func (c *classifier) elementwise() bool { return c.g.elementwise() || c.filter != 0 }

// measureWeights fills in what the filter needs of rows of the weights.
func (c *classifier) measureWeights(w []float32, first, count int) {
	if c.perLen == nil {
		return
	}
	w = w[first*c.dim:][:count*c.dim]
	per := c.perLen[first:][:count]
	kernel.DotRows(per, w, w)
	for j, v := range per {
		per[j] = float32(inverse(math.Sqrt(float64(v))))
	}
}

// filtered reports whether sample i is nearer to a row of another class than the filter lets it be.
func (c *classifier) filtered(i, row int, u float32) bool {
	if c.filter == 0 {
		return false
	}
	cos := float64(u)
	if s := c.g.Scale; s != 0 {
		cos /= s
	} else {
		cos *= inverse(c.norm[i])
		if c.perLen != nil {
			cos *= float64(c.perLen[row])
		}
	}
	return cos > c.filter
}

// prepare works out features and targets from x [N,D], w [rows,D] and bias. The
// targets are worked out in float64: near an angle of 0 they need it.
func (c *classifier) prepare(x, w, bias []float32, labels []int) error {
	first, all := 0, c.classes
	if c.split != nil {
		first, all = c.split.First, c.split.Classes
	}
	for i, y := range labels {
		if y < 0 || y >= all {
			return fmt.Errorf("ops: label %d of sample %d is not one of %d classes", y, i, all)
		}
		c.label[i] = y - first
		c.measure(i, x[i*c.dim:][:c.dim], w, bias)
	}
	if c.split != nil {
		c.split.sum(c.cos, c.wnorm, c.offset)
	}
	for i, r := range c.norm {
		c.length[i] = r
		if !c.g.UnitWeights {
			c.length[i] = r * c.wnorm[i]
		}
	}
	if b, ok := c.head.(Batched); ok {
		copy(c.sample, b.Batch(c.cos, c.length))
	}
	penalised, _ := c.head.(Penalised)
	for i := range c.n {
		c.target(i)
		// To the precision of the other logits: they are compared with it, and float32(max)
		// is then not below any of them.
		c.logit[i] = float64(float32(c.logit[i] + c.offset[i]))
		if penalised != nil {
			c.penalty[i], c.dPenalty[i] = penalised.Penalty(c.norm[i])
		}
	}
	return nil
}

// here reports whether class y, which may be one that is elsewhere, is one of those that are here.
func (c *classifier) here(y int) bool { return y >= 0 && y < c.classes }

// measure works out feature i and its length, and if its class is here, its angle to the target's weight: the nearest
// of the class's rows.
func (c *classifier) measure(i int, x, w, bias []float32) {
	var xx float64
	for _, v := range x {
		xx += float64(v) * float64(v)
	}
	r := math.Sqrt(xx)
	c.row[i], c.cos[i], c.norm[i], c.wnorm[i], c.offset[i] = -1, 0, r, 0, 0
	if y := c.label[i]; c.here(y) {
		c.measureTarget(i, x, w)
		c.offset[i] = float64(c.g.offset(bias, y))
	}
	scale := 1.0
	if c.g.Scale != 0 {
		scale = c.g.Scale * inverse(r)
	}
	for d, v := range x {
		c.x[i*c.dim+d] = float32(scale * float64(v))
	}
}

func (c *classifier) measureTarget(i int, x, w []float32) {
	k := c.g.centers()
	for center := range k {
		row := c.label[i]*k + center
		var ww, xw float64
		wy := w[row*c.dim:][:c.dim]
		for d, v := range x {
			a, b := float64(v), float64(wy[d])
			ww += b * b
			xw += a * b
		}
		wn := math.Sqrt(ww)
		// Rounding may take the cosine of parallel vectors past 1; NaN stays.
		cos := min(max(xw*inverse(c.norm[i])*inverse(wn), -1), 1)
		if center == 0 || nearer(cos, c.cos[i]) {
			c.row[i], c.cos[i], c.wnorm[i] = row, cos, wn
		}
	}
}

// nearer reports whether a is the larger cosine, or NaN, which is not to be lost.
func nearer[T float32 | float64](a, b T) bool { return a > b || a != a }

// target fills in the target of sample i.
func (c *classifier) target(i int) {
	cos, q, r, wn := c.cos[i], c.length[i], c.norm[i], c.wnorm[i]
	logit, dCos, dNorm := c.sample[i].Target(cos, q)
	c.logit[i] = logit
	if c.g.Scale != 0 { // U = Scale cos
		c.dU[i], c.radialX[i], c.radialW[i] = dCos/c.g.Scale, dNorm, 0
		return
	}
	if q == 0 {
		// Nothing but a linear logit has a gradient here, and its slope is that at any length.
		_, c.dU[i], _ = c.sample[i].Target(cos, 1)
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

// other returns the logit of another class than sample i's own, without bias, and its slope: u
// is U_ij = X_i·V_j, of a row of the weights.
func (c *classifier) other(i, row int, u float32) (z, slope float32) {
	filtered := c.filtered(i, row, u)
	if filtered {
		u = 0
	}
	if !c.g.Curved {
		if filtered {
			return 0, 0
		}
		return u, 1
	}
	cos := min(max(float64(u)/c.g.Scale, -1), 1)
	logit, dCos, _ := c.sample[i].Other(cos, c.norm[i])
	if filtered {
		dCos = 0
	}
	return float32(logit), float32(dCos / c.g.Scale)
}

// backwardFeatures turns the gradient with respect to X, row i of which is dX, into
// that with respect to x, in place, and adds along times x/‖x‖.
func (c *classifier) backwardFeatures(i int, dX []float32, along float64) {
	x := c.x[i*c.dim:][:c.dim]
	r := inverse(c.norm[i])
	scale, perX := 1.0, r // x/‖x‖ = perX X
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
