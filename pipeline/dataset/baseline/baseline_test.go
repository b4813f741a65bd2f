package baseline

import (
	"bytes"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
)

const many = 100e6 // pixels

// same checks that Decode gives what image/jpeg gives, and reports whether it gives anything.
func same(t *testing.T, name string, file []byte) bool {
	t.Helper()
	got := Decode(file, many)
	if got == nil {
		return false
	}
	want, err := jpeg.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatalf("%s: decoded, where image/jpeg says: %v", name, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: another image than image/jpeg's", name)
	}
	return true
}

// layouts are the factors of the components of the usual kinds.
var layouts = map[string][]byte{
	"grey": {0x11}, "grey, as if subsampled": {0x22}, "4:4:4": {0x11, 0x11, 0x11}, "4:2:2": {0x21, 0x11, 0x11}, "4:4:0": {0x12, 0x11, 0x11},
	"4:2:0": {0x22, 0x11, 0x11}, "4:1:1": {0x41, 0x11, 0x11}, "4:1:0": {0x42, 0x11, 0x11},
}

// Files of every layout, size, length of codes and size of coefficients, up to those that overflow, are the images of image/jpeg, to the bit: the
// tolerance is 0.
func TestLayouts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, factors := range layouts {
		for i := range 150 {
			f := drawn{
				width: 1 + rng.IntN(70), height: 1 + rng.IntN(70), factors: factors,
				restart: rng.IntN(2) * rng.IntN(9), step: byte(1 << rng.IntN(8)), size: 1 + rng.IntN(11), coefficients: rng.IntN(64),
			}
			if i%10 == 0 {
				f.step = 255
			}
			if !same(t, name, f.file(rng)) {
				t.Fatalf("%s: %+v is not decoded", name, f)
			}
		}
	}
}

// What encoders write: the standard library's, and a photograph's statistics.
func TestEncoded(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for quality := 1; quality <= 100; quality += 3 {
		colour, grey := image.NewRGBA(image.Rect(0, 0, 37, 53)), image.NewGray(image.Rect(0, 0, 61, 20))
		for i := range colour.Pix {
			colour.Pix[i] = uint8(i/9 + rng.IntN(1+quality))
		}
		for i := range grey.Pix {
			grey.Pix[i] = uint8(i/5 + rng.IntN(1+quality))
		}
		for _, img := range []image.Image{colour, grey} {
			var b bytes.Buffer
			if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
				t.Fatal(err)
			}
			if !same(t, "encoded", b.Bytes()) {
				t.Errorf("quality %d is not decoded", quality)
			}
			if !same(t, "encoded, with more behind it", append(b.Bytes(), "more"...)) {
				t.Errorf("quality %d with bytes behind it is not decoded", quality)
			}
		}
	}
}

// Real photographs, from libjpeg.
func TestFaces(t *testing.T) {
	root := os.Getenv("FV_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	var names []string
	for _, pattern := range []string{"lfw112/images/B*/*.jpg", "lfw250/A*/*.jpg"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found[:min(len(found), 250)]...)
	}
	if len(names) == 0 {
		t.Skipf("no photographs in %s", root)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !same(t, name, b) {
			t.Errorf("%s is not decoded", name)
		}
	}
}

// A file that ends early is left to image/jpeg, wherever it ends; so is one with a byte too many or too few in its scan.
func TestTruncated(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, factors := range layouts {
		file := drawn{width: 33, height: 20, factors: factors, restart: 2, step: 9, size: 6, coefficients: 6}.file(rng)
		for n := range file {
			if Decode(file[:n], many) != nil {
				t.Fatalf("%s: %d of %d bytes are decoded", name, n, len(file))
			}
		}
		end := len(file) - 2 // the marker of the end
		if Decode(append(bytes.Clone(file[:end]), 0x55, 0xff, endOfImage), many) != nil {
			t.Errorf("%s: decoded with a byte too many", name)
		}
		if Decode(append(bytes.Clone(file[:end-2]), 0xff, endOfImage), many) != nil {
			t.Errorf("%s: decoded with bytes too few", name)
		}
		for i := range file[:end] {
			if bytes.HasPrefix(file[i:], []byte{0xff, restart0 + 1}) {
				spoilt := bytes.Clone(file)
				spoilt[i+1]++
				if Decode(spoilt, many) != nil {
					t.Errorf("%s: decoded with restart markers out of order", name)
				}
			}
		}
	}
}

// Damage is seen, or changes the image as image/jpeg's.
func TestDamaged(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	decoded := 0
	const n = 2000
	file := face(rng)
	for range n {
		spoilt := bytes.Clone(file)
		for range 1 + rng.IntN(2) {
			spoilt[rng.IntN(len(spoilt))] ^= byte(1 << rng.IntN(8))
		}
		if same(t, "damaged", spoilt) {
			decoded++
		}
	}
	// Most codes that a changed bit makes are codes too.
	if decoded < n/100 {
		t.Errorf("only %d of %d are decoded: nothing has been compared", decoded, n)
	}
}

// What has more pixels than allowed, or than its bytes can code, is refused before memory is taken for it.
func TestLarge(t *testing.T) {
	file := drawn{width: 64, height: 48, factors: layouts["4:2:0"], step: 9, size: 6, coefficients: 6}.file(rand.New(rand.NewPCG(1, 2)))
	if Decode(file, 64*48) == nil || Decode(file, 64*48-1) != nil {
		t.Error("the limit of pixels does not hold where it is reached")
	}
	i := bytes.Index(file, []byte{0, 48, 0, 64})
	copy(file[i:], []byte{0x20, 0, 0x20, 0})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	img := Decode(file, many)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; img != nil || n > 1<<20 {
		t.Errorf("%d bytes are allocated for 8192x8192 pixels that are not there", n)
	}
}

// Whatever the bytes, there is image/jpeg's image or none.
func FuzzDecode(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, factors := range layouts {
		for _, restart := range []int{0, 1, 3} {
			f.Add(drawn{width: 40, height: 30, factors: factors, restart: restart, step: 17, size: 5, coefficients: 3}.file(rng))
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if c, err := jpeg.DecodeConfig(bytes.NewReader(file)); err == nil && c.Width*c.Height > 1<<20 {
			return // slow
		}
		same(t, "fuzzed", file)
	})
}

func BenchmarkDecode(b *testing.B) {
	file := face(rand.New(rand.NewPCG(1, 2)))
	b.Run("baseline", func(b *testing.B) {
		for b.Loop() {
			Decode(file, many)
		}
	})
	b.Run("image-jpeg", func(b *testing.B) {
		for b.Loop() {
			_, _ = jpeg.Decode(bytes.NewReader(file))
		}
	})
}
