package dataset

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/faceverify/fv/pipeline/dataset/recpack/rectest"
)

// packed writes a pack of eleven people with one, two, one, two ... images, one of them no image, and returns its path.
func packed(t *testing.T) string {
	t.Helper()
	var people [][][]byte
	for i := range 11 {
		people = append(people, [][]byte{netpbmOf("P6", 255)})
		if i%2 == 1 {
			people[i] = append(people[i], jpegOf(t, picture()))
		}
	}
	people[3][1] = []byte("<!DOCTYPE html>")
	rec, idx := rectest.Pack(people)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "train.idx"), []byte(idx))
	return write(t, filepath.Join(dir, "train.rec"), rec)
}

func TestOpenRec(t *testing.T) {
	path := packed(t)
	set, err := Open(path, Options{MinImages: 2})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(set.Identities, []string{"01", "03", "05", "07", "09"}) {
		t.Errorf("identities %v", set.Identities)
	}
	want := []string{"0 01/2", "0 01/3", "1 03/5", "1 03/6", "2 05/8", "2 05/9", "3 07/11", "3 07/12", "4 09/14", "4 09/15"}
	if got := paths(set); !slices.Equal(got, want) {
		t.Errorf("samples %v", got)
	}
	sub := set.subset([]bool{false, true, true, false, false})
	for i := range sub.Samples {
		file := sub.File(i)
		img, err := sub.Decode(file)
		if i == 1 {
			if err == nil || err.Error() != file+": a web page or XML file; "+errNoImage.Error() {
				t.Errorf("error %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		isPicture(t, file, img, 15)
	}
	if _, err := set.Decode(filepath.Join(path, "01", "99")); err == nil || !strings.Contains(err.Error(), "no image of") {
		t.Errorf("error %v of an image that is not there", err)
	}
	if _, err := Open(filepath.Dir(path), Options{}); err == nil || !strings.Contains(err.Error(), "holds a pack: give "+path) {
		t.Errorf("error %v of the folder", err)
	}
	if _, err := Open(strings.TrimSuffix(path, "rec")+"idx", Options{}); err == nil || !strings.Contains(err.Error(), "want the folder") {
		t.Errorf("error %v of the index", err)
	}
}

func TestUnpack(t *testing.T) {
	set, err := Open(packed(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "faces")
	var bad []string
	n, err := set.Unpack(context.Background(), dir, func(path string, err error) { bad = append(bad, filepath.Base(path)+": "+err.Error()) })
	if err != nil || n != 15 || len(bad) != 1 || !strings.HasPrefix(bad[0], "6: a web page") {
		t.Fatalf("%d images, left out %q, error %v", n, bad, err)
	}
	folder, err := Open(dir, Options{})
	if err != nil || !slices.Equal(folder.Identities, set.Identities) || len(folder.Samples) != 15 {
		t.Fatalf("%v, %v", folder, err)
	}
	for i := range folder.Samples {
		img, err := folder.Decode(folder.File(i))
		if err != nil {
			t.Fatal(err)
		}
		isPicture(t, folder.File(i), img, 15)
	}
	if _, err := set.Unpack(context.Background(), dir, nil); err == nil || !strings.Contains(err.Error(), "is there already; name a new folder") {
		t.Errorf("onto a folder: %v", err)
	}
	if _, err := folder.Unpack(context.Background(), dir+"2", nil); err == nil || !strings.Contains(err.Error(), "are files already") {
		t.Errorf("a folder: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := set.Unpack(ctx, dir+"3", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for _, left := range []string{"3", "3.part"} {
		if _, err := os.Lstat(dir + left); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", left, err)
		}
	}
	// Pixels that no file holds are written as PNG.
	grey, err := Open(digits(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err = grey.Unpack(context.Background(), dir+"4", nil); err != nil || n != 12 {
		t.Fatal(n, err)
	}
	if img, err := DecodeFile(filepath.Join(dir+"4", "1", "00005.png"), Limits{}); err != nil || img.Bounds().Dx() != 3 {
		t.Error(img, err)
	}
}
