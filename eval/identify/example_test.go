package identify_test

import (
	"context"
	"fmt"

	"github.com/faceverify/fv/eval/identify"
	"github.com/faceverify/fv/eval/matrix"
)

// Three people are enrolled; of five probes two show strangers, one of whom looks like Cleo.
func ExampleMeasure() {
	gallery := &matrix.Matrix{
		Path: "gallery", Dim: 3,
		Data:       []float32{1, 0, 0, 0, 1, 0, 0, 0, 1},
		Names:      []string{"ada1", "bob1", "cleo1"},
		Identities: []string{"Ada", "Bob", "Cleo"},
	}
	probes := &matrix.Matrix{
		Path: "probes", Dim: 3,
		Data:       []float32{5, 1, 0, 1, 5, 0, 3, 0, 2, 1, 0, 5, 1, 1, 1},
		Names:      []string{"ada2", "bob2", "cleo2", "dan1", "eve1"},
		Identities: []string{"Ada", "Bob", "Cleo", "Dan", "Eve"},
	}
	r, err := identify.Measure(context.Background(), gallery, probes, nil, identify.Options{FPIRs: []float64{0.5}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, k := range r.CMC {
		fmt.Printf("rank %d: %d of %d, gallery of %d\n", k.Rank, k.Rate.Count, k.Rate.Total, r.Gallery)
	}
	p := r.Points[0]
	fmt.Printf("cosine >= %.2f: %d of %d strangers are taken for someone, %d of %d people are found\n",
		p.Threshold.Score, p.FPIR.Count, p.FPIR.Total, p.DIR.Count, p.DIR.Total)
	// Output:
	// rank 1: 2 of 3, gallery of 3
	// rank 2: 3 of 3, gallery of 3
	// rank 3: 3 of 3, gallery of 3
	// cosine >= 0.98: 1 of 2 strangers are taken for someone, 2 of 3 people are found
}
