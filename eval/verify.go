package eval

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Options says how to evaluate. The zero value is usable.
type Options struct {
	// Flip is the embedding that the ROC, the thresholds and the pictures are made
	// from: FlipNone (the default), FlipSum or FlipConcat. A protocol that
	// prescribes an embedding uses its own.
	Flip string
	// Protocols are the accuracies to compute, the first being the headline; default
	// Plain.
	Protocols []string
	// FARs are the false accept rates to report; default DefaultFARs.
	FARs []float64
	// Bootstrap is how many replicates of the identities are drawn for intervals, see [Replicates];
	// none if 0.
	Bootstrap int
	// Seed decides what the bootstrap draws.
	Seed uint64
	// Batch is how many images the embedder gets at once; default 64.
	Batch int
	// SkipMissing leaves out pairs with images that cannot be read, and counts them,
	// instead of failing.
	SkipMissing bool
	// Progress, if not nil, is told how many of the images are embedded.
	Progress func(done, total int)
}

func (o Options) batch() int {
	if o.Batch > 0 {
		return o.Batch
	}
	return 64
}

func (o Options) flip() string {
	if o.Flip == "" {
		return FlipNone
	}
	return o.Flip
}

func (o Options) fars() []float64 {
	if o.FARs == nil {
		return DefaultFARs()
	}
	return o.FARs
}

func (o Options) protocols() ([]Protocol, error) {
	names := o.Protocols
	if names == nil {
		names = []string{Plain}
	}
	var protocols []Protocol
	for _, name := range names {
		p, err := ProtocolByName(name)
		if err != nil {
			return nil, err
		}
		protocols = append(protocols, p)
	}
	return protocols, nil
}

// mirror validates o and reports whether mirror images must be embedded.
func (o Options) mirror() (bool, error) {
	if err := o.validate(); err != nil {
		return false, err
	}
	protocols, err := o.protocols()
	if err != nil {
		return false, err
	}
	if o.flip() == FlipGiven { // protocols take what there is
		return false, nil
	}
	mirror := o.flip() != FlipNone
	for _, p := range protocols {
		mirror = mirror || p.Flip != "" && p.Flip != FlipNone
	}
	return mirror, nil
}

func (o Options) validate() error {
	if !slices.Contains([]string{FlipNone, FlipSum, FlipConcat, FlipGiven}, o.flip()) {
		return fmt.Errorf("flip %q: want none, sum or concat", o.Flip)
	}
	for _, f := range o.fars() {
		if !(f > 0 && f < 1) {
			return fmt.Errorf("false accept rate %v: want a number between 0 and 1", f)
		}
	}
	return nil
}

// Verify embeds every image of pairs once and evaluates the pairs' cosines. Images that
// cannot be loaded are all listed in one *ImagesError, or skipped and counted with
// SkipMissing.
func Verify(ctx context.Context, e Embedder, load LoadFunc, pairs *Pairs, o Options) (*Result, error) {
	mirror, err := o.mirror()
	if err != nil {
		return nil, err
	}
	names := pairs.Images()
	vectors, err := EmbedImages(ctx, e, load, names, mirror, o)
	if err != nil {
		return nil, err
	}
	if err := vectors.Missing(); err != nil && !o.SkipMissing {
		return nil, err
	}
	return vectors.Verify(pairs, o)
}

// Missing returns an *ImagesError that lists the images that have no vector, nil if there are none.
func (v *Vectors) Missing() error {
	if len(v.Failed) == 0 {
		return nil
	}
	return imagesError(v.Len()+len(v.Failed), v.Failed)
}

func imagesError(total int, failed map[string]error) *ImagesError {
	e := &ImagesError{Total: total, Names: slices.Sorted(maps.Keys(failed))}
	for _, name := range e.Names {
		e.Errs = append(e.Errs, failed[name])
	}
	return e
}

