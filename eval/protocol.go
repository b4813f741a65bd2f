package eval

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"
)

// Accuracy is "the LFW accuracy", which public scripts compute in different ways: the
// protocol says which.
type Accuracy struct {
	Protocol string  `json:"protocol"`
	Mean     float64 `json:"mean"`
	// Spread is the standard deviation over folds (ddof 0), or what SpreadKind says.
	Spread     float64 `json:"spread"`
	SpreadKind string  `json:"spread_kind"` // "std_ddof0", "standard_error" or "none"
	// Flip is how the embeddings that were scored used the mirror image: FlipNone,
	// FlipSum, FlipConcat, or FlipGiven where scores or embeddings were given.
	Flip  string         `json:"flip"`
	Folds []FoldAccuracy `json:"folds"`
	// VAL is the protocol's own TAR at FAR=1e-3 (insightface), nil where it has none
	// or the data do not resolve it.
	VAL *VAL `json:"val_at_far,omitempty"`
}

// FoldAccuracy is the accuracy of one fold at the threshold found on the others. The
// threshold is in the protocol's unit: a squared distance for insightface, a cosine
// for the others.
type FoldAccuracy struct {
	Fold      int     `json:"fold"` // from 1; 0 stands for all pairs
	Accuracy  float64 `json:"accuracy"`
	Threshold float64 `json:"threshold"`
	Pairs     int     `json:"pairs"`
}

// VAL is insightface's validation rate: the mean over folds of the share of genuine
// pairs accepted at the threshold that gave FAR = Target on the other folds.
type VAL struct {
	Target float64 `json:"far_target"`
	Mean   float64 `json:"mean"`
	Std    float64 `json:"std"` // ddof 0
	FAR    float64 `json:"far"` // mean of the FAR measured on the folds
}

// foldScores are the scores and labels that a protocol looks at.
type foldScores struct {
	score []float64
	same  []bool
	fold  []int
	folds int
}

// split returns the scores and labels of fold k (test) and of all others (train).
func (s foldScores) split(k int) (train, test labelled) {
	for i, f := range s.fold {
		if f == k {
			test.add(s.score[i], s.same[i])
		} else {
			train.add(s.score[i], s.same[i])
		}
	}
	return train, test
}

// labelled are genuine and impostor scores, told apart.
type labelled struct{ genuine, impostor []float64 }

func (l *labelled) add(score float64, same bool) {
	if same {
		l.genuine = append(l.genuine, score)
	} else {
		l.impostor = append(l.impostor, score)
	}
}

func (l *labelled) sort() {
	slices.Sort(l.genuine)
	slices.Sort(l.impostor)
}

func (l *labelled) len() int { return len(l.genuine) + len(l.impostor) }

// below returns how many of the sorted scores are < t; atMost how many are <= t.
func below(sorted []float64, t float64) int {
	n, _ := slices.BinarySearch(sorted, t)
	return n
}

func atMost(sorted []float64, t float64) int {
	n, _ := slices.BinarySearchFunc(sorted, t, func(s, t float64) int {
		if s <= t {
			return -1
		}
		return 1
	})
	return n
}

// Names of the accuracy protocols.
const (
	InsightFace = "insightface"
	SphereFace  = "sphereface"
	Plain       = "plain"
	FaceXZoo    = "facexzoo"
	OpenSphere  = "opensphere"
)

// Protocol describes one way to compute an accuracy.
type Protocol struct {
	Name string
	// Flip is the embedding it prescribes; "" where it leaves the choice open.
	Flip string
	// About says in a sentence what it does.
	About string
	run   func(s foldScores) Accuracy // nil for sphereface, which needs the vectors
}

// Protocols returns the accuracy protocols: the definitions of five public scripts.
func Protocols() []Protocol {
	return []Protocol{
		{InsightFace, FlipSum, "Squared L2 distance of unit embeddings f(x)+f(mirrored x); thresholds 0 to 4 in steps of 0.01, accept d < t; the first best threshold of the nine other folds; mean ± standard deviation (ddof 0).", insightFace},
		{SphereFace, FlipConcat, "Cosine of [f(x), f(mirrored x)] less the mean of the nine other folds; 20 001 thresholds from -1 to 1; the mean of all tied best thresholds of the other folds; mean ± standard deviation (ddof 0).", nil},
		{Plain, FlipNone, "Cosine without the mirror image; thresholds -1 to 1 in steps of 0.005, accept s >= t; the first best threshold of the nine other folds; mean ± standard deviation (ddof 0).", plain},
		{FaceXZoo, FlipNone, "Cosine without the mirror image; 1000 thresholds over the range of the other folds' scores, accept s > t; the first that maximises TPR-FPR on the other folds; mean ± standard error (ddof 1, divided by √folds).", faceXZoo},
		{OpenSphere, "", "Cosine; the one threshold that is best on all pairs, which are the ones it is tested on: optimistic.", openSphere},
	}
}

