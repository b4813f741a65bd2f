package features_test

import (
	"context"
	"fmt"

	"github.com/faceverify/fv/eval/features"
	"github.com/faceverify/fv/eval/matrix"
)

// Embeddings of two numbers lie on a circle once lengths are divided out.
func ExampleMeasure() {
	m := &matrix.Matrix{
		Path: "faces", Dim: 2,
		Data:       []float32{2, 0, 4, 3, 0, 1, -3, 4},
		Names:      []string{"ada1", "ada2", "bob1", "bob2"},
		Identities: []string{"Ada", "Ada", "Bob", "Bob"},
	}
	r, err := features.Measure(context.Background(), m, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s: positive pairs are %.1f° apart, negative ones %.1f°, angular Fisher score %.3f\n",
		r.Surface(), r.PositiveDegrees, r.NegativeDegrees, r.AngularFisher)
	for _, who := range r.Identities {
		fmt.Printf("%s: %.1f° from its mean; %s is nearest, %.1f° away\n", who.Name, who.OwnDegrees, who.Nearest, who.NearestDegrees)
	}
	// Output:
	// circle: positive pairs are 36.9° apart, negative ones 90.0°, angular Fisher score 0.175
	// Ada: 18.4° from its mean; Bob is nearest, 90.0° away
	// Bob: 18.4° from its mean; Ada is nearest, 90.0° away
}
