package metric_test

import (
	"fmt"

	"github.com/faceverify/fv/losses/metric"
)

func ExampleBatch() {
	x := []float64{ // two images of each of two people
		3, 0,
		1, 1,
		0, 2,
		-1, 1,
	}
	gradient := make([]float64, len(x))
	loss := metric.Batch(metric.Triplet{Margin: 0.2, Mining: metric.BatchHard}, gradient, x, []int{1, 1, 7, 7})
	fmt.Printf("loss %.3f, gradient of the first embedding %.3f\n", loss, gradient[:2])
	// Output:
	// loss 0.100, gradient of the first embedding [0.000 -0.118]
}