// ProtocolByName returns the protocol, or an error that lists the names.
func ProtocolByName(name string) (Protocol, error) {
	var names []string
	for _, p := range Protocols() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Protocol{}, fmt.Errorf("there is no protocol %q; want one of %s", name, strings.Join(names, ", "))
}

// needsFolds is whether the protocol cannot do with one fold.
func (p Protocol) needsFolds() bool { return p.Name != OpenSphere }

// overFolds gives each fold the accuracy that measure finds for the threshold that choose
// finds on the other folds. Both see sorted scores.
func overFolds(name string, folds int, split func(k int) (train, test labelled), choose func(train labelled) float64, measure func(test labelled, t float64) int) Accuracy {
	acc := Accuracy{Protocol: name, SpreadKind: "std_ddof0"}
	values := make([]float64, folds)
	for k := range folds {
		train, test := split(k)
		train.sort()
		test.sort()
		t := choose(train)
		values[k] = float64(measure(test, t)) / float64(test.len())
		acc.Folds = append(acc.Folds, FoldAccuracy{Fold: k + 1, Accuracy: values[k], Threshold: t, Pairs: test.len()})
	}
	acc.Mean, acc.Spread = stat.PopMeanStdDev(values, nil)
	return acc
}

// argmax returns the first i in [0, n) with the largest f(i).
func argmax(n int, f func(i int) float64) int {
	best, most := 0, math.Inf(-1)
	for i := range n {
		if v := f(i); v > most {
			best, most = i, v
		}
	}
	return best
}

// plain accepts s >= t.
func plain(s foldScores) Accuracy {
	threshold := func(i int) float64 { return -1 + float64(i)/200 }
	right := func(l labelled, t float64) int {
		return len(l.genuine) - below(l.genuine, t) + below(l.impostor, t)
	}
	return overFolds(Plain, s.folds, s.split, func(train labelled) float64 {
		return threshold(argmax(401, func(i int) float64 { return float64(right(train, threshold(i))) }))
	}, right)
}

// sphereFace accepts s > t and refuses s < t: a score equal to the threshold is wrong
// either way, as in the paper's script. Every fold's scores are its own: see
// centredSplits.
func sphereFace(folds int, split func(k int) (train, test labelled)) Accuracy {
	const n = 10000
	threshold := func(i int) float64 { return float64(i-n) / n }
	right := func(l labelled, t float64) int {
		return len(l.genuine) - atMost(l.genuine, t) + below(l.impostor, t)
	}
	return overFolds(SphereFace, folds, split, func(train labelled) float64 {
		most, sum, ties := -1, 0.0, 0
		for i := range 2*n + 1 {
			t := threshold(i)
			switch r := right(train, t); {
			case r > most:
				most, sum, ties = r, t, 1
			case r == most:
				sum += t
				ties++
			}
		}
		return sum / float64(ties)
	}, right)
}

// faceXZoo accepts s > t.
func faceXZoo(s foldScores) Accuracy {
	const n = 1000
	acc := overFolds(FaceXZoo, s.folds, s.split, func(train labelled) float64 {
		low, high := math.Inf(1), math.Inf(-1)
		for _, l := range [][]float64{train.genuine, train.impostor} {
			if len(l) > 0 {
				low, high = math.Min(low, l[0]), math.Max(high, l[len(l)-1])
			}
		}
		step := (high - low) / n
		threshold := func(i int) float64 { return low + step*float64(i+1) }
		return threshold(argmax(n, func(i int) float64 {
			t := threshold(i)
			tpr := float64(len(train.genuine)-atMost(train.genuine, t)) / float64(len(train.genuine))
			fpr := float64(len(train.impostor)-atMost(train.impostor, t)) / float64(len(train.impostor))
			return tpr - fpr
		}))
	}, func(test labelled, t float64) int {
		return len(test.genuine) - atMost(test.genuine, t) + atMost(test.impostor, t)
	})
	values := make([]float64, len(acc.Folds))
	for i, f := range acc.Folds {
		values[i] = f.Accuracy
	}
	acc.Spread = stat.StdDev(values, nil) / math.Sqrt(float64(len(values)))
	acc.SpreadKind = "standard_error"
	return acc
}

// openSphere takes the best threshold of all pairs, accept s >= t.
func openSphere(s foldScores) Accuracy {
	roc, err := NewROC(s.score, s.same)
	if err != nil {
		panic(err) // the caller has made one of the same scores
	}
	best, accuracy := roc.Best()
	t := best.Threshold
	if math.IsInf(t, 1) { // refusing all is best: any threshold above the scores does it
		t = math.Nextafter(slices.Max(s.score), math.Inf(1))
	}
	return Accuracy{
		Protocol: OpenSphere, Mean: accuracy, SpreadKind: "none",
		Folds: []FoldAccuracy{{Accuracy: accuracy, Threshold: t, Pairs: len(s.score)}},
	}
}
