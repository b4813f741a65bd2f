package synth_test

import (
	"fmt"

	"github.com/faceverify/fv/pipeline/synth"
)

// Two pictures of person 7 of the world with seed 1.
func ExampleFace() {
	a := synth.Face(1, 7, 0, 112)
	b := synth.Face(1, 7, 1, 112)
	fmt.Println(a.Bounds().Dx(), b.Bounds().Dy())
	// Output: 112 112
}
