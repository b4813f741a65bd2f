package allpairs_test

import (
	"context"
	"fmt"

	"github.com/faceverify/fv/eval/allpairs"
	"github.com/faceverify/fv/eval/matrix"
)

// Five embeddings of two people: ten pairs.
func ExampleMeasure() {
	m := &matrix.Matrix{
		Path: "faces", Dim: 2,
		Data:       []float32{1, 0, 4, 3, 0, 1, 3, 4, 1, 1},
		Names:      []string{"ada1", "ada2", "bob1", "bob2", "bob3"},
		Identities: []string{"Ada", "Ada", "Bob", "Bob", "Bob"},
	}
	r, err := allpairs.Measure(context.Background(), m, allpairs.Options{FARs: []float64{0.5}, Hardest: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	p := r.OperatingPoints[0]
	fmt.Printf("%d genuine, %d impostor, AUC %.3f ± %.0g\n", r.Genuine, r.Impostor, r.AUC, r.AUCError)
	fmt.Printf("cosine >= %.2f accepts %d of %d genuine and %d of %d impostor pairs\n", p.Threshold.Score, p.TAR.Count, p.TAR.Total, p.FAR.Count, p.FAR.Total)
	hard := r.HardestImpostor[0]
	fmt.Printf("hardest impostor pair: %s %s, %.2f\n", m.Names[hard.A], m.Names[hard.B], hard.Score)
	// Output:
	// 4 genuine, 6 impostor, AUC 0.708 ± 0.04
	// cosine >= 0.71 accepts 4 of 4 genuine and 3 of 6 impostor pairs
	// hardest impostor pair: ada2 bob3, 0.99
}
