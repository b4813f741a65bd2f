package eval

import (
	"context"
	"image"
	"testing"
)

// widthEmbedder gives an image's width.
type widthEmbedder struct{}

func (widthEmbedder) Dim() int { return 1 }

func (widthEmbedder) EmbedBatch(_ context.Context, images []image.Image) ([][]float32, error) {
	var v [][]float32
	for _, img := range images {
		v = append(v, []float32{float32(img.Bounds().Dx())})
	}
	return v, nil
}

// An image that is named twice is embedded once, and the others keep their own vectors.
func TestEmbedImagesOnce(t *testing.T) {
	widths := map[string]int{"a": 1, "b": 2, "c": 3}
	load := func(name string) (image.Image, error) {
		return image.NewGray(image.Rect(0, 0, widths[name], 1)), nil
	}
	o := Options{Batch: 2, Progress: func(done, total int) {
		if total != 3 {
			t.Errorf("%d of %d images", done, total)
		}
	}}
	v, err := EmbedImages(t.Context(), widthEmbedder{}, load, []string{"a", "a", "b", "a", "c", "b"}, false, o)
	if err != nil {
		t.Fatal(err)
	}
	if v.Len() != 3 {
		t.Errorf("%d vectors", v.Len())
	}
	for name, want := range widths {
		if got := v.At(nil, name, FlipNone); len(got) != 1 || got[0] != float32(want) {
			t.Errorf("%s: %v, want %d", name, got, want)
		}
	}
}
