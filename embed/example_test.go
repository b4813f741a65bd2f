package embed_test

import (
	"fmt"
	"image"
	"image/color"
	"log"
	"os"
	"path/filepath"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/eval"
)

// photograph stands for a decoded image file.
func photograph(width, height int, seed uint8) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetNRGBA(x, y, color.NRGBA{uint8(x) * seed, uint8(y), uint8(x*y) + seed, 255})
		}
	}
	return img
}

// modelFile stands for what training leaves behind.
func modelFile() string {
	network, err := embed.Backbone("sfnet4", embed.BackboneOptions{Embedding: 64, Height: 32, Width: 32})
	if err != nil {
		log.Fatal(err)
	}
	model := embed.NewModel(network, embed.DefaultContract(32, 32), 1)
	model.Threshold = &embed.Threshold{Cosine: 0.3, FAR: 0.001}
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, embed.ModelFile)
	if err := model.Save(path); err != nil {
		log.Fatal(err)
	}
	return path
}

func ExampleOpen() {
	path := modelFile()
	defer os.RemoveAll(filepath.Dir(path))

	embedder, err := embed.Open(path) // or a run folder
	if err != nil {
		log.Fatal(err)
	}
	defer embedder.Close()

	a, err := embedder.Embed(photograph(250, 250, 3))
	if err != nil {
		log.Fatal(err)
	}
	b, err := embedder.Embed(photograph(250, 250, 3))
	if err != nil {
		log.Fatal(err)
	}
	cosine := eval.Cosine(a, b)
	fmt.Printf("%d numbers, cosine %.3f\n", len(a), cosine)
	if t := embedder.Model().Threshold; t != nil && cosine >= t.Cosine {
		fmt.Println("one person")
	}
	// Output:
	// 64 numbers, cosine 1.000
	// one person
}

func ExampleBackbone() {
	network, err := embed.Backbone("mobilefacenet", embed.BackboneOptions{Embedding: 128})
	if err != nil {
		log.Fatal(err)
	}
	s := network.Summary()
	fmt.Printf("%s: %.2f M parameters, %.0f M multiply-accumulates\n", s.Name, float64(s.Params)/1e6, float64(s.MACs)/1e6)
	// Output: mobilefacenet: 1.00 M parameters, 221 M multiply-accumulates
}

// A contract alone makes the input of any network that was trained under it.
func ExampleContract_Pixels() {
	contract := embed.DefaultContract(1, 2)
	row := image.NewGray(image.Rect(0, 0, 2, 1))
	row.Pix = []byte{255, 0}
	pixels := make([]float32, contract.Len())
	contract.Pixels(pixels, row)
	fmt.Println(pixels)
	// Output: [1 1 1 -1 -1 -1]
}
