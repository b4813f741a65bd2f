package losses_test

import (
	"fmt"

	"github.com/faceverify/fv/losses"
)

func ExampleNew() {
	h, err := losses.New("arcface", losses.Options{Params: map[string]float64{"scale": 30}})
	if err != nil {
		fmt.Println(err)
		return
	}
	logit, slope, _ := h.Target(0.5, 1) // 60° from the sample's own class
	other, _, _ := h.Other(0.5, 1)      // 60° from another
	fmt.Printf("own %.3f (slope %.2f), other %.0f\n", logit, slope, other)

	_, err = losses.New("arcface", losses.Options{Params: map[string]float64{"lambda": 5}})
	fmt.Println(err)
	// Output:
	// own 0.708 (slope 34.63), other 15
	// losses: head arcface has no setting "lambda"; it has scale, margin
}

func ExampleDescribe() {
	s, _ := losses.Describe("sphereface")
	fmt.Print(s)
	// Output:
	// sphereface: SphereFace with normalised embeddings
	//   target logit  s ψ(θ_y),  ψ(θ) = (-1)^k cos(mθ) - 2k
	//   other logits  s cos θ_j
	//   scale         s, the length that embeddings are given (default 30)
	//   margin        m, the factor of the angle (default 1.7)
	//   margin gradient: detached by default
	//   feature norm: scaled by default
	//   paper: SphereFace Revived, Liu et al. 2022 (arXiv:2109.05565), after SphereFace, eq. 7
	//   As in OpenSphere: any real m, no annealing, and a margin gradient that is detached unless asked for otherwise.
}
