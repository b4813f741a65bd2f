package eval

import (
	"fmt"
	"math"
)

// Result is a verification measured. Its JSON is the file result.json: every key is
// lower case; rates are shares of 1, angles radians unless the key says degrees; null
// stands for what does not exist.
type Result struct {
	Genuine      int `json:"genuine"`  // pairs of one person
	Impostor     int `json:"impostor"` // pairs of two people
	FoldCount    int `json:"folds"`
	Images       int `json:"images"`        // distinct images embedded; 0 if only scores were given
	ImagesFailed int `json:"images_failed"` // images that could not be read
	PairsSkipped int `json:"pairs_skipped"` // pairs left out because of them

	Flip string `json:"flip"` // embedding behind all but the protocols: see Options

	AUC float64   `json:"auc"`
	EER EERResult `json:"eer"`
	// DPrime is null when the scores do not vary.
	DPrime *float64 `json:"d_prime"`
	// Best is the accuracy at the one threshold that is best on these very pairs:
	// an upper bound, optimistic.
	Best BestResult `json:"best"`

	Protocol  string     `json:"protocol"` // the headline's
	Accuracy  float64    `json:"accuracy"` // the headline's mean
	Protocols []Accuracy `json:"protocols"`

	OperatingPoints []OperatingPoint `json:"operating_points"`
	ZeroFMR         ZeroFMR          `json:"zero_fmr"`
	// Intervals is null without a bootstrap, and where NoIntervals says why there is none: nothing says who
	// the images show, or these are too few people.
	Intervals   *Intervals `json:"bootstrap"`
	NoIntervals string     `json:"no_bootstrap"`
	// Acquisition is null where only scores were given.
	Acquisition *Acquisition `json:"acquisition"`
	// AngularFisher is the score of the images' embeddings, see [AngularFisher]; null where
	// there are none, or nothing says who they show.
	AngularFisher *float64 `json:"angular_fisher"`
	// Angles is null when the scores are not cosines.
	Angles *Angles `json:"angles"`
	// Groups are what [Result.GroupBy] measured; none if nobody asked.
	Groups []*Breakdown `json:"groups"`

	// Collapsed is whether the model maps all faces to the same embedding.
	Collapsed bool     `json:"collapsed"`
	Warnings  []string `json:"warnings"`

	// What the pictures and scores.csv are made from.
	ROC    *ROC      `json:"-"`
	Scores []float64 `json:"-"`
	Pairs  *Pairs    `json:"-"`
}

// EERResult is the equal error rate and its threshold.
type EERResult struct {
	Value     float64   `json:"value"`
	FMR       float64   `json:"fmr"`
	FNMR      float64   `json:"fnmr"`
	Threshold Threshold `json:"threshold"`
}

// NewEERResult returns e with its threshold in all units.
func NewEERResult(e EER) EERResult {
	return EERResult{Value: e.Value, FMR: e.FMR, FNMR: e.FNMR, Threshold: NewThreshold(e.Point.Threshold)}
}

// Acquisition counts failures to acquire: images that gave no embedding. A system that cannot
// compare a pair refuses it, which helps against impostors and hurts genuine users:
//
//	FAR = FMR (1 - FtA)    FRR = FtA + FNMR (1 - FtA)
//
// with FtA the share of the pairs of the kind that could not be compared. ISO/IEC 19795-1.
type Acquisition struct {
	Images   Rate `json:"images"`   // without an embedding, of all
	Genuine  Rate `json:"genuine"`  // pairs that could not be compared, of all
	Impostor Rate `json:"impostor"` // likewise
}

// carry works out the system's error rates at each operating point.
func (a *Acquisition) carry(points []OperatingPoint) {
	for i := range points {
		p := &points[i]
		accepted := NewRate(p.FAR.Count, a.Impostor.Total)
		refused := NewRate(a.Genuine.Count+p.TAR.Total-p.TAR.Count, a.Genuine.Total)
		p.SystemFAR, p.SystemFRR = &accepted, &refused
	}
}

// FromROC returns the part of a result that a curve alone gives.
func FromROC(roc *ROC, fars []float64) *Result {
	r := &Result{
		Genuine: roc.Genuine, Impostor: roc.Impostors, Flip: FlipGiven, AUC: roc.AUC(), EER: NewEERResult(roc.EER()),
		ZeroFMR: roc.ZeroFMR(), Groups: []*Breakdown{}, Warnings: []string{}, ROC: roc,
	}
	best, accuracy := roc.Best()
	n := roc.Genuine + roc.Impostors
	r.Best = BestResult{Accuracy: NewRate(int(math.Round(accuracy*float64(n))), n), Threshold: NewThreshold(best.Threshold)}
	for _, far := range fars {
		r.OperatingPoints = append(r.OperatingPoints, roc.AtFAR(far))
	}
	return r
}

// BestResult is the highest accuracy on all pairs and its threshold.
type BestResult struct {
	Accuracy  Rate      `json:"accuracy"`
	Threshold Threshold `json:"threshold"`
}

// collapsedRange is how far apart the cosines of a model that has not collapsed are, at
// the least: even an untrained network's differ by more.
const collapsedRange = 1e-4

// Collapsed reports whether cosines differ so little that all embeddings must be alike.
func Collapsed(scores []float64) bool {
	if len(scores) < 2 {
		return false
	}
	low, high := scores[0], scores[0]
	for _, s := range scores {
		low, high = min(low, s), max(high, s)
	}
	return high-low < collapsedRange
}

// judge writes the warnings; embedded says that the scores are cosines of embeddings.
func (r *Result) judge(embedded bool) {
	r.Warnings = []string{}
	warn := func(format string, args ...any) { r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...)) }
	r.Collapsed = embedded && Collapsed(r.Scores)
	switch {
	case r.Collapsed:
		warn("all scores lie within %g of each other: the model maps every face to the same embedding (it has collapsed); no rate below means anything", collapsedRange)
	case r.ROC.constant():
		warn("all scores are equal: they tell nothing apart")
	case r.Accuracy == 0.5 && r.Genuine == r.Impostor:
		_, best := r.ROC.Best()
		warn("the accuracy is exactly 0.5: with its thresholds, protocol %s accepts everything or refuses everything; over all thresholds the best is %.4f", r.Protocol, best)
	case r.AUC < 0.5:
		warn("the AUC is below 0.5: worse than guessing; are the labels swapped, or is a distance given as a score?")
	}
	if n := len(r.Scores); n < 100 {
		warn("only %d pairs: the intervals are wide", n)
	}
}
