package plain_test

import (
	"fmt"

	"github.com/faceverify/fv/losses/plain"
)

// A sample that is classified wrongly, with a probability of 0.1 for what is true: the squared error
// hardly notices.
func Example() {
	for _, l := range []plain.Elementwise{plain.MSE{}, plain.BCE{}} {
		_, slope := l.At(0.1, 1)
		fmt.Printf("%s: slope %.1f\n", l.Name(), slope)
	}
	// Output:
	// mse: slope -1.8
	// bce: slope -10.0
}