// Verify evaluates pairs whose images have been embedded, with mirror images if the
// flip rule of o or of a protocol needs them; pairs with an image that has
// no vector are left out and counted.
func (v *Vectors) Verify(pairs *Pairs, o Options) (*Result, error) {
	if mirror, err := o.mirror(); err != nil {
		return nil, err
	} else if mirror && v.mirrored == nil {
		return nil, fmt.Errorf("flip rule %s and protocols %v need embeddings of the mirror images", o.flip(), o.Protocols)
	}
	var total, skipped [2]int
	for _, p := range pairs.Pairs {
		total[kind(p.Same)]++
		if !v.Has(p.A) || !v.Has(p.B) {
			skipped[kind(p.Same)]++
		}
	}
	kept := pairs
	if skipped != [2]int{} {
		kept = &Pairs{Name: pairs.Name, Folds: pairs.Folds, Identities: pairs.Identities}
		for _, p := range pairs.Pairs {
			if v.Has(p.A) && v.Has(p.B) {
				kept.Pairs = append(kept.Pairs, p)
			}
		}
	}
	r, err := evaluate(v.Scores(kept, o.flip()), kept, o, v)
	if err != nil {
		return nil, err
	}
	r.Images = v.Len()
	r.ImagesFailed = len(v.Failed)
	r.PairsSkipped = skipped[0] + skipped[1]
	images := pairs.Images()
	failed := 0
	for _, name := range images {
		if !v.Has(name) {
			failed++
		}
	}
	r.Acquisition = &Acquisition{Images: NewRate(failed, len(images)), Genuine: NewRate(skipped[1], total[1]), Impostor: NewRate(skipped[0], total[0])}
	r.Acquisition.carry(r.OperatingPoints)
	r.AngularFisher = v.angularFisher(kept, o.flip())
	return r, nil
}

// angularFisher returns the score of the images of pairs; nil where it does not exist.
func (v *Vectors) angularFisher(pairs *Pairs, flip string) *float64 {
	var embeddings, x []float32
	var classes []string
	for _, name := range pairs.Images() {
		identity := pairs.identity(name)
		if identity == "" {
			return nil
		}
		x = v.At(x, name, flip)
		embeddings, classes = append(embeddings, x...), append(classes, identity)
	}
	f, err := AngularFisher(embeddings, len(x), classes)
	if err != nil {
		return nil
	}
	return &f
}

// Evaluate evaluates one score a pair. Protocols that need embeddings (sphereface) are an
// error; those that prescribe one are computed from the scores as they are.
func Evaluate(scores []float64, pairs *Pairs, o Options) (*Result, error) {
	o.Flip = FlipGiven
	return evaluate(scores, pairs, o, nil)
}

func evaluate(scores []float64, pairs *Pairs, o Options, v *Vectors) (*Result, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	protocols, err := o.protocols()
	if err != nil {
		return nil, err
	}
	same := pairs.Same()
	roc, err := NewROC(scores, same)
	if err != nil {
		return nil, err
	}
	r := FromROC(roc, o.fars())
	r.FoldCount, r.Flip, r.Scores, r.Pairs = pairs.Folds, o.flip(), scores, pairs
	if d := DPrime(scores, same); !math.IsNaN(d) {
		r.DPrime = finite(d)
	}
	if o.Bootstrap > 0 {
		if b, err := NewBootstrap(pairs, o.Seed); err != nil {
			r.NoIntervals = err.Error()
		} else {
			r.Intervals = b.intervals(Replicates(o.Bootstrap, len(scores)), scores, r.OperatingPoints)
		}
	}
	for _, p := range protocols {
		acc, err := p.accuracy(scores, pairs, v, o.flip())
		if err != nil {
			return nil, err
		}
		r.Protocols = append(r.Protocols, acc)
	}
	r.Accuracy, r.Protocol = r.Protocols[0].Mean, r.Protocols[0].Protocol
	if isCosine(scores) {
		r.Angles = NewAngles(scores, same)
	}
	r.judge(v != nil)
	return r, nil
}

