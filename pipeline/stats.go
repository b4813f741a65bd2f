package pipeline

import (
	"math"
	"slices"

	"github.com/faceverify/fv/internal/random"
)

// What is measured of a run beside its loss costs less than a hundredth of a step. Lengths and target angles are those of all
// images of a step. The nearest other class, which takes all class weights, is looked for every
// neighbourEvery steps and for neighbourImages images only; the angles between classes at validations only, and beyond
// allClasses classes for someClasses of them, drawn at random.
const (
	neighbourEvery  = 20
	neighbourImages = 8
	allClasses      = 2048
	someClasses     = 128
)

// stepStats is what a step's embeddings and class weights look like, before the step changes them. Angles are in radians.
type stepStats struct {
	FeatureNorm float64       `json:"feature_norm"`           // mean length of the embeddings, before any head gives them another
	TargetAngle *float64      `json:"target_angle,omitempty"` // mean, to the weight of the own class (the nearest of its centers); none without a head
	OtherAngle  *float64      `json:"other_angle,omitempty"`  // mean of the angle to the nearest weight of another class; every neighbourEvery steps
	Classes     *classesStats `json:"classes,omitempty"`      // after the step; at each validation
}

// classesStats is how far each class's weight is from the nearest other one's.
type classesStats struct {
	Measured int     `json:"measured"`  // classes
	Smallest float64 `json:"min_angle"` // of these to any other class
	Mean     float64 `json:"mean_angle"`
}

// observe adds a batch, whose labels are places among the step's classes, to the statistics of its step.
func (t *trainer) observe(line *logLine, labels []int) {
	share := 1 / float64(t.config.Accumulate)
	add := func(to **float64, v float64) {
		if *to == nil {
			*to = new(float64)
		}
		**to += share * v
	}
	x, d := t.graph.embeddings(), t.network.Dim()
	line.FeatureNorm += share * meanNorm(x, d)
	if t.head == nil {
		return
	}
	w, centers := t.classWeights(t.arena.Weights, t.graph.headParams[0].Len()), max(t.head.Geometry().Centers, 1)
	target := 0.0
	for i, y := range labels {
		nearest := math.Inf(1)
		for k := range centers {
			nearest = min(nearest, angleBetween(x[i*d:][:d], w[(y*centers+k)*d:][:d]))
		}
		target += nearest / float64(len(labels))
	}
	add(&line.TargetAngle, target)
	if line.Step%neighbourEvery == 0 {
		n := min(len(labels), neighbourImages)
		if angles := nearest(t.pool, x[:n*d], labels[:n], w, d, centers); !slices.ContainsFunc(angles, math.IsNaN) {
			add(&line.OtherAngle, mean(angles))
		}
	}
}

// measureClasses fills in how far classes are from each other after a step.
func (t *trainer) measureClasses(line *logLine) {
	if t.head == nil {
		return
	}
	classes, d, centers := len(t.faces.train.Identities), t.network.Dim(), max(t.head.Geometry().Centers, 1)
	weights, _ := t.whole()
	w := t.classWeights(weights, classes*centers*d)
	chosen := make([]int, classes)
	for c := range chosen {
		chosen[c] = c
	}
	if classes > allClasses {
		r := random.New(t.config.Seed, random.Stats, line.Step, 0)
		r.Shuffle(classes, func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
		chosen = chosen[:someClasses]
	}
	var q []float32
	var own []int
	for _, c := range chosen {
		q = append(q, w[c*centers*d:][:centers*d]...)
		own = append(own, slices.Repeat([]int{c}, centers)...)
	}
	angles := nearest(t.pool, q, own, w, d, centers)
	s := &classesStats{Measured: len(chosen), Smallest: slices.Min(angles)}
	for i := range chosen {
		s.Mean += slices.Min(angles[i*centers:][:centers]) / float64(len(chosen))
	}
	line.Classes = s
}

// classWeights returns the n floats of the head's weights, which follow those of the backbone.
func (t *trainer) classWeights(weights []float32, n int) []float32 {
	return weights[t.graph.backboneParams:][:n]
}

// meanNorm returns the mean length of embeddings of d numbers.
func meanNorm(x []float32, d int) float64 {
	sum := 0.0
	for row := range slices.Chunk(x, d) {
		sum += norm(row)
	}
	return sum / float64(len(x)/d)
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// dropNotFinite leaves out statistics that are not finite, as lengths and angles of weights near the end of float32's range may be though
// the loss is: they are no reason to end a run.
func (s *stepStats) dropNotFinite() {
	odd := func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }
	if odd(s.FeatureNorm) {
		s.FeatureNorm = 0
	}
	for _, angle := range []**float64{&s.TargetAngle, &s.OtherAngle} {
		if *angle != nil && odd(**angle) {
			*angle = nil
		}
	}
	if c := s.Classes; c != nil && odd(c.Smallest+c.Mean) {
		s.Classes = nil
	}
}
