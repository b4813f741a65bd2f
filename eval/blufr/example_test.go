package blufr_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/faceverify/fv/eval/blufr"
	"github.com/faceverify/fv/eval/matrix"
)

// The protocol on 150 people with 2 embeddings each in place of LFW: 5 trials, in which 50 people are set
// aside and 40 of the others enrolled.
func ExampleMeasure() {
	r := rand.New(rand.NewPCG(1, 1))
	m := &matrix.Matrix{Path: "faces", Dim: 16}
	for person := range 150 {
		who := make([]float64, m.Dim)
		for i := range who {
			who[i] = r.NormFloat64()
		}
		for image := range 2 {
			for _, x := range who {
				m.Data = append(m.Data, float32(x+0.5*r.NormFloat64()))
			}
			m.Names = append(m.Names, fmt.Sprintf("%d/%d", person, image))
			m.Identities = append(m.Identities, fmt.Sprint(person))
		}
	}
	result, err := blufr.Measure(context.Background(), m, blufr.Options{Trials: 5, Train: 50, Gallery: 40})
	if err != nil {
		fmt.Println(err)
		return
	}
	first := result.Trials[0]
	fmt.Printf("a trial: %d genuine and %d impostor pairs, %d mated and %d non-mated probes\n", first.Genuine, first.Impostor, first.Mated, first.NonMated)
	fmt.Printf("VR at FAR %g: %.2f less %.2f is %.2f\n", blufr.FAR, result.VR.Mean, result.VR.Std, result.VR.Report)
	fmt.Printf("DIR at FPIR %g: %.2f less %.2f is %.2f\n", blufr.FPIR, result.DIR.Mean, result.DIR.Std, result.DIR.Report)
	// Output:
	// a trial: 100 genuine and 19800 impostor pairs, 40 mated and 120 non-mated probes
	// VR at FAR 0.001: 0.85 less 0.03 is 0.82
	// DIR at FPIR 0.01: 0.72 less 0.06 is 0.65
}
