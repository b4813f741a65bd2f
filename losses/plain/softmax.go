package plain

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/faceverify/fv/losses/spec"
)

func init() {
	for _, d := range []spec.Loss{
		{Name: "cross-entropy", Title: "softmax cross-entropy", Equation: "-sum over j of w_j q_j ln p_j / sum over the batch of w_y,  p = softmax(z), q = (1 - ε) onehot(y) + ε/C",
			Paper: "maximum likelihood; label smoothing: Szegedy et al. 2016, section 7 (arXiv:1512.00567)", Notes: "As in PyTorch, the batch is averaged with the weights of its own classes.",
			Params: []spec.Param{{Name: "smoothing", Default: 0, Doc: "ε, the share of the target that all classes have"}}},
		{Name: "focal-softmax", Title: "focal loss over classes", Equation: "-w_y (1 - p_y)^γ ln p_y,  p = softmax(z)",
			Paper: "Focal Loss, Lin et al. 2017, eq. 4 (arXiv:1708.02002), with a softmax", Notes: "The mean over the batch. γ = 0 is the cross-entropy.",
			Params: []spec.Param{{Name: "gamma", Default: 2, Doc: "γ: how much less samples count that are right"}}},
	} {
		described.Add(d)
	}
}

// CrossEntropy is the softmax cross-entropy of logits z [N,C] over classes y,
//
//	L = -sum over i, j of w_j q_ij ln p_ij / sum over i of w_y_i
//	p = softmax(z),  q_ij = (1-ε) [j = y_i] + ε/C
//
// with ε = Smoothing (Szegedy et al. 2016, section 7) and class weights w. Without them the gradient is
// (p - q)/N. Where all weights of a batch are 0 the loss is 0.
type CrossEntropy struct {
	Smoothing float64   // from 0 to 1; 0 by default
	Weights   []float64 // of the classes [C], not negative; nil weighs all with 1
}

// Name returns "cross-entropy".
func (CrossEntropy) Name() string { return "cross-entropy" }

// Validate implements Classwise.
func (l CrossEntropy) Validate() error {
	var err error
	if !(l.Smoothing >= 0 && l.Smoothing <= 1) {
		err = fmt.Errorf("plain: cross-entropy: smoothing is %v, want 0 to 1", l.Smoothing)
	}
	return errors.Join(err, checkWeights(l.Name(), l.Weights))
}

// Batch implements Classwise.
func (l CrossEntropy) Batch(dz, z []float64, labels []int) (float64, error) {
	classes, err := shape(dz, z, labels, l.Weights)
	if err != nil {
		return 0, err
	}
	var loss, total float64
	for _, y := range labels {
		total += weight(l.Weights, y)
	}
	share := l.Smoothing / float64(classes)
	for i, y := range labels {
		row, d := z[i*classes:][:classes], dz[i*classes:][:classes]
		lse := logSumExp(row)
		var all float64 // sum of w_j q_j
		for j, v := range row {
			q := share
			if j == y {
				q += 1 - l.Smoothing
			}
			wq := weight(l.Weights, j) * q
			if wq != 0 {
				loss -= wq * (v - lse)
			}
			all += wq
			d[j] = -wq
		}
		for j, v := range row {
			d[j] += all * math.Exp(v-lse)
		}
	}
	scaleBy(dz, inverse(total))
	return loss * inverse(total), nil
}

// FocalSoftmax is the softmax cross-entropy with less weight on samples that are right, the mean over
// the batch of
//
//	-w_y (1 - p_y)^γ ln p_y,  p = softmax(z)
//
// (Lin et al. 2017, eq. 4).
type FocalSoftmax struct {
	Gamma   float64   // γ >= 0; 2 in the paper
	Weights []float64 // of the classes [C], not negative; nil weighs all with 1
}

// Name returns "focal-softmax".
func (FocalSoftmax) Name() string { return "focal-softmax" }

// Validate implements Classwise.
func (l FocalSoftmax) Validate() error {
	return errors.Join(atLeast(l.Name(), "gamma", l.Gamma, 0), checkWeights(l.Name(), l.Weights))
}

// Batch implements Classwise.
func (l FocalSoftmax) Batch(dz, z []float64, labels []int) (float64, error) {
	classes, err := shape(dz, z, labels, l.Weights)
	if err != nil {
		return 0, err
	}
	var loss float64
	for i, y := range labels {
		row, d := z[i*classes:][:classes], dz[i*classes:][:classes]
		lse := logSumExp(row)
		var q float64 // 1 - p_y, without cancellation
		for j, v := range row {
			if j != y {
				q += math.Exp(v - lse)
			}
		}
		w := weight(l.Weights, y)
		// Along the logits, dp_y/dz_j is p_y (1 - p_y) times [j = y], or times -p_j/(1 - p_y).
		value, dOwn := focus(l.Gamma, math.Exp(row[y]-lse), q, row[y]-lse)
		loss += w * value
		for j, v := range row {
			d[j] = -w * dOwn * math.Exp(v-lse) * inverse(q)
		}
		d[y] = w * dOwn
	}
	n := inverse(float64(len(labels)))
	scaleBy(dz, n)
	return loss * n, nil
}

// shape returns the number of classes.
func shape(dz, z []float64, labels []int, weights []float64) (int, error) {
	if len(dz) != len(z) || len(labels) > 0 && len(z)%len(labels) != 0 {
		panic(fmt.Sprintf("plain: %d gradients and %d logits of %d samples", len(dz), len(z), len(labels)))
	}
	if len(labels) == 0 {
		return 0, nil
	}
	classes := len(z) / len(labels)
	if weights != nil && len(weights) != classes {
		return 0, fmt.Errorf("plain: %d weights for %d classes", len(weights), classes)
	}
	for i, y := range labels {
		if y < 0 || y >= classes {
			return 0, fmt.Errorf("plain: label %d of sample %d is not one of %d classes", y, i, classes)
		}
	}
	return classes, nil
}

func checkWeights(loss string, weights []float64) error {
	for j, w := range weights {
		if err := atLeast(loss, fmt.Sprintf("weight of class %d", j), w, 0); err != nil {
			return err
		}
	}
	return nil
}

func weight(weights []float64, j int) float64 {
	if weights == nil {
		return 1
	}
	return weights[j]
}

func logSumExp(z []float64) float64 {
	top := slices.Max(z)
	var sum float64
	for _, v := range z {
		sum += math.Exp(v - top)
	}
	return top + math.Log(sum)
}

// inverse returns 1/x, and 0 for 0.
func inverse(x float64) float64 {
	if x == 0 {
		return 0
	}
	return 1 / x
}

func scaleBy(x []float64, a float64) {
	for i := range x {
		x[i] *= a
	}
}
