package pipeline

import (
	"math"
	"slices"

	"github.com/faceverify/fv/internal/mpi"
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
	w, first, centers := t.stepWeights(), t.firstOfStep(), t.centers()
	target := []float64{0}
	for i, y := range labels {
		nearest := math.Inf(1)
		for k := range centers {
			if at := (y-first)*centers + k; at >= 0 && at < len(w)/d {
				nearest = min(nearest, angleBetween(x[i*d:][:d], w[at*d:][:d]))
			}
		}
		if !math.IsInf(nearest, 1) { // another rank has the class
			target[0] += nearest / float64(len(labels))
		}
	}
	if t.split != nil {
		t.ranks.sum(target)
	}
	add(&line.TargetAngle, target[0])
	if line.Step%neighbourEvery == 0 {
		n := min(len(labels), neighbourImages)
		if angles := t.nearestOf(x[:n*d], labels[:n], w, first); !slices.ContainsFunc(angles, math.IsNaN) {
			add(&line.OtherAngle, mean(angles))
		}
	}
}

// measureClasses fills in how far classes are from each other after a step. Ranks that share the classes do so together, others need not.
func (t *trainer) measureClasses(line *logLine) error {
	if t.head == nil || t.split == nil && !t.ranks.writes() {
		return nil
	}
	if t.split != nil {
		if _, err := t.ranks.meet("a look at the classes", word{}, nil); err != nil {
			return err
		}
	}
	row := t.centers() * t.network.Dim() // of a class
	weights, _ := t.whole()
	w := t.classWeights(weights, t.classes.count()*row)
	chosen := t.someClasses(line.Step)
	var q []float32
	var own []int
	for _, c := range chosen {
		if t.classes.has(c) {
			q = append(q, w[(c-t.classes.first)*row:][:row]...)
		}
		own = append(own, slices.Repeat([]int{c}, t.centers())...)
	}
	if t.split != nil { // as chosen ascend, the ranks' parts follow each other
		var err error
		if q, err = mpi.GatherParts(t.ranks.Group, q); err != nil {
			return err
		}
	}
	angles := t.nearestOf(q, own, w, t.classes.first)
	s := &classesStats{Measured: len(chosen), Smallest: slices.Min(angles)}
	for angles := range slices.Chunk(angles, t.centers()) {
		s.Mean += slices.Min(angles) / float64(len(chosen))
	}
	line.Classes = s
	return nil
}

// someClasses returns the classes that are looked at after a step, ascending.
func (t *trainer) someClasses(step int) []int {
	classes := t.classes.all
	chosen := make([]int, classes)
	for c := range chosen {
		chosen[c] = c
	}
	if classes > allClasses {
		r := random.New(t.config.Seed, random.Stats, step, 0)
		r.Shuffle(classes, func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
		chosen = chosen[:someClasses]
		slices.Sort(chosen)
	}
	return chosen
}

// centers returns how many rows of weights a class has.
func (t *trainer) centers() int { return max(t.head.Geometry().Centers, 1) }

// stepWeights returns the weights of this rank's classes that the step compares with, and firstOfStep the place of the first of them among all that it
// compares with.
func (t *trainer) stepWeights() []float32 {
	p := t.graph.headParams[0]
	rows := p.Shape[0]
	if t.split != nil {
		rows = t.split.Count
	}
	return t.classWeights(t.arena.Weights, rows*(p.Len()/p.Shape[0]))
}

func (t *trainer) firstOfStep() int {
	if t.split == nil {
		return 0
	}
	return t.split.First
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
