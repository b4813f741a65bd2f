package synth

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"testing"
)

func TestFaceDependsOnArgumentsOnly(t *testing.T) {
	a := Face(1, 2, 3, 48)
	Face(9, 9, 9, 32)
	if !bytes.Equal(a.Pix, Face(1, 2, 3, 48).Pix) {
		t.Error("the same arguments gave another picture")
	}
	for _, b := range []*image.NRGBA{Face(2, 2, 3, 48), Face(1, 3, 3, 48), Face(1, 2, 4, 48)} {
		if bytes.Equal(a.Pix, b.Pix) {
			t.Error("other arguments gave the same picture")
		}
	}
}

// Pictures are opaque, use the range of values, and have no part that is not a number
// (which would be black) whatever is drawn.
func TestFacesAreSound(t *testing.T) {
	for person := range 60 {
		img := Face(7, person, person, 32)
		var sum, squares float64
		for i, v := range img.Pix {
			if i%4 == 3 {
				if v != 255 {
					t.Fatalf("person %d: not opaque", person)
				}
				continue
			}
			sum += float64(v)
			squares += float64(v) * float64(v)
		}
		n := float64(32 * 32 * 3)
		mean := sum / n
		if dev := math.Sqrt(squares/n - mean*mean); mean < 20 || mean > 235 || dev < 10 {
			t.Errorf("person %d: mean %.0f, deviation %.0f", person, mean, dev)
		}
	}
	if r := Face(1, 1, 1, 1).Rect; r != image.Rect(0, 0, 1, 1) {
		t.Errorf("size 1 gave %v", r)
	}
}

// With nothing but the person kept, two pictures must be alike: what is the
// person's may not be drawn with the picture.
func TestIdentityStays(t *testing.T) {
	if *newIdentity(3, 5) != *newIdentity(3, 5) {
		t.Error("a person changed")
	}
	if *newIdentity(3, 5) == *newIdentity(3, 6) {
		t.Error("two people are one")
	}
}

// Same and different people must not be told apart by their pixels: the area
// under the curve of the cosine of centred pictures lies well below what a
// network learns, and above chance, or nothing could be learned.
func TestPixelsTellLittle(t *testing.T) {
	const people, each, size = 30, 4, 24
	var x [people * each][]float64
	for i := range x {
		img := Face(11, i/each, i%each, size)
		var mean float64
		for k, v := range img.Pix {
			if k%4 != 3 {
				x[i] = append(x[i], float64(v))
				mean += float64(v) / (3 * size * size)
			}
		}
		norm := 0.0
		for k := range x[i] {
			x[i][k] -= mean
			norm += x[i][k] * x[i][k]
		}
		for k := range x[i] {
			x[i][k] /= math.Sqrt(norm)
		}
	}
	var genuine, impostor []float64
	for i := range x {
		for j := range i {
			cos := 0.0
			for k := range x[i] {
				cos += x[i][k] * x[j][k]
			}
			if i/each == j/each {
				genuine = append(genuine, cos)
			} else {
				impostor = append(impostor, cos)
			}
		}
	}
	wins := 0.0
	for _, g := range genuine {
		for _, o := range impostor {
			if g > o {
				wins++
			}
		}
	}
	auc := wins / float64(len(genuine)*len(impostor))
	t.Logf("AUC of raw pixels: %.3f", auc)
	if auc < 0.52 || auc > 0.8 {
		t.Errorf("AUC of raw pixels is %.3f, want 0.52 to 0.8", auc)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	o := Options{Identities: 3, Images: 2, Seed: 5, First: 10, Size: 24}
	if err := Write(context.Background(), dir, o); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "person_001[0-2]", "000[01].jpg"))
	if len(files) != 6 {
		t.Fatalf("files: %v", files)
	}
	f, err := os.Open(files[5])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := jpeg.Decode(f)
	if err != nil || img.Bounds() != image.Rect(0, 0, 24, 24) {
		t.Errorf("%v, %v", img.Bounds(), err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Write(ctx, dir, o); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := Write(context.Background(), dir, Options{}); err == nil {
		t.Error("nobody to draw is no error")
	}
	// A file where a folder should be.
	os.WriteFile(filepath.Join(dir, "person_0099"), nil, 0o644)
	if err := Write(context.Background(), dir, Options{Identities: 1, Images: 1, First: 99}); err == nil {
		t.Error("a folder that cannot be made is no error")
	}
}

func BenchmarkFace(b *testing.B) {
	for i := 0; b.Loop(); i++ {
		Face(1, i%50, i, 112)
	}
}
