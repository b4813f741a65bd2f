package dataset_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/faceverify/fv/pipeline/dataset"
	"github.com/faceverify/fv/pipeline/synth"
)

func Example() {
	dir, err := os.MkdirTemp("", "faces")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	// A folder with one sub-folder for each person.
	err = synth.Write(context.Background(), dir, synth.Options{Identities: 20, Images: 3, Size: 16})
	if err != nil {
		log.Fatal(err)
	}

	set, err := dataset.Open(dir, dataset.Options{MinImages: 2})
	if err != nil {
		log.Fatal(err)
	}
	train, val, err := set.Split(0.2, 1)
	if err != nil {
		log.Fatal(err)
	}
	pairs, err := val.Pairs(1)
	if err != nil {
		log.Fatal(err)
	}
	img, err := dataset.DecodeFile(train.File(0), dataset.Limits{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(train.Identities), "people to train on,", len(train.Samples), "images of", img.Bounds().Size())
	fmt.Println(len(val.Identities), "people to validate with,", len(pairs.Pairs), "pairs")
	// Output:
	// 16 people to train on, 48 images of (16,16)
	// 4 people to validate with, 24 pairs
}