// isCosine is whether all scores lie where cosines do.
func isCosine(scores []float64) bool {
	for _, s := range scores {
		if math.Abs(s) > 1+cosineSlack {
			return false
		}
	}
	return true
}

// accuracy runs the protocol on scores, which are of embeddings with the given flip, or
// on the vectors where it prescribes an embedding.
func (p Protocol) accuracy(scores []float64, pairs *Pairs, v *Vectors, flip string) (Accuracy, error) {
	s := foldScores{score: scores, same: pairs.Same(), fold: pairs.FoldOf(), folds: pairs.Folds}
	if p.Name == SphereFace && v == nil {
		return Accuracy{}, fmt.Errorf("protocol %s needs embeddings: it subtracts their mean; it cannot be computed from scores", p.Name)
	}
	if p.needsFolds() {
		if err := s.check(); err != nil {
			return Accuracy{}, fmt.Errorf("protocol %s: %w", p.Name, err)
		}
	}
	switch {
	case p.Name == SphereFace:
		if flip != FlipGiven {
			flip = p.Flip
		}
		acc := sphereFace(pairs.Folds, v.centredSplits(pairs, flip))
		acc.Flip = flip
		return acc, nil
	case v != nil && flip != FlipGiven && p.Flip != "" && p.Flip != flip:
		flip = p.Flip
		s.score = v.Scores(pairs, flip)
	}
	acc := p.run(s)
	acc.Flip = flip
	return acc, nil
}

// check returns an error unless every fold has pairs, and the others of each have both
// kinds.
func (s foldScores) check() error {
	if s.folds < 2 {
		return fmt.Errorf("the pairs have no folds; it needs two or more (%s needs none)", OpenSphere)
	}
	total, counts := [2]int{}, make([][2]int, s.folds)
	for i, f := range s.fold {
		k := kind(s.same[i])
		counts[f][k]++
		total[k]++
	}
	for f, c := range counts {
		if c[0]+c[1] == 0 || total[0] == c[0] || total[1] == c[1] {
			return fmt.Errorf("fold %d of %d has %d genuine and %d impostor pairs of %d and %d: every fold needs pairs, and so do the others of both kinds (%s needs no folds)", f+1, s.folds, c[1], c[0], total[1], total[0], OpenSphere)
		}
	}
	return nil
}

// centredSplits returns the split of sphereFace: for fold k, the mean of the embeddings, by the
// flip rule, of the images of all other folds' pairs, an image counting as
// often as it occurs, is subtracted from every embedding before the cosine.
func (v *Vectors) centredSplits(pairs *Pairs, flip string) func(k int) (train, test labelled) {
	names := pairs.Images()
	row := make(map[string]int, len(names))
	var vectors, x []float32
	for i, name := range names {
		row[name] = i
		x = v.At(x, name, flip)
		vectors = append(vectors, x...)
	}
	dim := len(x)
	at := func(name string) []float32 { i := row[name]; return vectors[i*dim : (i+1)*dim] }
	return func(k int) (train, test labelled) {
		mean := make([]float64, dim)
		n := 0
		for _, p := range pairs.Pairs {
			if p.Fold == k {
				continue
			}
			for _, name := range [2]string{p.A, p.B} {
				for j, value := range at(name) {
					mean[j] += float64(value)
				}
				n++
			}
		}
		for j := range mean {
			mean[j] /= float64(n)
		}
		for _, p := range pairs.Pairs {
			s := centredCosine(at(p.A), at(p.B), mean)
			if p.Fold == k {
				test.add(s, p.Same)
			} else {
				train.add(s, p.Same)
			}
		}
		return train, test
	}
}

// centredCosine is the cosine of a-mean and b-mean, 0 if either is zero.
func centredCosine(a, b []float32, mean []float64) float64 {
	var ab, aa, bb float64
	for j, m := range mean {
		x, y := float64(a[j])-m, float64(b[j])-m
		ab += x * y
		aa += x * x
		bb += y * y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
