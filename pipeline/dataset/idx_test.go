package dataset

import (
	"image/color"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// digits writes an idx file of twelve images of 2x3 pixels, with the labels 0 to 3 in turn, and returns its path.
func digits(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	images := []byte("\x00\x00\x08\x03\x00\x00\x00\x0c\x00\x00\x00\x02\x00\x00\x00\x03")
	labels := []byte("\x00\x00\x08\x01\x00\x00\x00\x0c")
	for i := range 12 {
		for range 6 {
			images = append(images, byte(10*i))
		}
		labels = append(labels, byte(i%4))
	}
	path := filepath.Join(dir, "train-images-idx3-ubyte")
	write(t, path, images)
	write(t, filepath.Join(dir, "train-labels-idx1-ubyte"), labels)
	return path
}

func TestOpenIDX(t *testing.T) {
	path := digits(t)
	set, err := Open(path, Options{MaxImages: 2})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(set.Identities, []string{"0", "1", "2", "3"}) {
		t.Errorf("identities %v", set.Identities)
	}
	want := []string{"0 0/00000", "0 0/00004", "1 1/00001", "1 1/00005", "2 2/00002", "2 2/00006", "3 3/00003", "3 3/00007"}
	if got := paths(set); !slices.Equal(got, want) {
		t.Errorf("samples %v", got)
	}
	odd := set.subset([]bool{false, true, false, true})
	for i, want := range []uint8{10, 50, 30, 70} {
		img, err := odd.Decode(odd.File(i))
		if err != nil || img.Bounds().Dx() != 3 || img.Bounds().Dy() != 2 {
			t.Fatalf("%s: %v, error %v", odd.Samples[i].Path, img, err)
		}
		if got := color.GrayModel.Convert(img.At(2, 1)).(color.Gray).Y; got != want {
			t.Errorf("%s has grey level %d, want %d", odd.Samples[i].Path, got, want)
		}
	}
	if w := set.LookAligned(32, 32); w != "" {
		t.Errorf("warning %q", w)
	}
	if _, err := set.Decode(filepath.Join(path, "0", "99")); err == nil {
		t.Error("image 99 of 12 is read")
	}
	if _, err := Open(filepath.Dir(path), Options{}); err == nil || !strings.Contains(err.Error(), "holds idx files") || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v of the folder", err)
	}
}
