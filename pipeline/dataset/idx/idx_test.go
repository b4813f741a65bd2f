package idx

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func packed(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var (
	twoImages = []byte("\x00\x00\x08\x03\x00\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00\x03abcdefghijkl")
	twoLabels = []byte("\x00\x00\x08\x01\x00\x00\x00\x02\x07\x03")
)

func TestDecode(t *testing.T) {
	for _, data := range [][]byte{twoImages, packed(t, twoImages)} {
		a, err := Decode(bytes.NewReader(data))
		if err != nil || !slices.Equal(a.Shape, []int{2, 2, 3}) || string(a.Data) != "abcdefghijkl" {
			t.Errorf("%+v, error %v", a, err)
		}
	}
	gz := packed(t, twoImages)
	for _, c := range []struct{ data, want string }{
		{"", "cut short before the end of its magic number"},
		{"\x89PNG\r\n", "not an idx file: it begins with 89 50 4e 47"},
		{"\x00\x00\x0d\x01\x00\x00\x00\x00", "type 0x0d; want 0x08"},
		{"\x00\x00\x08\x02\x00\x00\x00\x01", "cut short before the end of its shape"},
		{"\x00\x00\x08\x02\xff\xff\xff\xff\x00\x01\x00\x00", "at most 1073741824 bytes"},
		{string(twoImages[:20]), "cut short after 4 of the 12 bytes of shape [2 2 3]"},
		{string(twoImages) + "x", "more than the 12 bytes"},
		{string(gz[:len(gz)-12]), "cut short"},
		{string(gz[:len(gz)-8]) + "12345678", "damaged at its end"},
	} {
		if _, err := Decode(strings.NewReader(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want one with %q", c.data, err, c.want)
		}
	}
}

func write(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "t10k-images-idx3-ubyte.gz")
	write(t, dir, map[string][]byte{"t10k-images-idx3-ubyte.gz": packed(t, twoImages), "t10k-labels-idx1-ubyte": twoLabels, "faces": twoImages})
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if m.Len() != 2 || !slices.Equal(m.Labels, []int{7, 3}) || m.At(1).GrayAt(2, 0).Y != 'i' || m.At(1).Bounds().Dx() != 3 {
		t.Errorf("%+v", m)
	}
	if !Is(path) || !Is(filepath.Join(dir, "t10k-labels-idx1-ubyte")) || Is(dir) || Is(filepath.Join(dir, "absent")) {
		t.Error("Is does not know an idx file")
	}

	if _, err := Open(filepath.Join(dir, "faces")); err == nil || !strings.Contains(err.Error(), "want a name such as train-images-idx3-ubyte") {
		t.Errorf("error %v of a name without images", err)
	}
	if _, err := Open(filepath.Join(dir, "absent-images")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v of an absent file", err)
	}
	if _, err := Open(filepath.Join(dir, "t10k-labels-idx1-ubyte")); err == nil || !strings.Contains(err.Error(), "shape [2]; want images, [N,height,width]") {
		t.Errorf("error %v of labels given for images", err)
	}
	write(t, dir, map[string][]byte{"t10k-labels-idx1-ubyte": []byte("\x00\x00\x08\x01\x00\x00\x00\x01\x07")})
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "labels of shape [1] for the 2 images") {
		t.Errorf("error %v of too few labels", err)
	}
	if err := os.Remove(filepath.Join(dir, "t10k-labels-idx1-ubyte")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "no labels beside it: neither t10k-labels-idx1-ubyte nor") {
		t.Errorf("error %v without labels", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(twoImages)
	f.Add(twoLabels)
	f.Add(packed(f, twoImages))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := Decode(bytes.NewReader(data))
		if err != nil {
			return
		}
		n := 1
		for _, d := range a.Shape {
			n *= d
		}
		if n != len(a.Data) {
			t.Errorf("%d bytes of shape %v", len(a.Data), a.Shape)
		}
	})
}
