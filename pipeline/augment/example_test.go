package augment_test

import (
	"fmt"
	"image"

	"github.com/faceverify/fv/internal/random"
	"github.com/faceverify/fv/pipeline/augment"
)

// A contact sheet of one image as eight epochs show it.
func ExampleSheet() {
	settings, err := augment.Preset("light")
	if err != nil {
		fmt.Println(err)
		return
	}
	const seed, sample = 1, 0
	face := image.NewNRGBA(image.Rect(0, 0, 112, 112)) // embed.Contract.Resize makes it of a photograph
	var shown []*image.NRGBA
	for epoch := range 8 {
		shown = append(shown, settings.Apply(random.New(seed, random.Augment, epoch, sample), face))
	}
	fmt.Println(augment.Sheet(shown, 4).Rect)
	// Output: (0,0)-(468,236)
}
