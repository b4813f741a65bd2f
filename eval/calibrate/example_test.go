package calibrate_test

import (
	"fmt"

	"github.com/faceverify/fv/eval/calibrate"
)

var scores = calibrate.Scores{Genuine: []float64{0.9, 0.7, 0.5, 0.4}, Impostor: []float64{0.6, 0.3, 0.2, 0.1}}

// A score becomes a log-likelihood ratio, whose cost in bits says how good it is.
func ExampleNewLinear() {
	l, err := calibrate.NewLinear(scores)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, score := range []float64{0.2, 0.5, 0.8} {
		fmt.Printf("score %.1f: LLR %.2f\n", score, l.LLR(score))
	}
	fmt.Printf("Cllr %.3f bits, at best %.3f\n", calibrate.Cllr(l, scores), calibrate.MinCllr(scores))
	// Output:
	// score 0.2: LLR -2.03
	// score 0.5: LLR 0.37
	// score 0.8: LLR 2.78
	// Cllr 0.630 bits, at best 0.344
}

// The best monotone calibration of given scores is a step function.
func ExampleNewPAV() {
	for _, step := range calibrate.NewPAV(scores).Steps {
		fmt.Printf("from %.1f: LLR %.3f (%d genuine, %d impostor)\n", step.From, step.LLR, step.Genuine, step.Impostor)
	}
	// Output:
	// from 0.1: LLR -Inf (0 genuine, 3 impostor)
	// from 0.4: LLR 0.693 (2 genuine, 1 impostor)
	// from 0.7: LLR +Inf (2 genuine, 0 impostor)
}
