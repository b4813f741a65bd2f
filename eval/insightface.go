package eval

import "gonum.org/v1/gonum/stat"

// valTarget is the FAR of insightface's validation rate.
const valTarget = 1e-3

// insightFace accepts d < t on squared distances d = 2 - 2*cosine.
func insightFace(s foldScores) Accuracy {
	distances := s
	distances.score = make([]float64, len(s.score))
	for i, c := range s.score {
		distances.score[i] = 2 - 2*c
	}
	threshold := func(i int) float64 { return float64(i) * 0.01 }
	right := func(l labelled, t float64) int {
		return below(l.genuine, t) + len(l.impostor) - below(l.impostor, t)
	}
	acc := overFolds(InsightFace, s.folds, distances.split, func(train labelled) float64 {
		return threshold(argmax(400, func(i int) float64 { return float64(right(train, threshold(i))) }))
	}, right)
	acc.VAL = insightFaceVAL(distances)
	return acc
}

// insightFaceVAL returns the validation rate at FAR 1e-3: thresholds 0, 0.001 ... 3.999;
// the threshold of a fold is interpolated linearly where the FAR of the other folds
// reaches the target, between the first threshold that reaches it and the one before; 0
// if none does. It is nil if some fold's impostors, or those of the others, are too few
// to mean anything.
func insightFaceVAL(distances foldScores) *VAL {
	var vals, fars []float64
	for k := range distances.folds {
		train, test := distances.split(k)
		if float64(len(train.impostor))*valTarget < 1 || len(test.genuine) == 0 || len(test.impostor) == 0 {
			return nil
		}
		train.sort()
		test.sort()
		t := interpolate(train.impostor, valTarget)
		vals = append(vals, float64(below(test.genuine, t))/float64(len(test.genuine)))
		fars = append(fars, float64(below(test.impostor, t))/float64(len(test.impostor)))
	}
	v := &VAL{Target: valTarget, FAR: stat.Mean(fars, nil)}
	v.Mean, v.Std = stat.PopMeanStdDev(vals, nil)
	return v
}

// interpolate returns the distance at which the share of the sorted impostor distances
// below it reaches target, on the grid of insightFaceVAL.
func interpolate(impostor []float64, target float64) float64 {
	far := func(i int) float64 { return float64(below(impostor, float64(i)*0.001)) / float64(len(impostor)) }
	previous := far(0)
	for i := 1; i < 4000; i++ {
		f := far(i)
		if f >= target {
			return (float64(i-1) + (target-previous)/(f-previous)) * 0.001
		}
		previous = f
	}
	return 0
}
